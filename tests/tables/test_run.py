"""What a run does with what comes of rows: a script asks, the clock is the test's."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.chat.events import RateLimit
from h2o_magic.chat.messages import user
from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.executors import RowExecutor, Ticket
from h2o_magic.tables.job import RunOptions
from h2o_magic.tables.pacing.base import Pacing
from h2o_magic.tables.pacing.price import Price
from h2o_magic.tables.row_requests import RowKeys, RowRequests
from h2o_magic.tables.running.giving_up import PATIENCE, GivingUp
from h2o_magic.tables.running.outcome import Outcome, RowAnswer, RowFailure
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.running.run import KEY, Run
from h2o_magic.tables.store.ledger import Ledger
from h2o_magic.tables.store.ledger_answers import LedgerAnswers, RunFacts
from h2o_magic.tables.template import Place

Result = RowAnswer | RowFailure
REFUSED = RowFailure("connection refused", "lost", 1.0)


class Clock:
    """Time passes when somebody waits, and never otherwise."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scripted(RowExecutor):
    """Answers rows as a function says, by question and how often it came."""

    def __init__(self, answer: Callable[[str, int], Result], clock: Clock) -> None:
        self.answer = answer
        self.clock = clock
        self.asked: list[str] = []
        self.stopped = False
        self.hold = 0  # so many outcomes stay away
        self.on_wait: Callable[[], None] = lambda: None
        self._due: list[Outcome] = []

    def submit(self, tickets: Sequence[Ticket]) -> None:
        for ticket, text in tickets:
            self.asked.append(text)
            result = self.answer(text, self.asked.count(text))
            self._due.append(Outcome(ticket, result, 1, None, 10, 5))

    def outcomes(self, timeout: float) -> list[Outcome]:
        self.on_wait()
        self.clock.now += timeout
        some = len(self._due) - self.hold
        found, self._due = self._due[: max(some, 0)], self._due[max(some, 0) :]
        return found

    def stop(self) -> None:
        self.stopped = True


def yes(text: str, _times: int = 1) -> Result:
    return RowAnswer(f"yes, {text}")


class Steady(Pacing):
    """So many rows at once; after a refusal none until its wait is over."""

    def __init__(self, width: int, clock: Clock) -> None:
        self._width, self._clock, self._not_before = width, clock, 0.0

    @property
    def width(self) -> int:
        return self._width

    def room(self, in_flight: int) -> int:
        return 0 if self.wait() else max(self._width - in_flight, 0)

    def wait(self) -> float | None:
        left = self._not_before - self._clock()
        return left if left > 0 else None

    def sent(self, requests: int) -> None:
        pass

    def answered(self, seconds: float, limit: RateLimit | None = None) -> None:
        pass

    def busy(self, wait: float | None) -> None:
        self._not_before = self._clock() + (1.0 if wait is None else wait)


class Bench:
    """A run over texts, with a script for what comes of them."""

    def __init__(
        self,
        texts: Sequence[str | None],
        answer: Callable[[str, int], Result] = yes,
        *,
        store: LedgerAnswers | None = None,
        batches: Iterator[Sequence[tuple[object, ...]]] | None = None,
        width: int = 8,
        price: Price | None = None,
        options: RunOptions = RunOptions(),  # noqa: B008 - it is frozen
        **others: object,
    ) -> None:
        self.clock = Clock()
        self.executor = Scripted(answer, self.clock)
        self.progress = Progress(len(texts), price=price, clock=self.clock)
        request = ChatRequest("mock", (user("?"),), {})
        requests = RowRequests(request, (Place(0, "{text}"),))
        self.store = store or LedgerAnswers(Ledger(None, pytest.fail), RunFacts())
        self.run = Run(
            batches or iter([[(text,) for text in texts]]),
            requests,
            RowKeys(requests, "server", "mock"),
            store=self.store,
            executor=self.executor,
            pace=Steady(width, self.clock),
            progress=self.progress,
            clock=self.clock,
            options=options,
            **others,  # type: ignore[arg-type]
        )

    def go(self) -> Progress:
        self.run.go()
        assert self.executor.stopped
        return self.progress

    def table(self) -> list[str | None]:
        """Return the answer of each row that was read, or its error in brackets."""
        whole = bytes(self.run.keys)
        keys = [whole[at : at + KEY] for at in range(0, len(whole), KEY)]
        answers, errors = self.store.answers(keys), self.store.errors(keys)
        bracketed = {key: f"({error})" for key, error in errors.items()}
        texts = {key: answer.text for key, answer in answers.items()}
        return [texts.get(key) or bracketed.get(key) for key in keys]


NAMES = [f"row {number}" for number in range(50)]


