"""The way to a server on this machine, by Python's own HTTP client."""

from __future__ import annotations

import contextlib
import errno
import http.client
import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from h2o_magic.transport.cancellation import Watched
from h2o_magic.transport.failures import ConnectTimeoutError
from h2o_magic.transport.ways import Answered

if TYPE_CHECKING:
    from h2o_magic.transport.cookies import Cookies

__all__ = ["LoopbackWay"]

_MOST_IDLE = 10  # connections, as requests keeps


class LoopbackWay:
    """Connections without TLS, proxies or redirects.

    Parameters
    ----------
    url
        The server's base URL.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = url
        self._host = parts.hostname or ""
        self._port = parts.port or http.client.HTTP_PORT
        self._prefix = parts.path
        self._cookies: Cookies | None = None  # most servers here have none
        self._making = threading.Lock()
        self._idle = _Idle()
        weakref.finalize(self, self._idle.end)

    def send(
        self,
        method: str,
        path: str,
        data: bytes | None,
        headers: Mapping[str, str],
        *,
        connect: float,
        first_byte: float,
    ) -> Answered:
        """Send a request, over an idle connection if there is one that lives."""
        cookie = self._cookies.header(path) if self._cookies else None
        sent = dict(headers) if cookie is None else {**headers, "Cookie": cookie}
        connection = self._connection(connect)
        try:
            connection.wait_at_most(first_byte)
            response = connection.ask(method, self._prefix + path, data, sent)
        except BaseException:
            connection.close()
            raise
        if "Set-Cookie" in response.headers:
            self._jar().take(response, path)
        body = _Body(response, connection, self._idle)
        return Answered(body, response.status, response.headers, sent)

    def keep_cookie(self, name: str, value: str) -> None:
        """Send a cookie until the server replaces it."""
        self._jar().keep(name, value)

    def close(self) -> None:
        """Close the idle connections; the cookies stay."""
        self._idle.close()

    def _jar(self) -> Cookies:
        # What it needs takes 8 ms to import, and a kernel's first answer would wait.
        from h2o_magic.transport.cookies import Cookies  # noqa: PLC0415

        with self._making:
            if self._cookies is None:
                self._cookies = Cookies(self._url)
            return self._cookies

    def _connection(self, seconds: float) -> _Connection:
        while (idle := self._idle.take()) is not None:
            if idle.lives:
                return idle
            idle.close()
        made = _Connection(self._host, self._port, timeout=seconds)
        try:
            made.connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(*error.args) from error
        return made


class _Connection(Watched, http.client.HTTPConnection):
    @property
    def lives(self) -> bool:
        """Whether the server has not closed it while it was idle."""
        if self.sock is None:
            return False
        try:
            self.sock.settimeout(0)
            self.sock.recv(1)  # nothing can come before the next request
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def ask(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> Any:  # http.client.HTTPResponse, whose headers are a mapping
        """Send a request and return the answer, which may come before its end.

        A server that refuses a large body answers, and closes what it has not read.
        """
        try:
            self.request(method, path, data, headers)
        except OSError as error:
            # macOS says EPROTOTYPE while the connection is being closed.
            if not (
                isinstance(error, ConnectionError) or error.errno == errno.EPROTOTYPE
            ):
                raise
            with contextlib.suppress(OSError, http.client.HTTPException):
                response = self.getresponse()
                response.will_close = True  # half a request is on its way there
                return response
            raise
        return self.getresponse()

    def wait_at_most(self, seconds: float) -> None:
        """Wait at most this long for each byte from now on."""
        if self.sock is not None:
            self.sock.settimeout(seconds)


class _Body:
    """An answer's body, whose connection is idle again after its end."""

    def __init__(
        self,
        response: http.client.HTTPResponse,
        connection: _Connection,
        idle: _Idle,
    ) -> None:
        self._response = response
        self._connection: _Connection | None = connection
        self._idle = idle
        self._ended = False

    def read1(self, amt: int, /) -> bytes:
        """Return some of the body; none at its end."""
        try:
            data = self._response.read1(amt)
            if not data and self._response.length:  # http.client does not look
                raise http.client.IncompleteRead(data, self._response.length)
        except BaseException:
            self.close()
            raise
        if not data:
            self._ended = True
            self.close()
        return data

    def close(self) -> None:
        """Keep the connection if the body has ended, else close it."""
        connection, self._connection = self._connection, None
        self._response.close()
        if connection is None:
            return
        if self._ended and not self._response.will_close:
            self._idle.keep(connection)
        else:
            connection.close()


class _Idle:
    """The connections that wait for a next request, as long as somebody may make one.

    Without a lock: the end may come in the midst of anything, by the garbage collector.
    """

    def __init__(self) -> None:
        self._connections: list[_Connection] = []
        self._ended = False

    def take(self, which: int = -1) -> _Connection | None:
        """Return one that is idle no longer, the last that was used."""
        try:
            return self._connections.pop(which)
        except IndexError:  # another thread may have taken it
            return None

    def keep(self, connection: _Connection) -> None:
        """Let one wait, and close the oldest if there are too many."""
        self._connections.append(connection)
        while len(self._connections) > _MOST_IDLE and (oldest := self.take(0)):
            oldest.close()
        if self._ended:
            self.close()

    def close(self) -> None:
        """Close those that wait now."""
        while (connection := self.take()) is not None:
            connection.close()

    def end(self) -> None:
        """Close them, and each that comes back later."""
        self._ended = True
        self.close()
