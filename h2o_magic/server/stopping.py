"""Tasks that somebody else can cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

__all__ = ["Stopping"]


class Stopping:
    """The tasks that are inside :meth:`stoppable` now."""

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