def test_each_row_gets_its_answer_in_order() -> None:
    bench = Bench(NAMES)
    assert bench.go().state == "done"
    assert bench.table() == [f"yes, {name}" for name in NAMES]
    assert bench.executor.asked == NAMES


def test_equal_rows_are_asked_once_wherever_they_stand() -> None:
    batches = iter([[("a",), ("b",), ("a",)], [("a",)], [("b",), ("c",)]])
    bench = Bench([""] * 6, batches=batches)
    progress = bench.go()
    assert sorted(bench.executor.asked) == ["a", "b", "c"]
    assert bench.table() == [f"yes, {name}" for name in "abaabc"]
    assert (progress.done, progress.known, progress.total) == (6, 3, 6)


def test_equal_rows_are_asked_one_by_one_if_each_is_wanted() -> None:
    bench = Bench(["a", "a", "a"], options=RunOptions(each=True))
    bench.go()
    assert bench.executor.asked == ["a", "a", "a"]
    again = Bench(
        ["a", "a", "a", "a"], options=RunOptions(each=True), store=bench.store
    )
    again.go()
    assert again.executor.asked == ["a"]


def test_equal_rows_that_fail_are_asked_once_and_all_have_the_error() -> None:
    batches = iter([[("a",)], [("a",)], [("b",)], [("a",)]])
    bench = Bench(
        [""] * 4,
        lambda text, _: RowFailure("no") if text == "a" else yes(text),
        batches=batches,
        width=1,
    )
    progress = bench.go()
    assert bench.executor.asked.count("a") == 1
    assert bench.table() == ["(no)", "(no)", "yes, b", "(no)"]
    assert (progress.done, progress.errors) == (4, 3)


def test_tokens_are_counted_of_rows_that_fail_too() -> None:
    bench = Bench(["a", "b"], lambda *_: RowFailure("no"))
    progress = bench.go()
    assert (progress.prompt_tokens, progress.completion_tokens) == (20, 10)


# Refused for now, and lost


def test_a_busy_server_burns_no_row() -> None:
    def busy(text: str, times: int) -> Result:
        return RowFailure("busy", "busy", 2.0) if times < 30 else yes(text)

    bench = Bench(NAMES[:3], busy)
    assert bench.go().state == "done"
    assert bench.table() == [f"yes, {name}" for name in NAMES[:3]]
    assert bench.progress.refused == 3 * 29


def test_a_server_that_is_busy_for_ever_ends_the_run() -> None:
    bench = Bench(NAMES, lambda *_: RowFailure("overloaded", "busy"))
    before = bench.clock.now
    progress = bench.go()
    assert progress.state == "failed"
    assert "took no row for 10 minutes: overloaded" in progress.reason
    assert PATIENCE <= bench.clock.now - before < 2 * PATIENCE
    assert (progress.errors, progress.done) == (0, 0)


def test_a_wait_that_the_server_names_is_no_reason_to_give_up() -> None:
    clock = Clock()
    giving_up = GivingUp(clock=clock)
    assert not giving_up.busy("later", 3600)
    clock.now += 3600 + PATIENCE - 1
    assert not giving_up.busy("later", 3600)
    clock.now += 2
    assert giving_up.busy("later", 3600)


def test_a_row_that_gets_lost_is_asked_three_times() -> None:
    def lost(text: str, times: int) -> Result:
        gone = {"row 1": 3, "row 2": 2}.get(text, 0)
        return RowFailure("cut off", "lost") if times <= gone else yes(text)

    bench = Bench(NAMES[:4], lost)
    assert bench.go().state == "done"
    assert bench.table() == ["yes, row 0", "(cut off)", "yes, row 2", "yes, row 3"]
    assert bench.executor.asked.count("row 1") == 3


def test_rows_that_were_refused_before_are_not_nearer_to_being_lost() -> None:
    results = [RowFailure("busy", "busy", 0.1)] * 5 + [RowFailure("gone", "lost")] * 2
    bench = Bench(
        ["a"], lambda text, n: results[n - 1] if n <= len(results) else yes(text)
    )
    bench.go()
    assert bench.table() == ["yes, a"]


def test_a_server_that_is_gone_ends_the_run_after_three_looks() -> None:
    bench = Bench(NAMES, lambda *_: REFUSED)
    before = bench.clock.now
    progress = bench.go()
    assert (progress.state, progress.reason) == ("failed", "connection refused")
    assert len(bench.executor.asked) == 8 + 1 + 1  # one row looks for it
    assert bench.clock.now - before >= 3.0
    assert progress.errors == 0


