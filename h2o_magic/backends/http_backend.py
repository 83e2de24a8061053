"""What all backends that ask over HTTP share: the way to a server, which may move."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from h2o_magic.backends.arguments import check_kind, checked_messages, one_connection
from h2o_magic.backends.ask import Question, ask
from h2o_magic.backends.base import ChatRequest, ModelInfo
from h2o_magic.backends.http import DEFAULT_TIMEOUTS, Endpoint, Timeouts
from h2o_magic.backends.retry import DEFAULT_PATIENCE, Patience
from h2o_magic.backends.stream import AnswerStream


class _Closes(Protocol):
    def close(self) -> None: ...


_Calls = TypeVar("_Calls", bound=_Closes)


class HttpBackend(ABC, Generic[_Calls]):
    """A server that is told the whole context with each question, over HTTP."""

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        connection: Callable[[], Endpoint] | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> None:
        check_kind("timeouts", timeouts, Timeouts)
        check_kind("patience", patience, Patience)
        self._timeouts = timeouts
        self._patience = patience
        self._connection = one_connection(url, token or None, connection)
        self._moves = connection is not None
        self._lock = threading.Lock()
        self._current: tuple[Endpoint, _Calls] | None = None

    @property
    def url(self) -> str:
        """The server's address; asked for if nothing was sent to it yet."""
        current = self._current
        return (current[0] if current else self._connection()).url

    def stream(self, request: ChatRequest) -> AnswerStream:
        """Yield the answer as it comes, ending with one `Finished` event.

        Closing the iterator, from any thread, stops the server's work on the answer.

        Raises
        ------
        MessagesError
            At once, if the messages do not end with a question.
        ParameterError
            If the server cannot be told a parameter that somebody set; the question
            is not sent then.
        BackendError
            If the answer does not come or breaks off; text that came is in
            ``partial``.
        """
        checked_messages(request.messages)
        return ask(self._question(request), self.connect)

    @abstractmethod
    def models(self) -> list[ModelInfo]:
        """Return what the server offers.

        Raises
        ------
        BackendError
            If it does not say.
        """

    def model(self, name: str = "") -> ModelInfo | None:
        """Return what the server says of one model; None if nothing.

        Parameters
        ----------
        name
            The model's name; empty for the one that answers where nobody chose one,
            which only servers of this package tell.

        Raises
        ------
        BackendError
            If it is not reached, or does not say what it offers.
        """
        found = self.models() if name else []
        return next((m for m in found if m.name == name), None)

    def connect(self, lost: bool = False) -> _Calls:
        """Return the way to the server; `lost` if the last one led to nobody."""
        with self._lock:
            endpoint, current = self._connection(), self._current
            if current and current[0] == endpoint and not (lost and self._moves):
                return current[1]
            if current:
                current[1].close()
            calls = self._open(endpoint)
            self._current = endpoint, calls
            return calls

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            current, self._current = self._current, None
        if current is not None:
            current[1].close()

    @abstractmethod
    def _open(self, endpoint: Endpoint) -> _Calls:
        """Return the calls to a server; nothing is sent for that."""

    @abstractmethod
    def _question(self, request: ChatRequest) -> Question[_Calls]:
        """Return how a request is asked."""
