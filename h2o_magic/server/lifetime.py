"""Ends the server when nobody has asked it anything for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["IdleTimer"]


class IdleTimer:
    """Measures how long the server has had nothing to do.

    Parameters
    ----------
    seconds
        How long that may last; 0 for ever.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._active = 0
        self._since = time.monotonic()

    @contextmanager
    def activity(self) -> Iterator[None]:
        """Count as busy inside the block, however long that takes."""
        self._active += 1
        try:
            yield
        finally:
            self._active -= 1
            self._since = time.monotonic()

    async def run(self, end: Callable[[], None]) -> None:
        """Call `end` once, when the server has been idle for long enough."""
        if not self._seconds:
            return
        while (left := self._left()) > 0:
            await asyncio.sleep(left)
        end()

    def _left(self) -> float:
        if self._active:
            return self._seconds
        return self._since + self._seconds - time.monotonic()
