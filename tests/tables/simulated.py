"""Servers with limits, and a run that is paced, in a simulated time."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from h2o_magic.chat.events import RateLimit
from h2o_magic.tables.pacing.pace import MOST, Pace

Latency = Callable[[random.Random], float]
#: What a server says of a wait: how it writes it, by the seconds.
NAMED: dict[str, Callable[[float], float | None]] = {
    "milliseconds": lambda wait: math.ceil(wait * 1000) / 1000,
    "seconds": lambda wait: float(math.ceil(wait)),
    "nothing": lambda _wait: None,
}


class Limiter(Protocol):
    def admit(self, now: float) -> tuple[bool, float, int]:
        """Return whether a request is taken, the seconds to wait, and what is left."""


class Bucket:
    """Takes `rate` requests a second, and saves up as many as `burst`."""

    def __init__(self, rate: float, burst: float | None = None) -> None:
        self._rate, self._burst = rate, burst or rate
        self._left, self._at = self._burst, 0.0

    def admit(self, now: float) -> tuple[bool, float, int]:
        saved = self._left + (now - self._at) * self._rate
        self._left, self._at = min(self._burst, saved), now
        if self._left < 1:
            return False, (1 - self._left) / self._rate, 0
        self._left -= 1
        return True, max(0.0, (1 - self._left) / self._rate), int(self._left)


class FixedWindow:
    """Takes so many requests in each `window` of the clock."""

    def __init__(self, rate: float, window: float = 1.0) -> None:
        self._most, self._window = rate * window, window
        self._number, self._left = -1, 0.0

    def admit(self, now: float) -> tuple[bool, float, int]:
        number = int((now + 0.37) / self._window)
        if number != self._number:
            self._number, self._left = number, self._most
        wait = (number + 1) * self._window - now - 0.37
        if self._left < 1:
            return False, wait, 0
        self._left -= 1
        return True, wait, int(self._left)


class SlidingWindow:
    """Takes so many requests in any `window`."""

    def __init__(self, rate: float, window: float = 1.0) -> None:
        self._most, self._window = int(rate * window), window
        self._taken: deque[float] = deque()

    def admit(self, now: float) -> tuple[bool, float, int]:
        while self._taken and self._taken[0] <= now - self._window:
            self._taken.popleft()
        if len(self._taken) >= self._most:
            return False, self._taken[0] + self._window - now, 0
        self._taken.append(now)
        return True, self._window, self._most - len(self._taken)


@dataclass
class Simulation:
    """Runs of rows on a server that has `slots`, or a limit, or both.

    After `run`, `answered` and `refused` are times, in seconds.
    """

    latency: Latency
    limiter: Limiter | None = None
    slots: int | None = None
    says_slots: bool = False
    named: str = "milliseconds"
    headers: bool = False
    way: float = 0.005  # seconds to the server and back
    most: int = MOST
    now: float = 0.0
    busy: float = 0.0  # seconds of slots
    longest_queue: int = 0
    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        said = self.slots if self.says_slots else None
        self.pace = Pace(said, self.most, lambda: self.now)
        self._random = random.Random(0)
        self._events: list[tuple[float, int, str, Any]] = []
        self._order = count()
        self._queue: deque[Any] = deque()
        self._running = self._in_flight = 0

    def run(self, seconds: float) -> Simulation:
        self._at(0.0, "wake")
        while self._events and self._events[0][0] < seconds:
            self.now, _, what, request = heapq.heappop(self._events)
            getattr(self, f"_{what}")(request)
            if what in ("wake", "reply", "refusal"):
                self._submit(wakes=what == "wake")
        self.now = seconds
        return self

    def rate(self, since: float) -> float:
        """Return the answers a second, from a time to the end."""
        return sum(at >= since for at in self.answered) / (self.now - since)

    @property
    def share_refused(self) -> float:
        return len(self.refused) / (len(self.refused) + len(self.answered))

    def _at(self, when: float, what: str, request: Any = None) -> None:
        heapq.heappush(self._events, (when, next(self._order), what, request))

    def _submit(self, *, wakes: bool) -> None:
        room = self.pace.room(self._in_flight)
        if room:
            self.pace.sent(room)
        for _ in range(room):
            self._in_flight += 1
            there = self.now + self.way / 2 + self._random.random() / 1000
            self._at(there, "arrival", self.now)
        if wakes:
            wait = self.pace.wait()
            self._at(self.now + (0.01 if wait is None else min(wait, 0.01)), "wake")

    def _wake(self, _: object) -> None:
        pass

    def _arrival(self, sent: float) -> None:
        taken, wait, left = True, 0.0, 99
        if self.limiter is not None:
            taken, wait, left = self.limiter.admit(self.now)
        if not taken:
            self._at(self.now + self.way / 2, "refusal", NAMED[self.named](wait))
            return
        limit = RateLimit(left, wait) if self.headers else None
        if self.slots is None or self._running < self.slots:
            self._start((sent, limit))
        else:
            self._queue.append((sent, limit))
            self.longest_queue = max(self.longest_queue, len(self._queue))

    def _start(self, request: Any) -> None:
        self._running += 1
        seconds = self.latency(self._random)
        self._at(self.now + seconds, "end", (request, seconds))

    def _end(self, ended: Any) -> None:
        request, seconds = ended
        self._running -= 1
        self.busy += seconds
        if self._queue:
            self._start(self._queue.popleft())
        self._at(self.now + self.way / 2, "reply", request)

    def _reply(self, request: Any) -> None:
        sent, limit = request
        self._in_flight -= 1
        self.answered.append(self.now)
        self.pace.answered(self.now - sent, limit)

    def _refusal(self, wait: float | None) -> None:
        self._in_flight -= 1
        self.refused.append(self.now)
        self.pace.busy(wait)


def always(seconds: float) -> Latency:
    return lambda _random: seconds


def between(least: float, most: float) -> Latency:
    return lambda random: random.uniform(least, most)


LATENCIES: Sequence[tuple[str, Latency]] = (
    ("0.05 s", always(0.05)),
    ("0.2 s", always(0.2)),
    ("1 s", always(1.0)),
    ("2 s", always(2.0)),
    ("0.05 to 2 s", between(0.05, 2.0)),
)
LIMITERS: Sequence[tuple[str, Callable[[float], Limiter]]] = (
    ("bucket", Bucket),
    ("fixed window", FixedWindow),
    ("sliding window", SlidingWindow),
)
