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


class Waiting:
    """A queue; `backwards`, the newest row comes first.

    Of two processes that ask the same table, one goes backwards: so they meet once in
    what both have read, and do not ask the same rows all the time.
    """

    def __init__(self, *, backwards: bool = False) -> None:
        self._rows: deque[Asked] = deque()
        if backwards:
            self._next, self.put_first = self._rows.pop, self._rows.append
        else:
            self._next, self.put_first = self._rows.popleft, self._rows.appendleft
        self.put_last = self._rows.appendleft if backwards else self._rows.append
        self.add = self._rows.append

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, most: int) -> list[Asked]:
        """Return the next rows, so many at most."""
        return [self._next() for _ in range(min(most, len(self._rows)))]
