"""How far a run is, in words; the clock is the test's."""

from __future__ import annotations

import pytest

from h2o_magic.tables.pacing.price import Price
from h2o_magic.tables.running.progress import Progress


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def went_on(progress: Progress, clock: Clock, seconds: int, rows: int) -> None:
    """Have so many rows answered in each of some seconds, five tokens each."""
    for _ in range(seconds):
        clock.now += 1
        progress.done += rows
        progress.requests += rows
        progress.completion_tokens += 5 * rows
        progress.mark()


def test_a_run_tells_its_rows_rate_and_rest(clock: Clock) -> None:
    progress = Progress(10_000, clock=clock)
    progress.mark()
    assert progress.line() == "0 of 10,000"
    went_on(progress, clock, 5, 31)
    assert progress.line() == "155 of 10,000 · 31 rows/s · 5:18 left · 155 tokens/s"
    progress.fail("no", 3)
    progress.known, progress.done = 2100, progress.done + 2100
    assert progress.line().endswith(" · 2,100 known · 3 errors")


def test_the_rate_is_that_of_the_last_ten_seconds(clock: Clock) -> None:
    progress = Progress(None, clock=clock)
    went_on(progress, clock, 30, 100)
    went_on(progress, clock, 10, 20)
    assert progress.rates() == (20, 100)
    assert progress.line() == "3,200 rows · 20 rows/s · 100 tokens/s"


def test_nothing_is_said_of_the_rate_in_the_first_second(clock: Clock) -> None:
    progress = Progress(100, clock=clock)
    progress.mark()
    clock.now += 0.9
    progress.done = 9
    assert progress.line() == "9 of 100"


def test_a_wait_that_the_server_asks_for_is_told_instead_of_the_rate(
    clock: Clock,
) -> None:
    progress = Progress(100, clock=clock)
    went_on(progress, clock, 5, 10)
    progress.paused = 0.9
    assert "rows/s" in progress.line()
    progress.paused = 42.4
    assert progress.line() == "50 of 100 · Waiting 42 s: the server allows no more"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("done", "50 rows in 5.0 s · 10 rows/s · 50 tokens/s · cost 0.00050"),
        ("stopped", "Stopped after 50 of 100 rows in 5.0 s · 10 rows/s"),
        ("failed", "Ended after 50 of 100 rows in 5.0 s · 10 rows/s"),
    ],
)
def test_an_ended_run_tells_how_long_it_took(
    clock: Clock, state: str, said: str
) -> None:
    progress = Progress(100, price=Price(1, 2), clock=clock)
    went_on(progress, clock, 5, 10)
    progress.end(state)  # type: ignore[arg-type]
    clock.now += 1000
    assert progress.line().startswith(said)
