"""How soon requests are sent to a server that limits them: spread evenly, just below.

The rate lies between one that the server took and one at which it refused; it is
brought nearer to the latter while nothing is refused, in steps that grow smaller.
Beyond, it is tried only now and then, each time later than before.
"""

from __future__ import annotations

from collections import deque

#: Seconds over which the requests that a server took are counted.
_SECOND = 1.0
#: Refusals so soon after another are of the same moment.
_SAME_MOMENT = 0.25
#: Seconds to wait where the server names none: doubled while it goes on refusing.
_WAIT, _LONGEST = 0.5, 16.0
#: How near to the rate that was refused is near enough, and what is then taken.
_NEAR, _BELOW = 0.06, 0.985
#: A rate counts as taken after so many seconds, and requests, without a refusal.
_PROVEN, _COUNTED = 1.1, 10
#: Seconds after which more than was refused is tried, at first and at most.
_SOON, _LATE = 15.0, 120.0
#: How much more is tried then.
_MORE = 1.03
#: What a refusal costs where nothing else is known.
_LESS = 0.97
#: Of the requests of the first second, what a server that saves up a burst takes.
_SUSTAINED = 0.55
#: Requests that were taken since a refusal, for another to say something of the rate.
_TOO_SOON = 2
#: Requests that may be sent together where time passed unused, in seconds of the rate.
_SLACK = 0.01


class Rate:
    """The requests a second that a server takes; None while it refuses none."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self.next = 0.0  # no request before this time
        self._sent: deque[list[float]] = deque()  # times, and how many were not refused
        self._taken = 0.0  # a rate that was
        self._refused = 0.0  # a rate that was not
        self._since = 0.0  # when this rate began
        self._moment = 0.0  # until when refusals are of the same moment
        self._in_a_row = 0
        self._patience = _SOON
        self._trials = 0  # how often more than was refused was tried with success
        self._admitted = 0  # since it was lowered
        self._lowered = 0.0

    def allowed(self, now: float, most: int) -> int:
        """Return how many of `most` requests may be sent now."""
        if now < self.next or most <= 0:
            return 0
        if self.rate is None:
            return most
        self._grow(now)
        earliest = now - max(1 / self.rate, _SLACK)
        self.next = max(self.next, earliest)
        return min(most, int((now - self.next) * self.rate + 1e-6) + 1)

    def sent(self, now: float, requests: int) -> None:
        self._sent.append([now, requests])
        self._admitted += requests
        while self._sent[0][0] < now - 2 * _SECOND:
            self._sent.popleft()
        if self.rate is not None:
            self.next += requests / self.rate

    def admitted(self) -> None:
        self._in_a_row = 0

    def refused(self, now: float, wait: float | None) -> None:
        """Note a refusal, and the seconds for which the server asks to wait."""
        if self._sent:
            self._sent[-1][1] -= 1
            self._admitted -= 1
        new = now >= self._moment
        if new:
            self._in_a_row += 1
            self._moment = now + _SAME_MOMENT
        if wait is None:
            wait = min(_WAIT * 2 ** (self._in_a_row - 1), _LONGEST)
        if new and self._admitted > _TOO_SOON:  # else the wait was too short
            self._lower(now)
        self._pause(now + wait)

    def used_up(self, now: float, until: float) -> None:
        """Note that no request is left until then; a rate that is known says more."""
        if self.rate is None and until > now:
            self._lower(now)
            self._pause(until)

    def _pause(self, until: float) -> None:
        self.next = max(self.next, until)
        self._moment = max(self._moment, self.next)
        self._since = max(self._since, self.next)

    def _lower(self, now: float) -> None:
        second = self._last_second(now)
        average = self._admitted / max(now - self._lowered, _SECOND)
        self._admitted, self._lowered = 0, now
        if self.rate is None:
            # It may have been a burst that was saved up, on top of what comes a second.
            self._refused, self._taken = max(second, 1.0), max(second * _SUSTAINED, 0.5)
            self.rate = self._taken
            return
        again = self.rate >= self._refused * (1 - _NEAR)
        self._patience = min(self._patience * 2, _LATE) if again else _SOON
        self._refused = self.rate
        self._taken = max(self._taken, average)
        if self._taken > self._refused * _BELOW:
            proven = now - self._since > self._proof
            self._taken = self._refused * _LESS
            if not proven:
                self._taken = max(min(average, self._taken), self._refused / 2)
        self._trials = 0
        self.rate = self._taken if self._near else self._between(1 / 4)
        self._since = now

    @property
    def _near(self) -> bool:
        return self._taken > self._refused * (1 - _NEAR)

    def _last_second(self, now: float) -> float:
        return sum(n for at, n in self._sent if at > now - _SECOND) / _SECOND

    def _between(self, share: float) -> float:
        return self._taken + (self._refused - self._taken) * share

    @property
    def _proof(self) -> float:
        """Seconds after which a rate that was not refused counts as taken."""
        return max(_PROVEN, _COUNTED / (self.rate or 1.0))

    def _grow(self, now: float) -> None:
        """Take a larger rate if nothing was refused for long enough."""
        rate, quiet = self.rate or 0.0, now - self._since
        if quiet < self._proof:
            return
        if self._near and quiet < (self._proof * 2 if self._trials else self._patience):
            self._taken = max(self._taken, rate)
            return
        if self._last_second(now) < rate * 0.9 - 1:
            return  # it is not the rate that counts
        self._taken = max(self._taken, rate)
        if not self._near:
            self.rate = self._between(1 / 2)
        else:
            self._trials += 1
            self.rate = self._refused = max(self._refused, rate * _MORE**self._trials)
        self._since = now
