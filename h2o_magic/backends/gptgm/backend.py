"""Answers the session's requests by the gpt-gm protocol."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Generator, Sequence
from functools import partial

from h2o_magic.backends import ChatRequest, ModelInfo
from h2o_magic.backends.answer_stream import AnswerStream
from h2o_magic.backends.arguments import check_kind, checked_messages, one_connection
from h2o_magic.backends.gptgm.advice import explained
from h2o_magic.backends.gptgm.calls import GptGmCalls
from h2o_magic.backends.gptgm.chat import Chat
from h2o_magic.backends.gptgm.counting import count_tokens
from h2o_magic.backends.gptgm.models import list_models
from h2o_magic.backends.gptgm.seat import Question, Seat
from h2o_magic.backends.gptgm.turn import answer_events
from h2o_magic.backends.packing import first_turn_text
from h2o_magic.backends.patience import DEFAULT_PATIENCE, Patience
from h2o_magic.backends.taking_turns import in_turn
from h2o_magic.backends.telling import telling
from h2o_magic.catalogue import find_model
from h2o_magic.events import Event
from h2o_magic.messages import Message
from h2o_magic.parameters import resolve
from h2o_magic.transport import DEFAULT_TIMEOUTS, Cancellation, Endpoint, Timeouts

__all__ = ["GptGmBackend"]


class GptGmBackend:
    """A gpt-gm server, with one server conversation for each chat.

    Parameters
    ----------
    url
        The server's base URL.
    token
        Sent as ``Authorization: Bearer``.
    connection
        Instead of `url` and `token`, for a server that moves: called at the start of
        every answer, and once more when the server is not reached.
    share
        True lets the server share the conversations with the models' authors.
    timeouts
        How long to wait, in seconds.
    patience
        How often to ask a busy server again, before the first token.

    Raises
    ------
    ConfigurationError
        If there is not exactly one of `url` and `connection`, or an argument cannot
        be used.
    """

    dialect = "gpt-gm"

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        connection: Callable[[], Endpoint] | None = None,
        share: bool = False,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> None:
        check_kind("share", share, bool)
        check_kind("timeouts", timeouts, Timeouts)
        check_kind("patience", patience, Patience)
        self._connection = one_connection(url, token, connection)
        self._share = share
        self._timeouts = timeouts
        self._patience = patience
        self._lock = threading.Lock()
        self._calls: GptGmCalls | None = None
        self._chats: dict[str, Chat] = {}

    @property
    def url(self) -> str:
        """The server's address; asked for if nothing was sent to it yet."""
        calls = self._calls
        return calls.endpoint.url if calls else self._connection().url

    def stream(self, request: ChatRequest) -> AnswerStream:
        """Yield the answer as it comes, ending with one `Finished` event.

        Only the question is sent where the server still has the rest of the chat;
        otherwise its conversation is made again from the request's messages.

        Raises
        ------
        MessagesError
            At once, if the messages do not end with a question.
        MisuseError
            If this thread is still reading another answer of the same chat.
        BackendError
            If the answer does not come or breaks off; text that came is in
            ``partial``.
        """
        checked_messages(request.messages)
        cancellation = Cancellation()
        chat = self._chats.setdefault(request.chat, Chat())
        turn = self._turn(chat, request, cancellation)
        return AnswerStream(in_turn(chat, turn, cancellation), cancellation)

    def models(self) -> list[ModelInfo]:
        """Return what the server offers, or the known models if it has no list.

        Raises
        ------
        BackendError
            If the server is not reached, or refuses to answer.
        """
        calls = self._connect(False)
        with telling(partial(explained, url=calls.endpoint.url)):
            return list_models(calls)

    def model(self, name: str = "") -> ModelInfo | None:
        """Return what the server says of one model; None if nothing.

        Raises
        ------
        BackendError
            If the server is not reached, or refuses to answer.
        """
        found = self.models() if name else []  # it has no word for its best one
        return next((m for m in found if m.name == name), None)

    def count_tokens(self, model: str, messages: Sequence[Message]) -> int | None:
        """Return how many tokens the model would read of `messages`.

        Returns
        -------
        int or None
            None if the server is none of this package, which alone can count.

        Raises
        ------
        BackendError
            If the server is not reached, or cannot count these.
        """
        calls, named = self._connect(False), _model_id(model)
        with telling(partial(explained, url=calls.endpoint.url, model=named)):
            return count_tokens(calls, named, messages)

    def close(self) -> None:
        """Delete the conversations on the server, and close the idle connections."""
        with self._lock:
            chats, self._chats = self._chats, {}
            calls, self._calls = self._calls, None
        if calls is None:
            return
        for chat in chats.values():
            chat.clear(calls)
        calls.close()

    def forget(self, chat: str) -> None:
        """Delete a chat's conversations on the server, if it can be done.

        If its answer is still being read, that is done at the answer's end.
        """
        # Without the lock: it is held while a server starts.
        ended = self._chats.pop(chat, None)
        if ended is not None:
            ended.forgotten = True
            ended.clear(self._calls)

    def _turn(
        self, chat: Chat, request: ChatRequest, cancellation: Cancellation
    ) -> Generator[Event, None, None]:
        question = _question(request)
        seat = Seat(
            question,
            self._connect,
            pack=first_turn_text,
            cancellation=cancellation,
            known=chat.known,
        )
        chat.known = None  # until the server is known to have stored this turn

        def stored(answer: str) -> None:
            chat.known = seat.known_after(answer)
            chat.tidy(seat.leftovers())

        try:
            yield from answer_events(
                seat,
                question,
                patience=self._patience,
                cancellation=cancellation,
                stored=stored,
            )
        finally:
            if chat.known is None:
                chat.leftovers += [*seat.leftovers(), *seat.places[-1:]]
            if chat.forgotten:
                chat.clear(self._calls)

    def _connect(self, again: bool) -> GptGmCalls:
        with self._lock:
            endpoint = self._connection()
            calls = self._calls
            if calls is None or again or calls.endpoint != endpoint:
                if calls is not None:
                    calls.close()
                calls = GptGmCalls(endpoint, share=self._share, timeouts=self._timeouts)
                self._calls = calls
            return calls


def _question(request: ChatRequest) -> Question:
    return Question(
        model=_model_id(request.model),
        messages=request.messages,
        parameters={**resolve(request.parameters), "details": True},
        options={
            "id": str(uuid.uuid4()),
            "response_id": str(uuid.uuid4()),
            "is_retry": False,
            "use_cache": False,
            "web_search_id": "",
            **({"strict": True} if request.strict else {}),
        },
        schema=request.schema,
    )


def _model_id(name: str) -> str:
    known = find_model(name)
    return known.service_id if known else name