def test_a_server_that_goes_away_is_waited_for_and_the_line_says_so() -> None:
    looks: list[float] = []
    lines: set[str] = set()

    def answer(text: str, _times: int) -> Result:
        if len(bench.executor.asked) <= 10:
            return yes(text)
        looks.append(bench.clock.now)
        return REFUSED

    bench = Bench(NAMES, answer, tell=lambda: lines.add(bench.progress.line()))
    progress = bench.go()
    assert progress.state == "failed"
    assert "was not there for 10 minutes: connection refused" in progress.reason
    assert (progress.done, progress.errors) == (10, 0)
    alone = sorted(set(looks))
    waits = [b - a for a, b in itertools.pairwise(alone)]
    assert waits[:6] == pytest.approx([1, 2, 4, 8, 16, 32], abs=0.2)
    assert max(waits) < 60.2
    assert len(looks) == len(alone) + 5  # those in flight, then one at a time
    assert "10 of 50 · Waiting 32 s: the server cannot be reached" in lines


def test_a_server_that_comes_back_is_asked_on() -> None:
    bench = Bench(NAMES, lambda text, times: REFUSED if times < 3 else yes(text))
    assert bench.go().state == "done"
    assert bench.table() == [f"yes, {name}" for name in NAMES]


def test_a_server_that_gets_lost_for_good_ends_the_run() -> None:
    def gone(text: str, _times: int) -> Result:
        early = int(text.split()[1]) < 10
        return yes(text) if early else RowFailure("cut off 123", "lost")

    bench = Bench(NAMES, gone)
    progress = bench.go()
    assert progress.state == "failed"
    assert progress.reason.startswith("20 rows in turn failed: cut off")
    assert 20 <= progress.errors < 20 + 8  # those in flight came, too


# Ended early


def test_what_all_rows_will_meet_ends_the_run_at_once() -> None:
    bench = Bench(NAMES, lambda *_: RowFailure("wrong key", "run"))
    progress = bench.go()
    assert (progress.state, progress.reason) == ("failed", "wrong key")
    assert progress.errors == 0
    assert len(bench.executor.asked) == 8
    assert set(bench.table()) == {None}


def test_the_first_rows_that_fail_alike_end_the_run() -> None:
    counts = iter(range(100))
    bench = Bench(NAMES, lambda *_: RowFailure(f"no: request {next(counts)}"), width=1)
    progress = bench.go()
    assert progress.state == "failed"
    assert progress.reason == "the first 20 rows all failed: no: request 19"
    assert progress.errors == len(bench.executor.asked) == 20


def test_rows_that_fail_in_different_ways_or_after_an_answer_do_not() -> None:
    bench = Bench(NAMES, lambda text, _: RowFailure("odd" if text[-1] in "13" else "x"))
    assert bench.go().state == "done"

    def first(text: str, _times: int) -> Result:
        return yes(text) if text == "row 0" else RowFailure("no")

    bench = Bench(NAMES, first, width=1)
    assert bench.go().state == "done"
    assert bench.progress.errors == 49


def test_rows_that_are_not_asked_end_no_run() -> None:
    def refuse(text: str) -> None:
        raise ConfigurationError(f"{text} holds a secret")

    bench = Bench(NAMES, check=refuse)
    assert bench.go().state == "done"
    assert bench.table()[0] == "(row 0 holds a secret)"
    assert not bench.executor.asked
    assert (bench.progress.unasked, bench.progress.asked) == (50, 0)


def test_rows_without_a_question_are_none_of_the_errors_that_end_a_run() -> None:
    texts = [*[None, ""] * 5, *NAMES[:3], "bad", "bad"]

    def answer(text: str, _times: int) -> Result:
        return RowFailure("no") if text == "bad" else yes(text)

    bench = Bench(texts, answer, options=RunOptions(max_errors=2))
    progress = bench.go()
    assert (progress.state, progress.errors, progress.unasked) == ("done", 12, 10)
    assert progress.asked == 5


def test_more_errors_than_are_allowed_end_the_run() -> None:
    bench = Bench(
        NAMES,
        lambda text, _: RowFailure("no") if int(text[4:]) % 2 else yes(text),
        options=RunOptions(max_errors=4),
        width=1,
    )
    progress = bench.go()
    assert progress.state == "failed"
    assert progress.reason == "more than 4 errors, the last: no"
    assert progress.errors == 5


def test_a_run_stops_before_it_costs_more_than_its_budget() -> None:
    bench = Bench(
        NAMES, options=RunOptions(budget=0.000_2), price=Price(1, 2)
    )  # 0.000,02 a row
    progress = bench.go()
    assert progress.state == "stopped"
    assert progress.reason.startswith("the budget of 0.00020 is used: the run cost 0.0")
    answered = sum(answer is not None for answer in bench.table())
    assert answered == len(bench.executor.asked) == 9


