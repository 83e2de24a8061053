"""Connections of urllib3 that any thread can end, and that join waiting chunks.

HTTP libraries hide their sockets. These hand theirs to the :class:`Cancellation` of the
request that is made in the same context, before they connect: shutting it down wakes
whoever waits for it. Only the lookup of a host's name cannot be ended.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from h2o_magic.config.forks import in_child

# The end of a chunk and the size of the next; any other form is left to http.client.
_NEXT_CHUNK = re.compile(rb"\r\n([0-9a-fA-F]{1,8})\r\n")

_CURRENT: ContextVar[Cancellation | None] = ContextVar("_CURRENT", default=None)
# Of our requests, urllib3 would print headers that it cannot read, which may hold the
# key, into the cell.
logging.getLogger("urllib3.connection").addFilter(lambda _: _CURRENT.get() is None)


class Cancellation:
    """Ends one exchange with a server from any thread: one request after another."""

    def __init__(self) -> None:
        self.inherited = False  # True in a fork, where the exchange is the parent's
        self.reused = False
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        in_child(self._renew)

    def _renew(self) -> None:
        self.inherited = True
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._socket = None  # shutting it down would end the parent's connection

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def cancel(self) -> None:
        self._event.set()
        self.shut_down()

    def wait(self, seconds: float) -> bool:
        """Sleep, unless cancelled; return whether it was."""
        return self._event.wait(seconds)

    def shut_down(self) -> None:
        # The method of the plain socket: that of a TLS socket first takes its
        # decryption away from under the thread that reads.
        with self._lock, suppress(OSError):
            if self._socket is not None:
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def limit(self, seconds: float) -> None:
        with self._lock, suppress(OSError):
            if self._socket is not None:
                self._socket.settimeout(seconds)

    @contextmanager
    def watch_requests(self) -> Iterator[None]:
        """Hold the sockets of the requests made in this block."""
        self.reused = False
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)

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


class _JoinedChunks(HTTPResponse):
    """Returns all chunks received at once: servers send one for each token."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._socket_in_use = sock

    def begin(self) -> None:
        if self.fp.peek(1) and (cancellation := _CURRENT.get()):
            cancellation.reused = False  # it has begun to answer: nothing is sent again
        super().begin()

    def read1(self, n: int = -1) -> bytes:
        data = super().read1(n)
        if not (data and self.chunked and self.chunk_left == 0):
            return data
        received = self._received()
        pieces, position = [data], 0
        while head := _NEXT_CHUNK.match(received, position):
            start = head.end()
            end = start + int(head[1], 16)
            if not start < end <= len(received):
                break
            pieces.append(received[start:end])
            position = end
        self.fp.read(position)
        return b"".join(pieces)

    def _received(self) -> bytes:
        """Return what has been received of the rest, without waiting or consuming."""
        wait = self._socket_in_use.gettimeout()
        try:
            self._socket_in_use.settimeout(0)
            return self.fp.peek(1)
        except OSError:  # with TLS: nothing there; the next read raises others
            return b""
        finally:
            with suppress(OSError):
                self._socket_in_use.settimeout(wait)


class _Cancellable(HTTPConnection):
    response_class = _JoinedChunks
    _used = False
    _unsent: list[bytes] | None = None
    _handles: ExitStack

    def connect(self) -> None:
        self._used = False
        try:
            with ExitStack() as self._handles:
                super().connect()
        finally:
            self._register(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._register(self.sock)
        unsent: list[bytes] = []  # head and body travel together
        self._unsent = unsent
        try:
            super().request(*args, **kwargs)
        finally:
            self._unsent = None
        super().send(b"".join(unsent))

    def send(self, data: Any) -> None:
        if self._unsent is None:
            super().send(data)
        else:
            self._unsent.append(data)

    def getresponse(self) -> Any:
        response = super().getresponse()
        self._used = True
        return response

    def _register(self, sock: socket.socket | None) -> None:
        if cancellation := _CURRENT.get():
            cancellation.hold(sock, reused=self._used)

    def _new_conn(self) -> socket.socket:
        """Connect as urllib3 does, which does not expose the socket before."""
        host = self._dns_host.strip("[]")
        failure = OSError("the host has no address")
        try:
            where = socket.getaddrinfo(host, self.port, 0, socket.SOCK_STREAM)
            for *kind, _, address in where:
                try:
                    return self._open_socket(socket.socket(*kind), address)
                except OSError as error:
                    failure = error
            raise failure
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, str(error)) from error
        finally:
            del failure  # which holds this frame, and that the connection

    def _open_socket(self, sock: socket.socket, address: Any) -> socket.socket:
        try:
            # Among them what turns Nagle's algorithm off: it would hold the end of a
            # request back until the server has acknowledged its beginning.
            for option in self.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(self.timeout)
            # A handle of its own: the handshake of TLS takes the socket's away.
            self._register(self._handles.enter_context(sock.dup()))
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return sock


class _CancellableTLS(_Cancellable, HTTPSConnection):
    pass


# Connections through SOCKS are of other classes, and cannot be cancelled.
_CANCELLABLE: dict[Any, type[_Cancellable]] = {
    HTTPConnection: _Cancellable,
    HTTPSConnection: _CancellableTLS,
}


class CancellableAdapter(HTTPAdapter):
    """The adapter of requests for one server, whose connections can be cancelled."""

    _pool: tuple[object, Any] | None = None

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        key = verify, proxies, cert
        if (found := self._pool) is None or found[0] != key:
            pool: Any = super().get_connection_with_tls_context(request, *key)
            pool.ConnectionCls = _CANCELLABLE.get(
                pool.ConnectionCls, pool.ConnectionCls
            )
            found = self._pool = key, pool
        return found[1]

    def close(self) -> None:
        self._pool = None
        super().close()
