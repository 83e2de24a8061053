"""Servers that run HuggingFace chat-ui of 2024 to 2026."""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence

from h2o_magic.backends import ChatRequest, ModelInfo
from h2o_magic.backends.answer_stream import AnswerStream
from h2o_magic.backends.arguments import check_kind, checked_messages
from h2o_magic.backends.chatui.calls import ChatUICalls
from h2o_magic.backends.chatui.chat import Chat
from h2o_magic.backends.chatui.models import list_models
from h2o_magic.backends.chatui.seat import Question, Seat
from h2o_magic.backends.chatui.token import Credential
from h2o_magic.backends.chatui.turn import Turn
from h2o_magic.backends.patience import DEFAULT_PATIENCE, Patience
from h2o_magic.backends.taking_turns import in_turn
from h2o_magic.errors import ParameterError
from h2o_magic.events import Event, Finished
from h2o_magic.messages import Message
from h2o_magic.transport import DEFAULT_TIMEOUTS, Cancellation, Timeouts

__all__ = ["ChatUIBackend"]


class ChatUIBackend:
    """A chat-ui server, with one server conversation for each chat.

    Chat-ui takes no generation parameters and no JSON schema: the model's settings on
    the server decide.

    Parameters
    ----------
    url
        The server's base URL.
    token
        For a server with a login: the cookie of a session that a browser has logged
        in, in the form ``name=value`` (``hf-chat=...``). In any other form it is sent
        as ``Authorization: Bearer``, which chat-ui itself takes on ``/api`` only, but
        what stands before it may ask for.
    timeouts
        How long to wait, in seconds. `first_byte` also is the longest time that an
        answer may not get on while the server says that it is alive.
    patience
        How often to ask a busy server again, before the first token.

    Raises
    ------
    ConfigurationError
        If an argument cannot be used.
    """

    #: The protocol, by the name under which users know it.
    dialect = "chat-ui"

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> None:
        check_kind("timeouts", timeouts, Timeouts)
        check_kind("patience", patience, Patience)
        self._calls = ChatUICalls(url, Credential.of(token), timeouts=timeouts)
        self._timeouts = timeouts
        self._patience = patience
        self._chats: dict[str, Chat] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    @property
    def url(self) -> str:
        """The server's address."""
        return self._calls.url

    def stream(self, request: ChatRequest) -> AnswerStream:
        """Yield the answer as it comes, ending with one `Finished` event.

        Only the question is sent where the server has the rest of the chat.

        Raises
        ------
        MessagesError
            At once, if the messages do not end with a question.
        ParameterError
            At once, if a generation parameter was set.
        MisuseError
            If this thread is still reading another answer of the same chat.
        BackendError
            If the answer does not come or breaks off; text that came is in
            ``partial``.
        """
        checked_messages(request.messages)
        _refuse_parameters(request.parameters)
        cancellation = Cancellation()
        chat = self._chats.setdefault(request.chat, Chat())
        turn = self._turn(chat, request, cancellation)
        return AnswerStream(in_turn(chat, turn, cancellation), cancellation)

    def models(self) -> list[ModelInfo]:
        """Return what the server offers.

        Raises
        ------
        BackendError
            If the server is not reached, or does not say.
        """
        return list_models(self._calls)

    def model(self, name: str = "") -> ModelInfo | None:
        """Return what the server says of one model; None if nothing.

        Raises
        ------
        BackendError
            If the server is not reached, or refuses to answer.
        """
        found = self.models() if name else []  # it has no word for its best one
        return next((m for m in found if m.name == name), None)

    def count_tokens(self, model: str, messages: Sequence[Message]) -> int | None:  # noqa: ARG002
        """Return None: a chat-ui cannot count tokens."""
        return None

    def forget(self, chat: str) -> None:
        """Delete a chat's conversations on the server, if it can be done.

        If its answer is still being read, that is done at the answer's end.
        """
        ended = self._chats.pop(chat, None)
        if ended is not None:
            ended.forgotten = True
            ended.clear(self._calls)

    def close(self) -> None:
        """Delete the conversations on the server, and close the idle connections."""
        for chat in list(self._chats):
            self.forget(chat)
        self._calls.close()

    def _turn(
        self, chat: Chat, request: ChatRequest, cancellation: Cancellation
    ) -> Generator[Event, None, None]:
        question = Question(request.model, request.messages)
        seat = Seat(question, self._calls, cancellation, chat.tree)
        chat.tree = None
        finished = False
        turn = Turn(
            seat,
            self._calls,
            model=request.model,
            patience=self._patience,
            longest_silence=self._timeouts.first_byte,
            cancellation=cancellation,
        )
        events = turn.events()
        try:
            for event in events:
                finished = isinstance(event, Finished)
                yield event
        finally:
            events.close()
            chat.end_turn(seat, self._calls, tidy=finished)


def _refuse_parameters(parameters: Collection[str]) -> None:
    if parameters:
        names = ", ".join(f"`{name}`" for name in sorted(parameters))
        raise ParameterError(
            f"a chat-ui server takes no generation parameters, got {names}: leave that "
            "out, set it to None where it is a setting, or ask a server of another kind"
        )
