"""Answers that can be stopped: by their clients, or all by the server's end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from h2o_magic.server.errors import RequestError
from h2o_magic.server.request_queue import RETRY_AFTER

_T = TypeVar("_T")


class StoppedError(RequestError):
    """The answer was stopped, and is incomplete."""


class Stopping:
    """Runs answers as tasks that can be stopped."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopped: set[asyncio.Task[Any]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def under_way(self) -> int:
        return len(self._tasks)

    async def run(self, answer: Coroutine[Any, Any, _T]) -> _T:
        """Return what `answer` does; raises StoppedError if it was stopped."""
        task = asyncio.ensure_future(answer)
        self._tasks.add(task)
        self._empty.clear()
        try:
            return await task
        except asyncio.CancelledError:
            if task not in self._stopped:  # the client has gone away
                raise
            raise StoppedError(
                "the server is shutting down, and the answer is incomplete: try again "
                "later",
                503,
                code="server_ending",
                headers=RETRY_AFTER,
            ) from None
        finally:
            self._tasks.discard(task)
            self._stopped.discard(task)
            if not self._tasks:
                self._empty.set()

    def stop(self) -> None:
        for task in self._tasks:
            self._stopped.add(task)
            task.cancel()

    async def until_empty(self) -> None:
        await self._empty.wait()
