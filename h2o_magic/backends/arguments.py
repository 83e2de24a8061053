"""Checks of what a caller gives a backend, before anything is sent.

Python would take the text ``"false"`` for true, and a number for a text that is only
missed much later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from h2o_magic.chat.messages import Message, parse_messages
from h2o_magic.config.url import Endpoint
from h2o_magic.errors import ConfigurationError, MessagesError, ParameterError

Messages = Iterable[Message | Mapping[str, Any]]


def check_kind(name: str, value: object, kind: type) -> None:
    """Refuse a value of another type."""
    if not isinstance(value, kind):
        raise ParameterError(f"`{name}` must be a {kind.__name__}, got {value!r}")


def check_kinds(kind: type, **values: object) -> None:
    """Refuse the first of the named values that is no `kind`, as :func:`check_kind`."""
    for name, value in values.items():
        check_kind(name, value, kind)


def checked_messages(messages: Messages) -> tuple[Message, ...]:
    """Return chat messages as values, as :func:`parse_messages` does."""
    if not isinstance(messages, Iterable):
        raise MessagesError(
            f"expected a list of messages, got {type(messages).__name__}"
        )
    return parse_messages(messages)


def one_connection(
    url: str | None, token: str | None, connection: Callable[[], Endpoint] | None
) -> Callable[[], Endpoint]:
    """Return what says where the server is, of the one way that was given."""
    if connection is None and url is not None:
        endpoint = Endpoint(url, token)
        return lambda: endpoint
    if connection is None or url is not None or token is not None:
        raise ConfigurationError("give a server's url and token, or a connection")
    if not callable(connection):
        raise ConfigurationError(f"`connection` must be callable, got {connection!r}")
    return connection
