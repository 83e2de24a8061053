"""When a run cannot come to a good end, and is better ended now. Pure."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

#: If so many rows fail in the same way, the others would, too.
ALIKE = 20
#: Seconds in which a server takes no row, or is gone, before the run ends.
PATIENCE = 600.0
#: How often a server is looked for that was never there.
_LOOKS = 3
#: Seconds between two looks for one that is gone: doubled, and at most.
_FIRST_LOOK, _LONGEST_LOOK = 1.0, 60.0


class GivingUp:
    """Is told what comes of rows; each method returns why to give up, or nothing.

    Before the first answer, rows that all fail alike end the run, and a server that is
    not there. After it, only one that gets row after row lost, is gone for `PATIENCE`
    seconds, or has no room for so long and as long as it asked to wait.
    """

    def __init__(
        self,
        max_errors: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_errors = max_errors
        self._clock = clock
        self._any_answer = False
        self._alike, self._count = "", 0
        self._busy_since: float | None = None
        self._longest_wait = 0.0
        self._looks, self._gone_since = 0, 0.0

    def answered(self) -> None:
        self._any_answer = True
        self._count = self._looks = 0
        self._busy_since = None

    def failed(self, message: str, *, lost: bool) -> str:
        """A row failed."""
        alike = re.sub(r"\d+", "0", message)
        self._count = self._count + 1 if alike == self._alike else 1
        self._alike = alike
        if not lost:
            self._busy_since = None
        if self._count >= ALIKE and not self._any_answer:
            return f"the first {ALIKE} rows all failed: {message}"
        if self._count >= ALIKE and lost:
            return f"{ALIKE} rows in turn failed: {message}"
        return ""

    @property
    def look(self) -> float:
        """Seconds until a server that is gone is looked for again; 0 if it is there."""
        if not self._looks:
            return 0.0
        wait: float = _FIRST_LOOK * 2 ** (self._looks - 1)
        return min(wait, _LONGEST_LOOK)

    def gone(self, message: str) -> str:
        """The server was looked for, and cannot be reached."""
        if not self._looks:
            self._gone_since = self._clock()
        self._looks += 1
        if not self._any_answer:
            return message if self._looks >= _LOOKS else ""
        minutes = (self._clock() - self._gone_since) / 60
        if minutes < PATIENCE / 60:
            return ""
        return f"the server was not there for {minutes:.0f} minutes: {message}"

    def errors(self, errors: int, message: str) -> str:
        """So many rows were asked in vain, the latest with this message."""
        if self._max_errors is None or errors <= self._max_errors:
            return ""
        return f"more than {self._max_errors:,} errors, the last: {message}"

    def busy(self, message: str, wait: float | None) -> str:
        """The server had no room for a row; `wait` is for how long it asked."""
        now = self._clock()
        if self._busy_since is None:
            self._busy_since, self._longest_wait = now, 0.0
        self._longest_wait = max(self._longest_wait, wait or 0.0)
        if now - self._busy_since < PATIENCE + self._longest_wait:
            return ""
        minutes = (now - self._busy_since) / 60
        return f"the server took no row for {minutes:.0f} minutes: {message}"
