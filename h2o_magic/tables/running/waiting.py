"""The rows of a run that are to be asked, in the order in which they will be."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class Asked:
    """A key that is asked or waits for it, how many rows have it, and got lost."""

    key: bytes
    text: str
    rows: int = 1
    lost: int = 0


class Waiting(deque[Asked]):
    """A queue."""

    add = put_last = deque.append
    put_first = deque.appendleft

    def take(self, most: int) -> list[Asked]:
        """Return the next rows, so many at most."""
        return [self.popleft() for _ in range(min(most, len(self)))]
