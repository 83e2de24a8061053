"""Which request a model answers next: one of each client in turn.

A model answers as many requests at once as it has slots, while its context memory
lasts. So one client with many requests delays itself, and nobody else.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

#: Seconds after which a refused client may try again.
RETRY_AFTER = {"Retry-After": "5"}


class OverloadedError(Exception):
    """Too much is waiting already."""


@dataclass(eq=False, slots=True)
class _Waiting:
    slots: int
    tokens: int
    admitted: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    holds: bool = False  # its slots and tokens


class RequestQueue:
    """Admits requests while `slots`, and `tokens` of context memory, are free.

    `most` requests of one client may wait; more raise OverloadedError.
    """

    def __init__(self, slots: int, tokens: int, most: int) -> None:
        self.slots = slots
        self.tokens = tokens
        self._free_slots = slots
        self._free_tokens = tokens
        self.most = most
        self._waiting: OrderedDict[str, deque[_Waiting]] = OrderedDict()

    @property
    def running(self) -> int:
        return self.slots - self._free_slots

    @property
    def is_full(self) -> bool:
        """Whether another request has to wait, even a small one."""
        return self._free_slots == 0 or bool(self._waiting)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def place(
        self, client: str, *, slots: int = 1, tokens: int = 0
    ) -> AsyncIterator[None]:
        """Hold a place for one request, which may need several slots."""
        request = _Waiting(min(slots, self.slots), min(tokens, self.tokens))
        line = self._waiting.setdefault(client, deque())
        line.append(request)
        self._admit()
        if not request.admitted.done() and len(line) > self.most:
            self._remove(client, request)
            raise OverloadedError("too many requests are waiting: try again later")
        try:
            await request.admitted
            yield
        finally:
            self._remove(client, request)
            self._release(request)

    def _admit(self) -> None:
        # The first in turn is never overtaken: a large request would wait for ever.
        while self._waiting:
            client, line = next(iter(self._waiting.items()))
            request = line[0]
            if request.slots > self._free_slots or request.tokens > self._free_tokens:
                return
            self._free_slots -= request.slots
            self._free_tokens -= request.tokens
            self._remove(client, request)
            if client in self._waiting:
                self._waiting.move_to_end(client)
            request.holds = True
            if not request.admitted.done():  # or it was cancelled
                request.admitted.set_result(None)

    def _remove(self, client: str, request: _Waiting) -> None:
        line = self._waiting.get(client, deque())
        if request in line:
            line.remove(request)
        if not line:
            self._waiting.pop(client, None)

    def _release(self, request: _Waiting) -> None:
        if request.holds:
            self._free_slots += request.slots
            self._free_tokens += request.tokens
        self._admit()
