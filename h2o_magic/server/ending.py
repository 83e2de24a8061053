"""Ending the server: by a signal, a request, or after an idle time."""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from h2o_magic.server.stopping import Stopping

_log = logging.getLogger(__name__)

_END_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Ending:
    """Ends the server; running answers have `grace` seconds to end by themselves."""

    def __init__(
        self, stopping: Stopping, grace: float, end: Callable[[], None]
    ) -> None:
        self._stopping = stopping
        self._grace = grace
        self._end = end
        self._waiting: asyncio.Task[None] | None = None
        self.begun = False

    def begin(self) -> None:
        """Accept nothing new; end once no answer is running, or the grace is over."""
        if self._grace and self._stopping.under_way:
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
            await asyncio.wait_for(self._stopping.until_empty(), self._grace)
        except asyncio.TimeoutError:
            _log.info("stopping answers", extra={"fields": self._fields()})
        self._end()

    def _fields(self) -> dict[str, float]:
        return {"under_way": self._stopping.under_way, "grace": self._grace}


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


def hold_signals() -> None:
    """Hold back the signals that end the server until something is called at them."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, _END_SIGNALS)


def call_at_signal(
    loop: asyncio.AbstractEventLoop,
    end: Callable[[], None],
    force: Callable[[int], None],
) -> None:
    """Call `end` in the event loop at the first signal, later `force` at once."""
    counter = itertools.count(1)

    def take(number: int) -> None:
        _log.info("got %s", signal.Signals(number).name)
        if next(counter) > 1:
            force(number)
        with suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(end)

    for number in _END_SIGNALS:
        signal.signal(number, lambda received, _frame: take(received))
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _END_SIGNALS)