def test_a_budget_holds_where_no_row_is_answered() -> None:
    numbers = iter(range(1000))
    bench = Bench(
        NAMES,
        lambda *_: RowFailure(f"{'no' * next(numbers)}"),
        options=RunOptions(budget=0.000_2),
        price=Price(1, 2),
    )
    progress = bench.go()
    assert progress.state == "stopped"
    assert progress.cost is not None
    assert 0.000_1 < progress.cost <= 0.000_2


def test_a_table_that_cannot_be_read_to_its_end_keeps_what_came() -> None:
    def batches() -> Iterator[list[tuple[object, ...]]]:
        yield [(name,) for name in NAMES[:20]]
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    bench = Bench(NAMES, batches=batches())
    progress = bench.go()
    assert progress.state == "failed"
    assert progress.reason.startswith(
        "the table could not be read after row 20: UnicodeDecodeError: 'utf-8'"
    )
    assert bench.table() == [f"yes, {name}" for name in NAMES[:20]]
    assert progress.total == 50


def test_a_mistake_in_telling_ends_the_run_and_keeps_what_came() -> None:
    def tell() -> None:
        if bench.progress.done:
            raise ZeroDivisionError("tell")

    bench = Bench(NAMES, tell=tell)
    with pytest.raises(ZeroDivisionError):
        bench.go()
    assert bench.executor.stopped
    assert bench.progress.state == "failed"
    assert bench.table()[0] == "yes, row 0"


def test_errors_are_masked_wherever_they_come_from() -> None:
    def mask(text: str) -> str:
        return text.replace("sk-1", "***")

    bench = Bench(["a"], lambda *_: RowFailure("KeyError: sk-1"), mask=mask)
    bench.go()
    assert bench.table() == ["(KeyError: ***)"]
    assert bench.progress.most_frequent(1) == [("KeyError: ***", 1)]
    bench = Bench(["a"], lambda *_: RowFailure("no sk-1", "run"), mask=mask)
    assert bench.go().reason == "no ***"


# Stopped


def test_a_stopped_run_keeps_what_came_and_what_was_there_already() -> None:
    bench = Bench(NAMES)
    bench.executor.on_wait = bench.run.stop
    progress = bench.go()
    assert (progress.state, progress.errors) == ("stopped", 0)
    assert bench.table() == [*(f"yes, {n}" for n in NAMES[:8]), *[None] * 42]


def test_rows_in_flight_at_the_end_are_no_failures_and_are_asked_again() -> None:
    bench = Bench(NAMES[:10])
    bench.executor.hold = 3
    stop_at = iter(range(100))
    bench.executor.on_wait = lambda: next(stop_at) > 5 and bench.run.stop()  # type: ignore[func-returns-value,assignment,return-value]
    bench.go()
    assert bench.table().count(None) == 3
    again = Bench(NAMES[:10], store=bench.store)
    again.go()
    assert len(again.executor.asked) == 3


@pytest.mark.skipif(os.name == "nt", reason="raises a signal")
@pytest.mark.parametrize("moment", range(1, 40, 3))
def test_an_interrupt_at_any_moment_breaks_nothing_off(moment: int) -> None:
    moments = iter(range(1000))

    def answer(text: str, _times: int) -> Result:
        if next(moments) == moment:
            os.kill(os.getpid(), signal.SIGINT)
        return yes(text)

    handler = signal.getsignal(signal.SIGINT)
    bench = Bench(NAMES, answer)
    assert bench.go().state == "stopped"
    assert signal.getsignal(signal.SIGINT) is handler
    answered = [text for text in bench.table() if text]
    assert len(answered) == len(bench.executor.asked)  # all that came is kept


@pytest.mark.skipif(os.name == "nt", reason="raises a signal")
def test_an_interrupt_ends_the_reading_of_a_table_that_takes_long() -> None:
    def batches() -> Iterator[list[tuple[object, ...]]]:
        yield [(name,) for name in NAMES[:4]]
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(60)
        yield []

    bench = Bench(NAMES, batches=batches())
    assert bench.go().state == "stopped"
    assert len(bench.table()) == 4


def test_known_rows_are_told_of_while_a_long_table_is_read() -> None:
    names = [f"row {number}" for number in range(500)]
    first = Bench(names)
    first.go()
    batches = iter(
        [[(name,) for name in names[at : at + 50]] for at in range(0, 500, 50)]
    )
    told: list[int] = []
    again = Bench(names, store=first.store, batches=batches)
    again.run._tell = lambda: told.append(again.progress.known)
    assert again.go().known == 500
    assert told[:3] == [50, 100, 150]
    assert not again.executor.asked
