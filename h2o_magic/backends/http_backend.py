"""What all backends that ask over HTTP share: a server's address, which may change."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any, Generic, Protocol, TypeVar

from h2o_magic.backends.ask import AnswerStream, Question, ask
from h2o_magic.backends.base import Backend, ChatRequest, ModelInfo
from h2o_magic.backends.http import (
    DEFAULT_CONNECTIONS,
    DEFAULT_TIMEOUTS,
    Endpoint,
    Timeouts,
)
from h2o_magic.backends.retry import DEFAULT_RETRY_POLICY, RetryPolicy
from h2o_magic.chat.messages import Message, parse_messages
from h2o_magic.config.forks import in_child
from h2o_magic.errors import ConfigurationError, MessagesError, ParameterError

Messages = Iterable[Message | Mapping[str, Any]]


class _Closes(Protocol):
    def close(self) -> None: ...


_Client = TypeVar("_Client", bound=_Closes)


class HttpBackend(Backend, Generic[_Client]):
    """A server that gets the whole context with each question, over HTTP.

    `connection` returns the server's address in place of `url` and `token`, and is
    called again if the server cannot be reached.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        connection: Callable[[], Endpoint] | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        retry: RetryPolicy = DEFAULT_RETRY_POLICY,
    ) -> None:
        check_types(Timeouts, timeouts=timeouts)
        check_types(RetryPolicy, retry=retry)
        self._timeouts = timeouts
        self._retry = retry
        self._connection = _one_connection(url, token or None, connection)
        self._may_move = connection is not None
        self._for_rows = False
        self._connections = DEFAULT_CONNECTIONS
        self._renew()
        in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._current: tuple[Endpoint, _Client] | None = None

    @property
    def url(self) -> str:
        """The server's address; looked up if nothing was sent to it yet."""
        current = self._current
        return (current[0] if current else self._connection()).url

    def stream(self, request: ChatRequest) -> AnswerStream:
        """Yield the answer, ending with `Finished`; invalid messages raise at once."""
        checked_messages(request.messages)
        return ask(self._question(request), self.connect)

    def model(self, name: str = "") -> ModelInfo | None:
        found = self.models() if name else []
        return next((m for m in found if m.name == name), None)

    def for_rows(self, width: int) -> HttpBackend[_Client]:
        rows = copy(self)
        rows._for_rows, rows._connections = True, width
        rows._retry = RetryPolicy(tries=1)
        rows._renew()
        in_child(rows._renew)
        return rows

    def connect(self, lost: bool = False) -> _Client:
        """Return the server's client; a new one if `lost` and the server may move."""
        with self._lock:
            endpoint, current = self._connection(), self._current
            if current and current[0] == endpoint and not (lost and self._may_move):
                return current[1]
            if current:
                current[1].close()
            client = self._open(endpoint)
            self._current = endpoint, client
            return client

    def close(self) -> None:
        with self._lock:
            current, self._current = self._current, None
        if current is not None:
            current[1].close()

    @abstractmethod
    def _open(self, endpoint: Endpoint) -> _Client:
        """Return the client of a server; this sends nothing."""

    @abstractmethod
    def _question(self, request: ChatRequest) -> Question[_Client]:
        """Return how a request is asked."""


def check_types(kind: type, **values: object) -> None:
    # Python would take the text "false" for true.
    for name, value in values.items():
        if not isinstance(value, kind):
            raise ParameterError(f"`{name}` must be a {kind.__name__}, got {value!r}")


def checked_messages(messages: Messages) -> tuple[Message, ...]:
    if not isinstance(messages, Iterable):
        raise MessagesError(
            f"expected a list of messages, got {type(messages).__name__}"
        )
    return parse_messages(messages)


def text_items(messages: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in messages]


def _one_connection(
    url: str | None, token: str | None, connection: Callable[[], Endpoint] | None
) -> Callable[[], Endpoint]:
    if connection is None and url is not None:
        endpoint = Endpoint(url, token)
        return lambda: endpoint
    if connection is None or url is not None or token is not None:
        raise ConfigurationError("expected either a server's url, or a connection")
    if not callable(connection):
        raise ConfigurationError(f"`connection` must be callable, got {connection!r}")
    return connection
