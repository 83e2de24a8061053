"""How many answers are running or waiting, and whether one more is accepted.

A model writes as many at once as it has slots. Some more may wait; after that, requests
are refused at once, to be retried later.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any, cast

#: Seconds after which a refused client may try again.
RETRY_AFTER = {"Retry-After": "5"}


class OverloadedError(Exception):
    """The queue is full."""


class Stopping:
    """Cancels the tasks that are inside :meth:`stoppable`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()


class Line:
    """Counts answers: `slots` of each model at once, `queue` more of all models."""

    def __init__(self, slots: int, queue: int) -> None:
        self._slots = slots
        self._queue = queue
        self._under_way: Counter[Hashable] = Counter()
        self.stopping = Stopping()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def under_way(self) -> int:
        return self._under_way.total()

    @contextmanager
    def place(self, model: Hashable) -> Iterator[None]:
        waiting = sum(max(0, n - self._slots) for n in self._under_way.values())
        if self._under_way[model] >= self._slots and waiting >= self._queue:
            raise OverloadedError("too many requests are waiting: try again later")
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
        await self._empty.wait()
