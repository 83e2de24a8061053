"""End a request from another thread, whatever it waits for.

HTTP libraries hide their sockets. Those of :mod:`.connections` show theirs to the
:class:`Cancellation` of the request that is made in the same context, from before they
connect; shutting it down wakes whoever waits for it. Only the lookup of a host's name
cannot be ended.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar


class Cancellation:
    """A way to end one exchange with a server from any thread.

    It serves one request at a time and may serve several in turn.
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
        mark = CURRENT.set(self)
        try:
            yield
        finally:
            CURRENT.reset(mark)

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


#: That of the request that is made in this context.
CURRENT: ContextVar[Cancellation | None] = ContextVar("CURRENT", default=None)
