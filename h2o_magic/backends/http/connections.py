"""The connections of urllib3, but watched, and with chunks that come together."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack, suppress
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from h2o_magic.backends.http.cancellation import CURRENT

# The end of a chunk and the size of the next, as plain as servers send it; what is
# less plain is left for http.client.
_NEXT_CHUNK = re.compile(rb"\r\n([0-9a-fA-F]{1,8})\r\n")


class _Blocks(HTTPResponse):
    """Returns all chunks that are there at once, not one at a time.

    Servers send each token of an answer as a chunk of its own, and what reads an
    answer does much for each piece.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._its_socket = sock

    def read1(self, n: int = -1) -> bytes:
        """Return some of the body, about `n` bytes at most; none at its end."""
        data = super().read1(n)
        if not (data and self.chunked and self.chunk_left == 0):
            return data
        there = self._there()
        pieces, place = [data], 0
        while head := _NEXT_CHUNK.match(there, place):
            start = head.end()
            end = start + int(head[1], 16)
            if not start < end <= len(there):
                break
            pieces.append(there[start:end])
            place = end
        self.fp.read(place)
        return b"".join(pieces)

    def _there(self) -> bytes:
        """Return what has come of the rest, without waiting and without taking it."""
        wait = self._its_socket.gettimeout()
        try:
            self._its_socket.settimeout(0)
            return self.fp.peek(1)
        except OSError:  # TLS says so that nothing is there; the next read tells others
            return b""
        finally:
            with suppress(OSError):
                self._its_socket.settimeout(wait)


class _Watched(HTTPConnection):
    response_class = _Blocks
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
        if watcher := CURRENT.get():
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
