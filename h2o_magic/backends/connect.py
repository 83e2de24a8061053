"""From a server's address to the backend that speaks with it."""

from __future__ import annotations

from h2o_magic.backends import Backend

__all__ = ["connect"]


def connect(server: str = "") -> Backend:
    """Return a backend for a server; nothing is sent before it is used.

    Parameters
    ----------
    server
        Address of a server that speaks the gpt-gm protocol; empty for the local one,
        which is started by need.

    Raises
    ------
    ConfigurationError
        If the address cannot be used.
    """
    from h2o_magic.backends.gptgm import GptGmBackend  # noqa: PLC0415

    if server:
        return GptGmBackend(server)
    from h2o_magic.embedded import locate  # noqa: PLC0415

    return GptGmBackend(connection=locate)
