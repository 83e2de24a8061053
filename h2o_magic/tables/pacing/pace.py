"""How many rows are asked at once, and how soon: as many as the server takes.

Pure: it is told what happens, and by a clock when. A server that says that it is busy
is asked at a rate that it was seen to take, and not before the time that it names.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from h2o_magic.chat.events import RateLimit
from h2o_magic.tables.pacing.rate import Rate
from h2o_magic.tables.pacing.width import Width

#: Most requests at once, unless the user says how many.
MOST = 256
#: How many more may be in flight than a rate needs at the mean latency.
_SPARE = 1.5
#: More requests than were answered are sent in parts, so that a refusal is seen soon:
#: how many at once, the least seconds between two parts, and over which share of an
#: answer's time a width of them is spread.
_PART, _BETWEEN, _SPREAD = 4, 0.005, 0.5


class Pace:
    """The width and the rate of a run.

    `slots` is how many questions the server says it answers at once, or finds that out
    when the first are sent; None if that is unknown. `most` is the largest width.
    """

    def __init__(
        self,
        slots: int | Callable[[], int | None] | None = None,
        most: int = MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find_slots = slots if callable(slots) else None
        self._width = Width(None if callable(slots) else slots, most)
        self._rate = Rate()
        self._clock = clock
        self._latency = 0.0  # seconds, the mean of late
        self._in_flight = 0
        self._replaced = 0  # answered requests whose place is free
        self._next_part = 0.0

    @property
    def width(self) -> int:
        """How many requests may be in flight."""
        if self._rate.rate is None or not self._latency:
            return self._width.now
        needed = math.ceil(self._rate.rate * self._latency * _SPARE) + 2
        return min(needed, self._width.most)

    @property
    def rate(self) -> float | None:
        """Requests a second that the server takes; None while it takes all."""
        return self._rate.rate

    def room(self, in_flight: int) -> int:
        """Return how many more requests may be sent now."""
        now = self._clock()
        self._in_flight = in_flight
        free = max(self.width - in_flight, 0)
        if self._rate.rate is None:
            part = _PART if now >= self._next_part else 0
            free = min(free, self._replaced + part)
        return self._rate.allowed(now, free)

    def wait(self) -> float | None:
        """Return the seconds until `room` may change by itself; None if it will not."""
        now = self._clock()
        if self._in_flight >= self.width:
            return None
        until = max(self._rate.next, self._next_part)
        return until - now if until > now else None

    def sent(self, requests: int) -> None:
        """Note that so many requests are sent now."""
        if (find := self._find_slots) is not None:
            self._find_slots = None
            if (slots := find()) is not None:
                self._width = Width(slots, self._width.most)
        now = self._clock()
        self._in_flight += requests
        if requests > self._replaced:
            spread = self._latency * _SPREAD * _PART / self._width.now
            self._next_part = now + max(spread, _BETWEEN)
        self._replaced = max(self._replaced - requests, 0)
        self._rate.sent(now, requests)
        self._width.sent(self._in_flight)

    def answered(self, seconds: float, limit: RateLimit | None = None) -> None:
        """Note that a request was answered after so many seconds."""
        now = self._clock()
        share = 1 / 16 if self._latency else 1
        self._latency += (seconds - self._latency) * share
        self._in_flight -= 1
        self._replaced += 1
        self._rate.admitted()
        if self._rate.rate is None:
            self._width.answered(now, seconds)
        if limit is not None and limit.remaining == 0 and limit.reset:
            self._rate.used_up(now, now - seconds + limit.reset)

    def busy(self, wait: float | None) -> None:
        """Note that the server refused a request for now, and for how long."""
        self._in_flight -= 1
        self._rate.refused(self._clock(), wait)
        self._width.refused(self._in_flight)
