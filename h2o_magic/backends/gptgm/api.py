"""The calls of the gpt-gm protocol, one method for each.

The protocol is that of chat-ui of June 2023 (tests/recordings), with what servers of
this package add.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from h2o_magic.backends.http import (
    DEFAULT_CONNECTIONS,
    QUICK,
    Cancellation,
    Endpoint,
    HttpClient,
    Response,
    Timeouts,
)
from h2o_magic.backends.http_backend import text_items
from h2o_magic.backends.own_server import source_of
from h2o_magic.chat.events import Source
from h2o_magic.chat.messages import Message
from h2o_magic.errors import (
    ConnectionFailedError,
    ProtocolError,
    StatusError,
    TimedOutError,
)

# Never HTML: the path of a conversation also has a page, and SvelteKit would take the
# request for an action of that page.
_ACCEPT_STREAM = "application/json, text/event-stream;q=0.9"
_ID = re.compile(r"[0-9a-f]{24}")
_SAFE_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Created:
    """A new conversation on the server."""

    id: str
    has_history: bool  # whether the server has taken over the history
    source: Source | None = None  # what will answer, if the server says it


class GptGmClient:
    """One session with a gpt-gm server: its cookie, and its accepted terms."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        share: bool = False,
        timeouts: Timeouts,
        connections: int = DEFAULT_CONNECTIONS,
    ) -> None:
        self.url = endpoint.url
        self.timeouts = timeouts
        self._transport = HttpClient(
            endpoint, timeouts=timeouts, connections=connections
        )
        self._share = share
        self._page_loaded = False
        self._terms_accepted = False

    def accept_terms(self, model: str, cancellation: Cancellation) -> None:
        """Load the start page and accept the terms, once in a session."""
        if self._terms_accepted:
            return
        if not self._page_loaded:
            # As a browser does; the answer does not matter.
            with contextlib.suppress(StatusError):
                self._transport.send(
                    "GET", "/", accept="*/*", cancellation=cancellation
                ).close()
            self._page_loaded = True
        try:
            self._post_settings(model, cancellation)
        except StatusError as error:
            foreign = error.status == 403 and "referer" in error.server_message.lower()
            if not foreign or self._transport.origin.startswith("https:"):
                raise
            # Behind plain http it believes that it is behind https, and refuses the
            # true origin (tests/recordings, ``no-origin-http-referer``).
            self._transport.origin = f"https:{self._transport.origin[5:]}"
            self._post_settings(model, cancellation)
        self._terms_accepted = True

    def forget_terms(self) -> None:
        """Accept the terms again at the next opportunity."""
        self._terms_accepted = False

    def create(
        self, model: str, history: Iterable[Message], cancellation: Cancellation
    ) -> Created:
        """Make a conversation. Only servers of this package take over its history."""
        messages = text_items(history)
        document = {"model": model, "messages": messages}
        with self._transport.send(
            "POST", "/conversation", document=document, cancellation=cancellation
        ) as reply:
            answer = reply.json()
            given = _conversation_id(answer)
        taken = answer.get("messages")
        has_history = type(taken) is int and taken == len(messages)
        return Created(given, has_history, source_of(answer.get("h2o_magic")))

    def generate(
        self,
        conversation: str,
        document: Mapping[str, Any],
        cancellation: Cancellation,
    ) -> Response:
        return self._transport.send(
            "POST",
            _path(conversation),
            document=document,
            accept=_ACCEPT_STREAM,
            accepted=(200,),
            cancellation=cancellation,
        )

    def drop(self, conversation: str, *, stop: bool) -> None:
        """Delete a conversation; `stop` first stops its answer. Never raises."""
        with contextlib.suppress(ConnectionFailedError, TimedOutError):
            if stop:
                self._try("POST", f"{_path(conversation)}/stop-generating")
            self._try("DELETE", _path(conversation))

    def get(self, path: str) -> Any:
        """Return the JSON document at `path`."""
        with self._transport.send("GET", path) as reply:
            return reply.json()

    def close(self) -> None:
        self._transport.close()

    def _try(self, method: str, path: str) -> None:
        with contextlib.suppress(StatusError, ProtocolError):
            self._transport.send(method, path, timeouts=QUICK).close()

    def _post_settings(self, model: str, cancellation: Cancellation) -> None:
        form = {"ethicsModalAccepted": "true", "activeModel": model}
        # Until August 2023 the text "false" meant yes. Left out, it always means no.
        if self._share:
            form["shareConversationsWithModelAuthors"] = "true"
        with self._transport.send(
            "POST",
            "/settings",
            form=form,
            accepted=(200, 303),
            cancellation=cancellation,
        ) as reply:
            if reply.status == 303:
                return
            answer = reply.json()
            kind = answer.get("type") if isinstance(answer, dict) else None
            if kind not in ("redirect", "success"):
                raise ProtocolError(
                    f"POST /settings: the terms were not accepted, got {answer!r:.200}"
                )


def _conversation_id(answer: object) -> str:
    given = answer.get("conversationId") if isinstance(answer, dict) else None
    if not isinstance(given, str) or not _SAFE_ID.fullmatch(given):
        raise ProtocolError(
            f"POST /conversation: expected a conversationId, got {answer!r:.200}"
        )
    if not _ID.fullmatch(given):
        warnings.warn(
            f"unusual conversation id {given!r}: expected 24 hexadecimal digits",
            stacklevel=2,
        )
    return given


def _path(conversation: str) -> str:
    return f"/conversation/{quote(conversation, safe='')}"
