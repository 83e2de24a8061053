"""How many requests at once a server answers best: the least with which it does most.

The width doubles while that shortens the run (slow start). When answers take longer,
each step is weighed by what it brings, and taken back if it brings little. Later on, a
larger width is tried now and then.
"""

from __future__ import annotations

#: Requests at once in the beginning.
_FIRST = 8
#: How much longer answers may take than the fastest so far: for a step to be larger,
#: and for none to be weighed.
_SAME, _LITTLE_LONGER = 1.1, 1.25
#: What a step upwards must bring, for the larger width to be worth it.
_WORTH = 1.1
#: How much less a smaller width may do.
_AS_GOOD = 0.95
#: Steps up, while answers take no longer, down, and of a later trial.
_UP, _FAST, _DOWN, _TRIAL = 2.0, 3.0, 0.7, 1.5
#: Fewest answers by which a width is weighed.
_FEWEST = 24
#: Rounds until a larger width is tried first, and at most.
_SOON, _LATE = 8, 128


class Width:
    """The number of requests in flight that brings the most answers a second.

    `slots` are those of the server, which a few more keep busy; None if unknown.
    """

    def __init__(self, slots: int | None, most: int) -> None:
        first = _FIRST if slots is None else slots + slots // 8 + 1
        self.now = max(min(first, most), 1)
        self.most = most
        self.grows = slots is None  # in slow start
        self._step = self._weighed_up if self.grows else self._weighed
        self._fastest = float("inf")  # seconds; the mean of a round
        self._best = 0.0  # answers a second, of the last width that was taken
        self._taken = self.now  # the width that had it
        self._rounds = _SOON
        self._larger = self.now
        self._at = 0.0
        self._full = False
        self._answers, self._seconds = 0, 0.0
        self._skipped, self._began, self._waited = 0, 0.0, 0

    def sent(self, in_flight: int) -> None:
        self._full = self._full or in_flight >= self.now

    def refused(self, in_flight: int) -> None:
        """Take no more than were in flight when the server had no room."""
        self.grows = False
        self._settle(max(min(self.now, in_flight), 1))

    def answered(self, now: float, seconds: float) -> None:
        if not self._full:
            return  # there are no more rows, or the rate is what counts
        self._at = now
        self._answers += 1
        self._seconds += seconds
        if self.grows:
            if self._answers == self.now:
                self._slow_start(now)
        elif self._answers == self._skipped:
            self._began = now
        elif self._answers == self._skipped + max(2 * self.now, _FEWEST):
            answers = self._answers - self._skipped
            self._fastest = min(self._fastest, self._seconds / self._answers)
            self._step(answers / max(now - self._began, 1e-6))

    def _slow_start(self, now: float) -> None:
        mean = self._seconds / self._answers
        rate = self._answers / max(now - self._began, 1e-6) if self._began else 0.0
        self._fastest = min(self._fastest, mean)
        longer = mean / self._fastest
        if longer <= _LITTLE_LONGER and self.now < self.most:
            self._taken, self._best = self.now, rate
            self._go(self._up(_FAST if longer <= _SAME else _UP), keep_time=now)
            return
        self.grows = False
        self._step = self._weighed_up
        self._begin(skip=self.now)

    def _weighed_up(self, rate: float) -> None:
        if rate >= self._best * _WORTH:
            self._taken, self._best = self.now, rate
            if self.now < self.most:
                self._go(self._up(_UP))
                return
        self._best = max(rate, self._best)
        self._step = self._weighed_down
        self._down()

    def _weighed_down(self, rate: float) -> None:
        if rate >= self._best * _AS_GOOD:
            self._best = max(rate, self._best)
            self._down()
        else:
            self._settle(self._larger)

    def _down(self) -> None:
        """Try a smaller width, unless it could not do as much by Little's law."""
        needed = int(self._best * self._fastest * 1.08) + 2
        smaller = max(int(self.now * _DOWN), needed)
        if smaller >= self.now:
            self._settle(self.now)
        else:
            self._larger = self.now
            self._go(smaller)

    def _settle(self, width: int) -> None:
        self._step = self._weighed
        self._go(width)

    def _weighed(self, rate: float) -> None:
        """Stay for some rounds, then try more."""
        self._waited += 1
        self._best = rate if self._waited == 1 else (self._best + rate) / 2
        if self._waited < self._rounds or self.now >= self.most:
            self._begin(began=self._at, waited=self._waited)
            return
        self._taken = self.now
        self._step = self._tried
        self._go(self._up(_TRIAL))

    def _tried(self, rate: float) -> None:
        if rate >= self._best * _WORTH:
            self._rounds = _SOON
            self._taken, self._best = self.now, rate
            self._step = self._weighed_up
            self._go(self._up(_UP))
        else:
            self._rounds = min(self._rounds * 2, _LATE)
            self._settle(self._taken)

    def _up(self, factor: float) -> int:
        return min(max(int(self.now * factor), self.now + 1), self.most)

    def _go(self, width: int, keep_time: float = 0.0) -> None:
        before, self.now = self.now, width
        self._begin(skip=before, began=keep_time)

    def _begin(self, skip: int = 0, began: float = 0.0, waited: int = 0) -> None:
        self._full = False
        self._answers, self._seconds = 0, 0.0
        self._skipped, self._began = skip, began
        self._waited = waited
