import contextvars
import threading
from collections.abc import Callable

import pytest

from h2o_magic.ipython.display import pacer as pacing
from h2o_magic.ipython.display.pacer import Pacer

INTERVAL = 0.01
PATIENCE = 60  # seconds to wait for another thread before a test gives up


class Clock:
    """A clock that stands still until a test moves it; takes the place of `time`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pacer_looked = threading.Event()

    def monotonic(self) -> float:
        if threading.current_thread().name == "h2o_magic-pacer":
            self.pacer_looked.set()
        return self.now


class Drawing:
    """Counts its draws; a test can wait for each."""

    def __init__(self, rest: float = INTERVAL) -> None:
        self.rest = rest
        self.state = 0
        self.drawn: list[int] = []
        self.threads: set[threading.Thread] = set()
        self._done = threading.Semaphore(0)

    def __call__(self) -> float:
        self.drawn.append(self.state)
        self.threads.add(threading.current_thread())
        self._done.release()
        return self.rest

    def wait(self) -> None:
        assert self._done.acquire(timeout=PATIENCE)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pacing, "time", clock)
    return clock


def pacer_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "h2o_magic-pacer"]


def test_the_first_request_draws_at_once(clock: Clock) -> None:
    draw = Drawing()
    with Pacer(draw) as pacer:
        pacer.request()
        assert draw.drawn == [0]
    assert draw.threads == {threading.current_thread()}


def test_without_a_request_nothing_is_drawn() -> None:
    draw = Drawing()
    with Pacer(draw):
        pass
    assert draw.drawn == []


def test_many_requests_within_the_interval_make_one_draw_at_its_end(
    clock: Clock,
) -> None:
    draw = Drawing()
    with Pacer(draw) as pacer:
        for state in range(1000):
            draw.state = state
            pacer.request()
        assert draw.drawn == [0]
        draw.wait()
        assert clock.pacer_looked.wait(PATIENCE)  # and it was too early
        clock.now += INTERVAL
        draw.wait()
    assert draw.drawn == [0, 999]


def test_a_joined_draw_needs_no_further_request(clock: Clock) -> None:
    draw = Drawing()
    with Pacer(draw) as pacer:
        pacer.request()
        pacer.request()
        draw.wait()
        clock.now += INTERVAL
        draw.wait()
        (thread,) = pacer_threads()
    assert draw.threads == {threading.current_thread(), thread}


def test_a_request_after_the_interval_draws_at_once(clock: Clock) -> None:
    draw = Drawing()
    with Pacer(draw) as pacer:
        for _ in range(3):
            pacer.request()
            clock.now += INTERVAL
        assert len(draw.drawn) == 3
    assert draw.threads == {threading.current_thread()}


def test_a_draw_that_needs_more_rest_gets_it(clock: Clock) -> None:
    draw = Drawing(rest=5 * INTERVAL)
    with Pacer(draw) as pacer:
        pacer.request()
        clock.now = 4 * INTERVAL
        pacer.request()
        assert len(draw.drawn) == 1
        draw.wait()
        clock.now = 5 * INTERVAL
        draw.wait()
    assert len(draw.drawn) == 2


def test_a_draw_that_sent_nothing_needs_no_rest(clock: Clock) -> None:
    draw = Drawing(rest=0)
    with Pacer(draw) as pacer:
        for _ in range(5):
            pacer.request()
    assert len(draw.drawn) == 5


def test_a_draw_that_left_something_out_is_followed_by_one_more(clock: Clock) -> None:
    draw = Drawing()

    def draw_in_two() -> float:
        if not draw.drawn:
            pacer.again()
        return draw()

    with Pacer(draw_in_two) as pacer:
        pacer.request()
        draw.wait()
        assert len(draw.drawn) == 1  # not before the viewer has rested
        clock.now += INTERVAL
        draw.wait()
        assert len(draw.drawn) == 2


def test_after_the_end_nothing_is_drawn_and_the_thread_is_gone(clock: Clock) -> None:
    draw = Drawing()
    with Pacer(draw) as pacer:
        assert len(pacer_threads()) == 1
        pacer.request()
        pacer.request()  # waits, and is dropped
    assert pacer_threads() == []
    clock.now += 100 * INTERVAL
    pacer.request()
    assert draw.drawn == [0]


def test_the_thread_is_gone_also_after_an_error_in_the_block() -> None:
    def interrupted() -> None:
        with Pacer(Drawing()):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert pacer_threads() == []


def test_it_may_be_ended_twice() -> None:
    pacer = Pacer(Drawing())
    with pacer:
        pacer.__exit__(None, None, None)
    assert pacer_threads() == []


def test_draws_never_overlap() -> None:
    busy = threading.Lock()
    overlaps: list[threading.Thread] = []

    def draw() -> float:
        if not busy.acquire(blocking=False):
            overlaps.append(threading.current_thread())
            return 1e-6
        for _ in range(100):
            threading.Event().wait(0)  # lets the other threads run
        busy.release()
        return 1e-6

    with Pacer(draw) as pacer:
        asking = [threading.Thread(target=ask_often(pacer)) for _ in range(4)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join(PATIENCE)
    assert overlaps == []


def ask_often(pacer: Pacer) -> Callable[[], None]:
    def ask() -> None:
        for _ in range(50):
            pacer.request()

    return ask


def test_a_joined_draw_sees_the_context_of_the_cell(clock: Clock) -> None:
    cell = contextvars.ContextVar("cell", default="none")
    cell.set("a cell")
    seen: list[str] = []
    counted = Drawing()

    def draw() -> float:
        seen.append(cell.get())
        return counted()

    with Pacer(draw) as pacer:
        pacer.request()
        pacer.request()
        counted.wait()
        clock.now += INTERVAL
        counted.wait()
    assert seen == ["a cell", "a cell"]


# A draw that fails


class FailingOnce(Drawing):
    """Fails at its draw number `which`, counted from 1."""

    def __init__(self, which: int) -> None:
        super().__init__()
        self._which = which

    def __call__(self) -> float:
        rest = super().__call__()
        if len(self.drawn) == self._which:
            raise ValueError("cannot draw")
        return rest


def test_a_draw_that_fails_is_the_last_and_no_error_of_who_asked(clock: Clock) -> None:
    draw = FailingOnce(1)
    with Pacer(draw) as pacer:
        pacer.request()
        clock.now += INTERVAL
        pacer.request()
    assert len(draw.drawn) == 1
    assert pacer_threads() == []


def test_a_joined_draw_that_fails_is_the_last_too(clock: Clock) -> None:
    draw = FailingOnce(2)
    with Pacer(draw) as pacer:
        pacer.request()
        pacer.request()
        draw.wait()
        clock.now += INTERVAL
        draw.wait()
        pacer.request()
    assert len(draw.drawn) == 2
    assert pacer_threads() == []
