"""Ending the server: by a signal, a request, or after an idle time."""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from h2o_magic.server.line import Line

_log = logging.getLogger(__name__)

_END_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Ending:
    """Ends the server; running answers have `grace` seconds to end by themselves."""

    def __init__(self, line: Line, grace: float, end: Callable[[], None]) -> None:
        self._line = line
        self._grace = grace
        self._end = end
        self._waiting: asyncio.Task[None] | None = None
        self.begun = False

    def begin(self) -> None:
        """Accept nothing new; end once no answer is running, or the grace is over."""
        if self._grace and self._line.under_way:
            if not self.begun:
                _log.info("waiting for answers", extra={"fields": self._fields()})
                self._waiting = asyncio.ensure_future(self._end_later())
            self.begun = True
        else:
            self.at_once()

    def at_once(self) -> None:
        self.begun = True
        self._end()

    async def _end_later(self) -> None:
        try:
            await asyncio.wait_for(self._line.until_empty(), self._grace)
        except asyncio.TimeoutError:
            _log.info("stopping answers", extra={"fields": self._fields()})
        self._end()

    def _fields(self) -> dict[str, float]:
        return {"under_way": self._line.under_way, "grace": self._grace}


class IdleTimer:
    """Ends the server after so many idle seconds; 0 for never."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._active = 0
        self._since = time.monotonic()

    @contextmanager
    def activity(self) -> Iterator[None]:
        self._active += 1
        try:
            yield
        finally:
            self._active -= 1
            self._since = time.monotonic()

    async def run(self, end: Callable[[], None]) -> None:
        if not self._seconds:
            return
        while (left := self._left()) > 0:
            await asyncio.sleep(left)
        end()

    def _left(self) -> float:
        if self._active:
            return self._seconds
        return self._since + self._seconds - time.monotonic()


def block_end_signals() -> None:
    """Block the signals that end the server, for a thread to wait for them.

    The engine installs handlers of its own whenever it loads a model. A signal that is
    blocked in all threads (new ones inherit it) reaches none of them.
    """
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, _END_SIGNALS)


def call_at_signal(
    loop: asyncio.AbstractEventLoop,
    end: Callable[[], None],
    force: Callable[[int], None],
) -> None:
    """Call `end` in the event loop at the first signal, later `force` in any thread."""
    counter = itertools.count(1)

    def take(number: int) -> None:
        _log.info("got %s", signal.Signals(number).name)
        if next(counter) > 1:
            force(number)
        with suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(end)

    def wait() -> None:
        while True:
            take(signal.sigwait(_END_SIGNALS))

    if hasattr(signal, "sigwait"):
        threading.Thread(target=wait, name="signals", daemon=True).start()
    else:  # Windows: until a model is loaded; then the engine's handler comes first
        for number in _END_SIGNALS:
            signal.signal(number, lambda received, _frame: take(received))
