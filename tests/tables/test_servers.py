"""Several servers that share the rows of a run."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from h2o_magic.tables.executors import RowExecutor, Ticket
from h2o_magic.tables.executors.servers import Member, SeveralServers
from h2o_magic.tables.pacing.pace import Pace
from h2o_magic.tables.running import giving_up
from h2o_magic.tables.running.outcome import Outcome, RowAnswer, RowFailure
from h2o_magic.tables.running.progress import Progress
from tests.tables.rows_server import RowsServer, rows_server
from tests.tables.runs import answers, asked, texts

Two = tuple[RowsServer, RowsServer]
SLOTS = 8


@pytest.fixture(scope="module")
def running() -> Iterator[Two]:
    with ExitStack() as stack:
        yield (
            stack.enter_context(rows_server(slots=SLOTS)),
            stack.enter_context(rows_server(slots=SLOTS)),
        )


@pytest.fixture
def two(running: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Two:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))
    for server in running:
        server.configure(delay=0, rate=0, key="")
    return running


def expected(count: int) -> list[object]:
    return [f"Answer to: Rate: review {number}" for number in range(count)]


def requests(servers: Sequence[RowsServer]) -> list[int]:
    return [server.stats()["requests"] for server in servers]


def test_two_servers_are_both_as_busy_as_they_can_be(two: Two) -> None:
    for server in two:
        server.configure(delay=0.2)
    both = asked(texts(6 * SLOTS), *two, width=SLOTS)
    assert answers(both) == expected(6 * SLOTS)
    assert [server.stats()["most"] for server in two] == [SLOTS, SLOTS]
    assert min(requests(two)) >= 2 * SLOTS


@pytest.mark.nightly
def test_two_servers_answer_nearly_twice_as_many_rows(two: Two) -> None:
    for server in two:
        server.configure(delay=0.5)
    one = asked(texts(10 * SLOTS), two[0], width=SLOTS)
    both = asked(texts(20 * SLOTS), *two, width=SLOTS)
    assert answers(both) == expected(20 * SLOTS)
    assert 2 * one.progress.seconds / both.progress.seconds >= 1.9


def test_the_rows_of_a_server_that_dies_go_to_the_other(
    tmp_path: Path, two: Two
) -> None:
    with rows_server(delay=0.02) as mortal:

        def kill(progress: Progress) -> None:
            if progress.done >= 60:
                mortal.process.kill()

        two[0].configure(delay=0.02)
        mapped = asked(texts(400), two[0], mortal, width=SLOTS, tell=kill)
    assert answers(mapped) == expected(400)
    assert mapped.progress.state == "done"
    assert two[0].stats()["requests"] < 400  # the other one had some


def test_rows_that_begin_alike_go_to_one_server(two: Two) -> None:
    table = [
        {"document": f"document {number} " + "word " * 100, "text": f"question {each}"}
        for number in range(30)
        for each in range(10)
    ]
    for server in two:
        server.configure(delay=0.01)
    mapped = asked(table, *two, prompt="Read: {document}\n{text}", width=SLOTS)
    assert all(answers(mapped))
    places: dict[str, Counter[int]] = {}
    for place, server in enumerate(two):
        for question in server.stats()["questions"]:
            document = question.split("document ")[1].split()[0]
            places.setdefault(document, Counter())[place] += 1
    at_one = sum(max(counts.values()) for counts in places.values())
    assert at_one >= 0.85 * len(table)  # by chance, it would be about 0.6
    assert min(requests(two)) >= 0.3 * len(table)


def test_each_server_is_asked_at_a_pace_of_its_own(two: Two) -> None:
    two[0].configure(rate=20)
    mapped = asked(texts(200), *two)
    assert answers(mapped) == expected(200)
    assert two[1].stats()["refused"] == 0
    assert two[1].stats()["requests"] > two[0].stats()["requests"]


def test_a_pool_may_ask_several_servers(two: Two) -> None:
    with ThreadPoolExecutor(4) as pool:
        for server in two:
            server.configure(delay=0.02)
        mapped = asked(texts(60), *two, executor=pool)
    assert answers(mapped) == expected(60)
    assert min(requests(two)) >= 20
    assert [server.stats()["most"] for server in two] == [2, 2]


def test_a_server_that_refuses_the_key_is_left_out_and_the_other_asked(
    two: Two,
) -> None:
    two[1].configure(key="another")
    mapped = asked(texts(60), *two)
    assert mapped.progress.state == "done"
    assert answers(mapped) == expected(60)
    assert two[0].stats()["requests"] == 60
    assert "1 server left out" in mapped.progress.line()
    (note,) = mapped.notes
    assert "was left out: Incorrect API key" in note
    assert two[1].url in note


def test_a_run_ends_when_the_last_server_refuses_the_key(two: Two) -> None:
    for server in two:
        server.configure(key="another")
    mapped = asked(texts(60), *two)
    assert mapped.progress.state == "failed"
    assert "Incorrect API key" in mapped.progress.reason
    assert len(mapped.progress.left_out) == 2


def test_a_run_ends_when_the_last_server_is_gone(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving_up, "PATIENCE", 2.0)
    with rows_server() as one, rows_server() as other:

        def kill(progress: Progress) -> None:
            one.process.kill()
            other.process.kill()

        mapped = asked(texts(400), one, other, tell=kill)
    assert mapped.progress.state == "failed"
    assert "refused" in mapped.progress.reason
    assert len(mapped.progress.left_out) == 2


def test_a_row_has_the_key_of_the_first_server_whichever_answers(two: Two) -> None:
    assert answers(asked(texts(20), two[0], keep=True)) == expected(20)
    both = asked(texts(60), *two, keep=True)
    assert answers(both) == expected(60)
    assert both.progress.known == 20
    assert sum(requests(two)) == 60
    assert two[1].stats()["requests"]
    assert asked(texts(60), two[0], keep=True).progress.known == 60
    assert sum(requests(two)) == 60


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class _Scripted(RowExecutor):
    """Answers what it has, in any order; while it is `down`, all fails as it says."""

    def __init__(self, chance: random.Random) -> None:
        self.down: RowFailure | None = None
        self._chance = chance
        self._open: list[int] = []

    def submit(self, tickets: Sequence[Ticket]) -> None:
        self._open += [number for number, _ in tickets]

    def outcomes(self, timeout: float) -> list[Outcome]:  # noqa: ARG002
        self._chance.shuffle(self._open)
        some = self._chance.randint(0, len(self._open))
        found, self._open = self._open[:some], self._open[some:]
        result = self.down or RowAnswer("x", seconds=1.0)
        return [Outcome(number, result) for number in found]

    def stop(self) -> None: ...


LOST, GONE = RowFailure("broke off", "lost"), RowFailure("refused", "lost", 1.0)


def _servers(
    count: int, chance: random.Random, clock: _Clock, left_out: dict[str, str]
) -> tuple[list[_Scripted], list[Member], SeveralServers]:
    executors = [_Scripted(chance) for _ in range(count)]
    members = [
        Member(str(place), each, Pace(4, 4, clock), clock=clock)
        for place, each in enumerate(executors)
    ]
    return executors, members, SeveralServers(members, lambda text: text[:1], left_out)


@pytest.mark.parametrize("seed", range(5))
def test_each_row_comes_back_once_whatever_happens(seed: int) -> None:
    chance, clock = random.Random(seed), _Clock()
    executors, members, servers = _servers(3, chance, clock, {})
    waiting, open_, answered, numbers = list(range(300)), 0, [], {}
    asked_at_once = 0
    for _ in range(10_000):
        clock.now += 0.1
        down = chance.choice((None, None, LOST, GONE))
        executors[chance.randrange(3)].down = down
        room = servers.room(open_)
        for _row in range(min(room, len(waiting))):
            ticket = len(numbers)
            numbers[ticket] = waiting.pop()
            servers.submit([(ticket, f"{numbers[ticket] % 7} text")])
            open_ += 1
        asked_at_once = max(asked_at_once, *(each.in_flight for each in members))
        for outcome in servers.outcomes(0):
            open_ -= 1
            row = numbers[outcome.ticket]
            if isinstance(outcome.result, RowAnswer):
                answered.append(row)
            else:
                waiting.append(row)
        if len(answered) == 300:
            break
    assert sorted(answered) == list(range(300))
    assert open_ == 0
    assert asked_at_once <= 4


def test_a_server_that_is_gone_is_asked_again_after_waits_that_grow() -> None:
    clock, left_out = _Clock(), dict[str, str]()
    executors, members, servers = _servers(2, random.Random(1), clock, left_out)
    executors[1].down = GONE
    open_, failures, waits = set[int](), 0, dict[float, None]()
    for ticket in range(100_000):
        clock.now += 0.01
        if clock.now > 20:
            executors[1].down = None
        if servers.room(len(open_)):
            open_.add(ticket)
            servers.submit([(ticket, f"{ticket}")])
        for outcome in servers.outcomes(0):
            open_.remove(outcome.ticket)
            failures += not isinstance(outcome.result, RowAnswer)
        if clock.now < 20 and members[1].away:
            waits[members[1].wait] = None
            assert left_out == {"1": "refused"}
        if clock.now > 40:
            break
    assert failures == 0  # the run hears nothing of it
    assert list(waits)[:3] == [1.0, 2.0, 4.0]
    assert members[1].wait == 0  # it has come back
    assert left_out == {}
