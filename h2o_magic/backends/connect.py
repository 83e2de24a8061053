"""From a server's dialect, address and key to the backend that speaks with it."""

from __future__ import annotations

from collections.abc import Callable

from h2o_magic.backends import Backend

__all__ = ["connect", "local"]


def connect(dialect: str, url: str, token: str | None = None) -> Backend:
    """Return a backend for a server; nothing is sent before it is used.

    Parameters
    ----------
    dialect
        A name in :data:`~h2o_magic.backends.dialects.DIALECTS`.
    url
        The server's address.
    token
        Its key, if it wants one.

    Raises
    ------
    ConfigurationError
        If the address or the key cannot be used.
    """
    return _BACKENDS[dialect](url, token)


def local(idle_minutes: Callable[[], float | None] = lambda: None) -> Backend:
    """Return a backend for this user's local server, which is started by need.

    Parameters
    ----------
    idle_minutes
        Returns how long a server that is started then waits for a request before it
        ends, as :func:`h2o_magic.embedded.locate` takes it.
    """
    from h2o_magic.backends.openai import OpenAIBackend  # noqa: PLC0415
    from h2o_magic.embedded import locate  # noqa: PLC0415

    return OpenAIBackend(connection=lambda: locate(idle_minutes()))


def _gptgm(url: str, token: str | None) -> Backend:
    from h2o_magic.backends.gptgm import GptGmBackend  # noqa: PLC0415

    return GptGmBackend(url, token=token)


def _chatui(url: str, token: str | None) -> Backend:
    from h2o_magic.backends.chatui import ChatUIBackend  # noqa: PLC0415

    return ChatUIBackend(url, token=token)


def _openai(url: str, token: str | None) -> Backend:
    from h2o_magic.backends.openai import OpenAIBackend  # noqa: PLC0415

    return OpenAIBackend(url, token=token)


_BACKENDS: dict[str, Callable[[str, str | None], Backend]] = {
    "gpt-gm": _gptgm,
    "chat-ui": _chatui,
    "openai": _openai,
}
