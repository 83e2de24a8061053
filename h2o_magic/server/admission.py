"""Lets requests into the engine while it has a slot and memory for them.

The engine's context memory is shared by its slots. Each answer reserves what it may
need at most before it begins, so a running answer never finds the memory taken. Who
waits, waits here, in order of arrival and free to leave, not inside the engine.
"""

from __future__ import annotations

import asyncio

__all__ = ["Admission"]


class Admission:
    """A first-come-first-served gate with a number of slots and of tokens.

    Parameters
    ----------
    slots
        How many may be inside at once.
    tokens
        How many tokens those inside may reserve together.
    """

    def __init__(self, slots: int, tokens: int) -> None:
        self._free_slots = slots
        self._free_tokens = tokens
        self._inside = 0
        self._first_in_line = asyncio.Lock()
        self._somebody_left = asyncio.Event()

    @property
    def inside(self) -> int:
        """How many slots are taken."""
        return self._inside

    def free(self, tokens: int) -> bool:
        """Whether who wants `tokens` of memory would be let in at once."""
        nobody_waits = not self._first_in_line.locked()
        return nobody_waits and self._has(tokens)

    async def enter(self, tokens: int) -> None:
        """Wait for a slot and for `tokens` of memory, and take them."""
        async with self._first_in_line:
            while not self._has(tokens):
                self._somebody_left.clear()
                await self._somebody_left.wait()
            self._change(1, tokens)

    def leave(self, tokens: int) -> None:
        """Give a slot and `tokens` of memory back."""
        self._change(-1, -tokens)
        self._somebody_left.set()

    def _has(self, tokens: int) -> bool:
        return self._free_slots >= 1 and self._free_tokens >= tokens

    def _change(self, slots: int, tokens: int) -> None:
        self._inside += slots
        self._free_slots -= slots
        self._free_tokens -= tokens
