"""How many rows are asked at once, and how soon: as many as the server takes.

Pure: it is told what happens, and by a clock when. It begins with few requests at once
and doubles them while answers come as fast (slow start); a server that says that it is
busy is asked less, and not before the time that it names.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from h2o_magic.chat.events import RateLimit

#: Requests at once in the beginning, and at most.
FIRST, MOST = 8, 256


class Pace:
    """The width and the rate of a run.

    `slots` is how many questions the server says it answers at once, or the user; None
    if that is unknown. `most` is the largest width.
    """

    def __init__(
        self,
        slots: int | None = None,
        most: int = MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.width = min(slots or FIRST, most)
        self._most = slots or most
        self._clock = clock
        self._not_before = 0.0

    def room(self, in_flight: int) -> int:
        """Return how many more requests may be sent now."""
        if self._clock() < self._not_before:
            return 0
        return max(self.width - in_flight, 0)

    def wait(self) -> float | None:
        """Return the seconds until `room` may change by itself; None if it will not."""
        left = self._not_before - self._clock()
        return left if left > 0 else None

    def sent(self, requests: int) -> None:
        """Note that so many requests are sent now."""

    def answered(self, seconds: float, limit: RateLimit | None = None) -> None:
        """Note that a request was answered after so many seconds."""
        self.width = min(self.width + 1, self._most)
        if limit is not None and limit.remaining == 0 and limit.reset:
            self._not_before = self._clock() + limit.reset

    def busy(self, wait: float | None) -> None:
        """Note that the server refused a request for now, and for how long."""
        self.width = max(self.width // 2, 1)
        self._not_before = self._clock() + (1.0 if wait is None else wait)
