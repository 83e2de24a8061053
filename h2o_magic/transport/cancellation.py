"""End a request from another thread, whatever it waits for.

HTTP libraries hide their sockets. The connections made here show theirs to the
:class:`Cancellation` of the request that is made in the same context, from before they
connect; shutting it down wakes whoever waits for it. Only the lookup of a host's name
cannot be ended.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError


class Cancellation:
    """A way to end one exchange with a server from any thread.

    It serves one request at a time and may serve several in turn.

    Attributes
    ----------
    reused : bool
        True if the connection in use had answered an earlier request.
    """

    def __init__(self) -> None:
        self.reused = False
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    @property
    def cancelled(self) -> bool:
        """True once :meth:`cancel` was called."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Wake a read that is blocked, and let no other begin."""
        self._event.set()
        self.shut_down()

    def wait(self, seconds: float) -> bool:
        """Sleep, unless cancelled; return whether it was."""
        return self._event.wait(seconds)

    def shut_down(self) -> None:
        """End the connection in use, if there is one."""
        # The method of the plain socket: that of a TLS socket first takes its
        # decryption away from under the thread that reads.
        with self._lock, suppress(OSError):
            if self._socket is not None:
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def limit(self, seconds: float) -> None:
        """Let each read of the connection in use wait at most this long."""
        with self._lock, suppress(OSError):
            if self._socket is not None:
                self._socket.settimeout(seconds)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hold the sockets of the requests made in this block."""
        self.reused = False
        mark = _current.set(self)
        try:
            yield
        finally:
            _current.reset(mark)

    def hold(self, sock: socket.socket | None, *, reused: bool) -> None:
        """Hold this socket from now on; raise `OSError` if cancelled before."""
        with self._lock:
            self._socket, self.reused = sock, reused
        if self._event.is_set():
            raise ConnectionAbortedError("cancelled")

    def release(self) -> None:
        """Let go of the socket, which belongs to another request from now on."""
        with self._lock:
            self._socket = None


_current: ContextVar[Cancellation | None] = ContextVar("_current", default=None)


class _Watched(HTTPConnection):
    _answered = False
    _handles: ExitStack

    def connect(self) -> None:
        self._answered = False
        try:
            with ExitStack() as self._handles:
                super().connect()
        finally:
            self._show(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._show(self.sock)
        super().request(*args, **kwargs)

    def getresponse(self) -> Any:
        response = super().getresponse()
        self._answered = True
        return response

    def _show(self, sock: socket.socket | None) -> None:
        if watcher := _current.get():
            watcher.hold(sock, reused=self._answered)

    def _new_conn(self) -> socket.socket:
        """Connect as urllib3 does, whose own function shows no socket before."""
        host = self._dns_host.strip("[]")
        failure = OSError("the host has no address")
        try:
            where = socket.getaddrinfo(host, self.port, 0, socket.SOCK_STREAM)
            for *kind, _, address in where:
                try:
                    return self._connected(socket.socket(*kind), address)
                except OSError as error:
                    failure = error
            raise failure
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, str(error)) from error
        finally:
            del failure  # which holds this frame, and that the connection

    def _connected(self, sock: socket.socket, address: Any) -> socket.socket:
        try:
            # Among them what turns Nagle's algorithm off: it would hold the end of a
            # request back until the server has acknowledged its beginning.
            for option in self.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(self.timeout)
            # A handle of its own: the handshake of TLS takes the socket's away.
            self._show(self._handles.enter_context(sock.dup()))
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return sock


class _WatchedTLS(_Watched, HTTPSConnection):
    pass


# Of other classes are the connections through SOCKS, which cannot be cancelled.
_WATCHED: dict[Any, type[_Watched]] = {
    HTTPConnection: _Watched,
    HTTPSConnection: _WatchedTLS,
}


class WatchedAdapter(HTTPAdapter):
    """The adapter of requests, with connections that can be cancelled."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pool of connections to a server or a proxy."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _WATCHED.get(pool.ConnectionCls, pool.ConnectionCls)
        return pool
