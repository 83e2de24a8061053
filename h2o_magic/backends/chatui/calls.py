"""The calls of the chat-ui protocol, one method for each.

The protocol is that of chat-ui from February 2024 to August 2026
(tests/recordings/chat-ui). A :class:`ChatUICalls` has one server session (its cookie)
and remembers in which form the server takes a question. When to try a failed call
again is decided elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from h2o_magic.backends.chatui.advice import explained
from h2o_magic.backends.chatui.messages import StoredTree, created_root, stored_tree
from h2o_magic.backends.chatui.token import Credential
from h2o_magic.backends.taking_turns import TakingTurns
from h2o_magic.backends.telling import telling
from h2o_magic.errors import (
    ConnectionFailedError,
    H2OMagicError,
    ProtocolError,
    StatusError,
)
from h2o_magic.transport import (
    QUICK,
    Cancellation,
    Endpoint,
    Reply,
    Timeouts,
    Transport,
)

__all__ = ["ChatUICalls", "Created"]

# Errors as JSON, streams as they are. Never HTML: the path of a conversation also has
# a page, and SvelteKit would take the request for an action of that page.
_ACCEPT_STREAM = "application/json, application/jsonl;q=0.9, text/event-stream;q=0.8"
_ANSWER_STATUSES = (200,)
_SAFE_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Created:
    """A new server conversation: its id, and its root message's where it is said."""

    id: str
    root: str | None


class ChatUICalls:
    """One session with a chat-ui server.

    Every method that reports a failure raises a
    :class:`~h2o_magic.errors.BackendError` that says what to do about it.

    Parameters
    ----------
    url
        The server's base URL.
    credential
        How the user is known to it.
    timeouts
        How long to wait.
    """

    def __init__(self, url: str, credential: Credential, *, timeouts: Timeouts) -> None:
        endpoint = Endpoint(url, credential.bearer)
        self.url = endpoint.url
        self._known = credential.given
        self._transport = Transport(endpoint, timeouts=timeouts)
        if credential.cookie is not None:
            self._transport.keep_cookie(*credential.cookie)
        self._form: Literal["parts", "document"] | None = None
        self._first = TakingTurns()
        self._begun = False

    def create(self, model: str, preprompt: str, cancellation: Cancellation) -> Created:
        """Make a conversation.

        Parameters
        ----------
        model
            Id of the model.
        preprompt
            System text; empty for the model's own. Chat-ui of 2026 gives it to the
            model twice, in one system message.
        cancellation
            Ends the call from another thread.

        Raises
        ------
        ProtocolError
            If the answer names no conversation.
        """
        document = {"model": model, **({"preprompt": preprompt} if preprompt else {})}
        with (
            self._telling(model=model, naming=True),
            self._in_session(cancellation),
            self._transport.send(
                "POST", "/conversation", document=document, cancellation=cancellation
            ) as reply,
        ):
            answer = reply.json()
            given = answer.get("conversationId") if isinstance(answer, dict) else None
            if not isinstance(given, str) or not _SAFE_ID.fullmatch(given):
                raise ProtocolError(
                    "POST /conversation: expected a conversationId, got "
                    f"{answer!r:.200}"
                )
        return Created(given, created_root(answer))

    def stored(self, conversation: str, cancellation: Cancellation) -> StoredTree:
        """Return the messages that the server has of a conversation.

        Raises
        ------
        ProtocolError
            If it says none.
        """
        path = quote(conversation, safe="")
        with self._telling():
            try:
                return self._get(
                    f"/api/v2/conversations/{path}", stored_tree, cancellation
                )
            except StatusError as error:
                if error.status != 404:
                    raise
                # Before June 2025 there is no such route.
                return self._get(f"/api/conversation/{path}", stored_tree, cancellation)

    def generate(
        self,
        conversation: str,
        document: Mapping[str, Any],
        cancellation: Cancellation,
        *,
        model: str,
    ) -> Reply:
        """Send a question and return the answer, whose body is still to be read.

        Parameters
        ----------
        conversation
            Id of the conversation.
        document
            The question, as it stands in the part ``data``.
        cancellation
            Ends the exchange from another thread.
        model
            The conversation's model, for the words of a failure.
        """
        path = _path(conversation)
        with self._telling(model=model):
            try:
                reply = self._ask(path, document, cancellation, self._form or "parts")
            except StatusError as error:
                if self._form or error.status != 500:
                    raise
                # Before June 2024 the body is the document itself; parts are a 500.
                with contextlib.suppress(StatusError):
                    reply = self._ask(path, document, cancellation, "document")
                    self._form = "document"
                    return reply
                raise
        self._form = self._form or "parts"
        return reply

    def stop(self, conversation: str, point: Mapping[str, Any] | None = None) -> None:
        """Ask the server to stop generating; a failure is ignored.

        Parameters
        ----------
        conversation
            Id of the conversation.
        point
            Where to cut the stored answer: ``generationId`` as it was sent, and
            ``seenContentLength`` in UTF-16 units. Servers before 2026 ignore it.
        """
        self._try("POST", f"{_path(conversation)}/stop-generating", point)

    def delete(self, conversation: str) -> None:
        """Delete a conversation on the server; a failure is ignored."""
        self._try("DELETE", _path(conversation))

    def get(self, path: str, read: Callable[[object], _T]) -> _T:
        """Return what `read` makes of the document at `path`; no secret is in it."""
        with self._telling():
            return self._get(path, read, Cancellation(), cleaned=True)

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def _telling(
        self, *, model: str = "", naming: bool = False
    ) -> contextlib.AbstractContextManager[None]:
        """Return a block whose failures say what to do about them."""
        return telling(
            partial(
                explained,
                url=self.url,
                known=self._known,
                model=model,
                naming=naming,
            )
        )

    @contextlib.contextmanager
    def _in_session(self, cancellation: Cancellation) -> Iterator[None]:
        """Let the call that begins the session be alone.

        Each call without a cookie begins one of its own, and the last would be kept:
        the conversations of the others would be lost.
        """
        if self._begun:
            yield
            return
        if not self._first.enter(cancellation):
            raise ConnectionFailedError("cancelled")
        try:
            yield
            self._begun = True
        finally:
            self._first.leave()

    def _get(
        self,
        path: str,
        read: Callable[[object], _T],
        cancellation: Cancellation,
        *,
        cleaned: bool = False,
    ) -> _T:
        with self._transport.send("GET", path, cancellation=cancellation) as reply:
            return read(reply.json(cleaned=cleaned))

    def _ask(
        self,
        path: str,
        document: Mapping[str, Any],
        cancellation: Cancellation,
        form: Literal["parts", "document"],
    ) -> Reply:
        def send() -> Reply:
            parts = {"data": json.dumps(document, ensure_ascii=False)}
            return self._transport.send(
                "POST",
                path,
                document=document,
                parts=parts if form == "parts" else None,
                accept=_ACCEPT_STREAM,
                accepted=_ANSWER_STATUSES,
                cancellation=cancellation,
            )

        try:
            return send()
        except StatusError as error:
            # A chat-ui that was not told its address believes that it is behind https.
            foreign = error.status == 403 and "referer" in error.server_message.lower()
            if not (foreign and self._transport.claim_https()):
                raise
            return send()

    def _try(self, method: str, path: str, document: object = None) -> None:
        with contextlib.suppress(H2OMagicError):
            self._transport.send(
                method, path, document=document, timeouts=QUICK
            ).close()


def _path(conversation: str) -> str:
    return f"/conversation/{quote(conversation, safe='')}"
