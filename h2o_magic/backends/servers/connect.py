"""Reaching one server: what it is, whether it takes the key, and what it offers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from h2o_magic.backends import registry
from h2o_magic.backends.base import Backend, ModelInfo
from h2o_magic.backends.servers.credentials import NO_KEY
from h2o_magic.backends.servers.known import KnownServer
from h2o_magic.config.url import Endpoint
from h2o_magic.errors import ConfigurationError, ProtocolError, StatusError

if TYPE_CHECKING:
    from h2o_magic.backends.detect import Found

#: Statuses with which a server wants a key, or another one.
REFUSED = (401, 403)

#: Makes a backend of a dialect, an address and a key.
Make = Callable[[str, str, str | None], Backend]


@dataclass(frozen=True, slots=True)
class Reached:
    """A server that was reached."""

    server: KnownServer
    backend: Backend
    models: tuple[ModelInfo, ...] | None
    what: str
    how: str = ""
    engine: str = ""
    formerly: str = ""
    problem: str = ""


def reached(
    server: KnownServer, token: str | None, make: Make, *, forced: bool = False
) -> Reached:
    """Reach a server.

    If a known one gives no list of models, another server may have taken its address:
    it is found out anew.

    Parameters
    ----------
    server
        What is known of it; without a dialect it is found out.
    token
        Its key; None if it needs none.
    make
        Makes the way to it.
    forced
        True if its dialect is what the user says, and must not be another than it is
        found to speak.

    Raises
    ------
    ConfigurationError
        If it was found to speak something else than the user says, or nothing that is
        supported.
    BackendError
        If it does not answer, or refuses the key.
    """
    what, how, engine = registry.label(server.dialect), "", ""
    listed = sure = forced
    if not server.dialect:
        server, found = looked_at(server, token)
        what, how, engine, sure = found.kind, found.how, found.engine, True
    elif forced:
        listed = _agreed(server, token)
    backend = make(server.dialect, server.url, token)
    try:
        models = _models_of(backend, server)
    except BaseException:
        backend.close()
        raise
    if forced and not listed and server.dialect == "gpt-gm":
        models = None  # those are the known ones, which the server never named
    if models is None and not sure and registry.find(server.dialect).probes:
        with suppress(ProtocolError):  # then it is what it was, without a list
            other = reached(replace(server, dialect=""), token, make)
            backend.close()
            return other
    return Reached(server, backend, models, what, how, engine)


def looked_at(server: KnownServer, token: str | None) -> tuple[KnownServer, Found]:
    """Find out a server's dialect."""
    from h2o_magic.backends.detect import detect  # noqa: PLC0415

    found = detect(Endpoint(server.url, token))
    if found.refused:
        raise _refusal(found.kind, server, 401)
    return replace(server, dialect=found.dialect), found


def _agreed(server: KnownServer, token: str | None) -> bool:
    """Return whether a server was found to speak what it is said to speak."""
    from h2o_magic.backends.detect import detect  # noqa: PLC0415

    if not registry.find(server.dialect).probes:
        return True  # it cannot be recognised
    try:
        found = detect(Endpoint(server.url, token), expected=server.dialect)
    except ProtocolError:
        return False  # it may be one that shows no list
    # A server of this package speaks two, and has them at one address.
    both = found.engine == "h2o_magic" and server.dialect in ("gpt-gm", "openai")
    if found.dialect != server.dialect and not both:
        raise ConfigurationError(
            f"expected a server that speaks {server.dialect} at {server.url}, found "
            f"{found} ({found.how}): leave `--dialect` out, or name {found.dialect}"
        )
    return True


def _models_of(backend: Backend, server: KnownServer) -> tuple[ModelInfo, ...] | None:
    """Return a server's models; None if it has no list of them."""
    try:
        return tuple(backend.models())
    except ProtocolError:
        return None
    except StatusError as error:
        if error.status in REFUSED:
            raise _refusal(
                registry.label(server.dialect), server, error.status
            ) from None
        if error.status in (404, 405, 501):
            return None
        raise


def _refusal(what: str, server: KnownServer, status: int) -> StatusError:
    """Return the error for a server that does not take the key, or wants one."""
    if server.key == NO_KEY:
        said = "wants a key: name the variable that it is in, as in"
    else:
        said = f"refuses the key ({server.key}): check it, or name another, as in"
    return StatusError(
        f"{what} at {server.url} {said} `%h2o connect {server.url} --key-env VAR`",
        status=status,
    )
