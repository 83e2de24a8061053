"""A run is as fast as the server takes it, and not faster: in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from h2o_magic.chat.events import RateLimit
from h2o_magic.tables.pacing.pace import Pace
from tests.tables.simulated import (
    LATENCIES,
    LIMITERS,
    NAMED,
    Bucket,
    FixedWindow,
    Latency,
    Limiter,
    Simulation,
    SlidingWindow,
    always,
    between,
)

CASES = [
    pytest.param(
        *(limiter, latency, says, headers),
        id=f"{kind}, {how}, {says}, {headers}",
        # One latency is enough each day.
        marks=[] if how == "0.05 to 2 s" and not headers else pytest.mark.nightly,
    )
    for (kind, limiter), (how, latency), says, headers in product(
        LIMITERS, LATENCIES, NAMED, (False, True)
    )
]


@pytest.mark.parametrize(("limiter", "latency", "named", "headers"), CASES)
def test_a_limit_of_50_a_second_is_used_and_hardly_ever_met(
    limiter: Callable[[float], Limiter], latency: Latency, named: str, headers: bool
) -> None:
    ran = Simulation(latency, limiter(50), named=named, headers=headers).run(60)
    assert ran.rate(since=10) >= 0.9 * 50
    assert ran.share_refused <= 0.02


@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize("limit", [5, pytest.param(500, marks=pytest.mark.nightly)])
@pytest.mark.parametrize(
    "limiter", [each for _, each in LIMITERS], ids=[n for n, _ in LIMITERS]
)
def test_other_limits_are_found_too(
    limiter: Callable[[float], Limiter], limit: int, named: str
) -> None:
    ran = Simulation(always(0.2), limiter(limit), named=named).run(90)
    assert ran.rate(since=30) >= 0.85 * limit
    assert ran.share_refused <= 0.06


@pytest.mark.parametrize("limiter", [FixedWindow(10, 60), SlidingWindow(10, 60)])
def test_a_minute_that_is_used_up_is_waited_for_and_does_not_slow_the_next(
    limiter: Limiter,
) -> None:
    ran = Simulation(always(0.2), limiter).run(300)
    assert len(ran.answered) >= 4 * 600
    assert ran.share_refused <= 0.02


def test_a_limit_that_rises_is_used_after_a_while() -> None:
    class Rising(Bucket):
        def admit(self, now: float) -> tuple[bool, float, int]:
            self._rate = self._burst = 20 if now < 60 else 60
            return super().admit(now)

    ran = Simulation(always(0.2), Rising(20)).run(300)
    assert ran.rate(since=240) >= 0.9 * 60


@pytest.mark.parametrize(
    "slots", [1, 4, 16, 100, pytest.param(200, marks=pytest.mark.nightly)]
)
@pytest.mark.parametrize(
    "latency", [always(0.2), between(0.1, 0.3)], ids=["same", "varied"]
)
@pytest.mark.parametrize("said", [True, False])
def test_all_slots_of_a_server_are_kept_busy_and_few_requests_wait(
    slots: int, latency: Latency, said: bool
) -> None:
    ran = Simulation(latency, slots=slots, says_slots=said)
    ran.run(5)
    before = ran.busy
    ran.run(15)
    assert ran.busy - before >= 0.95 * slots * 10
    assert ran.pace.width <= (slots * 1.2 + 2 if said else max(slots * 2, 48))


def test_no_more_than_the_user_allows_are_in_flight() -> None:
    ran = Simulation(always(0.2), slots=100, most=10).run(20)
    assert ran.pace.width == 10
    assert len(ran.answered) == pytest.approx(50 * 20, rel=0.05)


# What the server says, by the clock


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(slots=16, clock=clock)


def test_nothing_is_sent_before_the_time_that_a_server_names(
    pace: Pace, clock: Clock
) -> None:
    assert pace.room(0)
    pace.sent(4)
    pace.busy(20.0)
    clock.now += 19.9
    assert pace.room(0) == 0
    assert pace.wait() == pytest.approx(0.1)
    clock.now += 0.11
    assert pace.room(0) == 1  # the rest is spread


def test_refusals_of_one_moment_count_once(pace: Pace, clock: Clock) -> None:
    for _ in range(16):
        pace.sent(1)
        clock.now += 0.01
    pace.busy(0.5)
    rate = pace.rate
    for _ in range(5):
        pace.busy(0.5)
    assert pace.rate == rate


def test_waits_grow_where_a_server_names_none(pace: Pace, clock: Clock) -> None:
    waits = []
    for _ in range(4):
        pace.sent(1)
        pace.busy(None)
        waits.append(pace.wait() or 0)
        clock.now += waits[-1] + 0.3
    assert waits == pytest.approx([0.5, 1, 2, 4])


def test_a_limit_that_is_used_up_is_waited_for_without_a_refusal(
    pace: Pace, clock: Clock
) -> None:
    pace.sent(4)
    clock.now += 1
    pace.answered(1.0, RateLimit(0, 5.0, 50))
    assert pace.room(0) == 0
    assert pace.wait() == pytest.approx(4.0)  # the limit was met when it was asked
    clock.now += 4.01
    assert pace.room(0) > 0
