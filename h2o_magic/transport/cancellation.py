"""Hold on to the socket that a request uses, so that another thread can end the wait.

HTTP libraries hide their sockets. A connection that is :class:`Watched` hands each
socket, as it is used, to the :class:`Cancellation` of the request that is made in the
same context.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from h2o_magic.transport.response import BlockResponse

__all__ = ["Cancellation", "Watched"]


class Cancellation:
    """A way to end one exchange with a server from any thread.

    It serves one request at a time and may serve several in turn.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._reused = False

    @property
    def cancelled(self) -> bool:
        """True once :meth:`cancel` was called."""
        return self._event.is_set()

    @property
    def reused(self) -> bool:
        """True if the connection in use had answered an earlier request."""
        return self._reused

    def cancel(self) -> None:
        """Wake a read that is blocked, and let no other begin."""
        with self._lock:
            self._event.set()
            self._shut_down()

    def shut_down(self) -> None:
        """End the connection in use, if there is one."""
        with self._lock:
            self._shut_down()

    def wait(self, seconds: float) -> bool:
        """Sleep, unless cancelled; return whether it was."""
        return self._event.wait(seconds)

    def limit(self, seconds: float) -> None:
        """Let each read of the connection in use wait at most this long."""
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.settimeout(seconds)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Hold the sockets of the requests made in this block."""
        self._reused = False
        mark = _current.set(self)
        try:
            yield
        finally:
            _current.reset(mark)

    def release(self) -> None:
        """Let go of the socket, which belongs to another request from now on."""
        with self._lock:
            self._socket = None

    def _hold(self, sock: socket.socket | None, *, reused: bool) -> None:
        with self._lock:
            self._socket, self._reused = sock, reused
            if self._event.is_set():
                self._shut_down()

    def _shut_down(self) -> None:
        # The method of the plain socket: that of a TLS socket first takes its
        # decryption away from under the thread that reads.
        with contextlib.suppress(OSError, TypeError):
            if self._socket is not None:
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


_current: ContextVar[Cancellation | None] = ContextVar("_current", default=None)


class Watched:
    """A connection that shows its socket before it waits for an answer.

    To be put before the connection of :mod:`http.client`, or one made from it.
    """

    response_class: Any = BlockResponse
    sock: socket.socket | None
    answered = False

    def connect(self) -> None:
        """Connect anew."""
        self.answered = False
        super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request."""
        self._show()
        super().request(*args, **kwargs)  # type: ignore[misc]

    def getresponse(self) -> Any:
        """Wait for the head of the answer."""
        self._show()
        response = super().getresponse()  # type: ignore[misc]
        self.answered = True
        return response

    def _show(self) -> None:
        watcher = _current.get()
        if watcher is not None:
            watcher._hold(self.sock, reused=self.answered)
