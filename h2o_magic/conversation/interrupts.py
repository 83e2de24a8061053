"""Interrupts that come where something must not be left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_Handler = Callable[[int, FrameType | None], object]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let an interrupt act only at the end of the ``with`` block.

    Interrupts come to the main thread only; in others nothing is done. Nor is it where
    another language has set what an interrupt does.
    """
    held: list[tuple[_Handler, FrameType | None]] = []
    try:
        with _handled(lambda usual, frame: held.append((usual, frame))):
            yield
    finally:
        if held:
            usual, frame = held[0]
            usual(signal.SIGINT, frame)


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Have the first interrupt call `stop`, and the next one act as ever.

    Where nothing is done, it is as for :func:`uninterrupted`.
    """

    def once(usual: _Handler, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, usual)
        stop()

    with _handled(once):
        yield


@contextmanager
def _handled(
    handle: Callable[[_Handler, FrameType | None], object],
) -> Iterator[None]:
    """Have interrupts call `handle`, with what handles them otherwise."""
    main = threading.current_thread() is threading.main_thread()
    usual = signal.getsignal(signal.SIGINT) if main else None
    if not callable(usual):
        yield
        return
    signal.signal(signal.SIGINT, lambda _number, frame: handle(usual, frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
