"""How many answers are under way, and whether one more may come.

A model writes as many at once as it has slots. Some more may wait; who comes after
that is sent away at once, to come again later, instead of waiting without end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any, cast

#: What those who are sent away are told: seconds until they may come again.
RETRY_AFTER = {"Retry-After": "5"}


class OverloadedError(Exception):
    """There is no place left in the line."""


class Stopping:
    """Tasks that somebody else can cancel: those inside :meth:`stoppable` now."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Let :meth:`stop` cancel the current task inside the block."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    def stop(self) -> None:
        """Cancel them all."""
        for task in list(self._tasks):
            task.cancel()


class Line:
    """Counts answers from the request to their end.

    `slots` answers are written by each model at once; `queue` more may wait, for all
    models together. `stopping` ends those that are under way.
    """

    def __init__(self, slots: int, queue: int) -> None:
        self._slots = slots
        self._queue = queue
        self._under_way: Counter[Hashable] = Counter()
        self.stopping = Stopping()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def under_way(self) -> int:
        """How many answers are being written or waited for."""
        return self._under_way.total()

    @contextmanager
    def place(self, model: Hashable) -> Iterator[None]:
        """Hold a place for an answer of `model` inside the block."""
        waiting = sum(max(0, n - self._slots) for n in self._under_way.values())
        if self._under_way[model] >= self._slots and waiting >= self._queue:
            raise OverloadedError(
                "too many answers are being waited for: ask again in a while"
            )
        self._under_way[model] += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._under_way[model] -= 1
            self._under_way += Counter()  # drops the zeros
            if not self.under_way:
                self._empty.set()

    async def until_empty(self) -> None:
        """Wait until no answer is under way."""
        await self._empty.wait()
