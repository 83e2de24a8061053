"""The signals that end the server: the first one gently, the second at once."""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ["block_end_signals", "call_at_signal"]

_log = logging.getLogger(__name__)

_END_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def block_end_signals() -> None:
    """Keep the signals that end us from every handler, for a thread to wait for them.

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
    """Call `end` in the event loop at the first signal.

    From the second on, `force` is called with the signal's number, in whatever thread,
    whether or not the loop still runs.
    """
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
