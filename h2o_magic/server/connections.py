"""Where the server listens, and the connections that it accepts there.

aiohttp limits the size of a request's head, but neither the number of connections nor
the time that a head takes. So anyone who reaches the port could take every descriptor,
without a token.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from h2o_magic.config.url import is_loopback
from h2o_magic.errors import ConfigurationError
from h2o_magic.server.errors import RequestError

if sys.platform != "win32":
    import resource

_log = logging.getLogger(__name__)

_BACKLOG = 1024
_MAX_CONNECTIONS = 1000
#: Seconds for a head to come, from the connection or the head's first bytes on.
_HEAD_SECONDS = 10.0
#: Seconds without a request after which a connection is closed.
_KEEP_SECONDS = 75.0
#: Seconds for the rest of a body that was refused.
_LINGER_SECONDS = 3.0
#: Seconds in which a client that does not read must take some of what is sent.
_READ_SECONDS = 60.0
#: Seconds between two looks for a client that will send no more.
_PROBE_SECONDS = 0.1
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
#: A comment of server-sent events, as a chunk of HTTP.
_COMMENT = b"3\r\n:\n\n\r\n"


@dataclass(frozen=True, slots=True)
class ListeningAddress:
    """An address to listen on: as it was given, and as it was resolved."""

    host: str
    port: int
    family: socket.AddressFamily
    address: tuple[Any, ...]

    @property
    def is_loopback(self) -> bool:
        return is_loopback(_without_zone(self.address))

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


def resolve(host: str, port: int) -> ListeningAddress:
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
    return ListeningAddress(host, port, family, address)


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


class Connection(web.RequestHandler):
    """A connection of which a head must come in time, and which must be read from.

    Where there are too many, the one that has been idle longest is closed; the new one
    if none is idle.

    A client that has closed its sending half may still read, or be gone altogether. Its
    end of file does not say which, but bytes sent to one that is gone are rejected. So
    such a client is sent interim responses, or comments where a stream has begun.
    """

    #: Whether a stream has begun, and what was sent of it last ended an event.
    streams = between_events = False

    _answered = 0  # requests
    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _probe: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._expect_head()
        manager = self._manager
        if manager is not None and len(manager.connections) > _most_connections():
            known = [c for c in manager.connections if isinstance(c, Connection)]
            _close_longest_idle([c for c in known if c.is_open], self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.idle:
            self._cancel("_late")
        elif self._late is None:
            self._expect_head()

    async def _handle_request(self, *args: Any) -> Any:
        try:
            return await super()._handle_request(*args)
        finally:
            self._answered += 1

    def eof_received(self) -> bool:  # type: ignore[override] # as asyncio has it
        self._look()
        return True  # it may still read

    def connection_lost(self, exc: BaseException | None) -> None:
        for timer in ("_late", "_unread", "_probe"):
            self._cancel(timer)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self._loop.call_later(_READ_SECONDS, self.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel("_unread")

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or what the application failed at, in our words."""
        super().handle_error(request, status, exc, message)  # which logs it
        words = "expected a request of HTTP/1.1 with a head of 8 KB a field at most"
        error = RequestError(words if status < 500 else "Internal Error", status)
        response = error.response("")
        response.headers["Server"] = "h2o_magic"
        response.force_close()
        return response

    @property
    def is_open(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    @property
    def idle(self) -> bool:
        """Whether no request has a whole head and awaits its response."""
        return self._request_count == self._answered

    @property
    def waits_until(self) -> float:
        """When the head is late; 0 between two requests."""
        return 0.0 if self._late is None else self._late.when()

    def _look(self) -> None:
        """Send something to a client whose end of file has come, and again later."""
        self._probe, request = None, self._current_request
        if self.transport is None:
            return
        is_cut = request is not None and not request.content.is_eof()
        if is_cut or self.idle:
            self.transport.close()
            return
        interim = request is not None and request.version >= (1, 1)
        if interim and not self.writing_paused:
            if not self.streams:
                self.transport.write(_CONTINUE)
            elif self.between_events:
                self.transport.write(_COMMENT)
        self._probe = self._loop.call_later(_PROBE_SECONDS, self._look)

    def _expect_head(self) -> None:
        self._late = self._loop.call_later(_HEAD_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._late = None
        if self.idle and self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _cancel(self, timer: str) -> None:
        handle: asyncio.TimerHandle | None = getattr(self, timer)
        if handle is not None:
            handle.cancel()
            setattr(self, timer, None)


def _close_longest_idle(opened: list[Connection], newest: Connection) -> None:
    if len(opened) > _most_connections():
        idle = [connection for connection in opened if connection.idle]
        min(idle, key=lambda c: c.waits_until, default=newest).abort()


async def listen(
    runner: web.AppRunner, listening: socket.socket
) -> asyncio.base_events.Server:
    """Serve an application, which was set up, on a socket."""
    server, loop = runner.server, asyncio.get_running_loop()
    if server is None:
        raise RuntimeError("the runner was not set up")

    def connection() -> Connection:
        return Connection(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type] # None is for no log
            logger=_log,
            keepalive_timeout=_KEEP_SECONDS,
            lingering_time=_LINGER_SECONDS,
        )

    return await loop.create_server(connection, sock=listening, backlog=_BACKLOG)
