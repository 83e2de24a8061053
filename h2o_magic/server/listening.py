"""Where the server listens, and the connections that it accepts there.

Uvicorn limits neither their number nor, with httptools, the time and size of a
request's head. So anyone who reaches the port could take every descriptor or all
memory, without a token.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)

from h2o_magic.errors import ConfigurationError

if sys.platform != "win32":
    import resource

_BACKLOG = 1024
_MAX_CONNECTIONS = 1000
#: Bytes of an incomplete head of a request.
_MAX_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """An address to listen on: as it was given, and as it was resolved."""

    host: str
    port: int
    family: socket.AddressFamily
    address: tuple[Any, ...]

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(_without_zone(self.address)).is_loopback

    def listen(self) -> socket.socket:
        """Listen there; on ``::`` for IPv4 as well."""
        # With the protocol named, asyncio lets its connections send each write at once.
        # Without, Nagle's algorithm holds an answer's first event back until the
        # client has acknowledged the head: some 40 ms on Linux.
        listening = socket.socket(self.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if sys.platform != "win32":  # there it would share the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            if self.family == socket.AF_INET6:
                only = 0 if self.address[0] == "::" else 1
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            listening.bind(self.address)
        except OSError as error:
            listening.close()
            raise ConfigurationError(
                f"cannot listen on port {self.port} of {self.host}: {error.strerror}; "
                "choose another, or port 0 for a free one"
            ) from error
        listening.listen(_BACKLOG)
        return listening


def resolve(host: str, port: int) -> Place:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        found = socket.getaddrinfo(bare or None, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"expected --host to be a name or address of this machine, got {host!r}: "
            f"{getattr(error, 'strerror', None) or 'not a valid name'}"
        ) from error
    # `localhost` may be both; old clients know only the IPv4 one.
    family, _, _, _, address = min(found, key=lambda f: f[0] != socket.AF_INET)
    return Place(host, port, family, address)


def url_of(listening: socket.socket) -> str:
    name = listening.getsockname()
    host, port = _without_zone(name), name[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _without_zone(address: tuple[Any, ...]) -> str:
    # An IPv6 address may have a zone, such as fe80::1%eth0.
    return str(address[0]).partition("%")[0]


def raise_limit() -> None:
    if sys.platform == "win32":
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls a limit infinite that is not
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _most_connections() -> int:
    """Return how many connections leave descriptors for weights and all else."""
    if sys.platform == "win32":
        return _MAX_CONNECTIONS
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    return _MAX_CONNECTIONS if unlimited else min(_MAX_CONNECTIONS, soft // 2)


class Connection(HttpToolsProtocol):
    """A connection that is closed when the head of a request does not come in time.

    Where there are too many, the one that has been idle longest is closed; the new one
    if none is idle.
    """

    #: Seconds for a head to come, from the connection or the head's first bytes on.
    head_seconds = 10.0

    _late: asyncio.TimerHandle | None = None
    _head_open = False
    _head_bytes = 0

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self._expect_head()
        if len(self.connections) > _most_connections():
            idle = [c for c in self.connections if isinstance(c, Connection) and c.idle]
            min(idle, key=lambda c: c.waits_until).transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._head_bytes += len(data)
        too_large = self._head_open and self._head_bytes > _MAX_HEAD
        if too_large and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")
        if not self.idle:
            self._expect_nothing()
        elif self._late is None:
            self._expect_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_open, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._head_open = False
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    @property
    def idle(self) -> bool:
        """Whether no request has a whole head and awaits its response."""
        if self.transport.is_closing():
            return False
        # Uvicorn's types do not say that there is none before the first request.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    @property
    def waits_until(self) -> float:
        """When the head is late; 0 between two requests."""
        return 0.0 if self._late is None else self._late.when()

    def _expect_head(self) -> None:
        self._late = self.loop.call_later(self.head_seconds, self._close_if_idle)

    def _expect_nothing(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close_if_idle(self) -> None:
        self._late = None
        if self.idle:
            self.transport.close()
