"""Several servers that share the rows of a run."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from h2o_magic.conversation.answering import Serving
from h2o_magic.tables.executors import RowExecutor, Ticket
from h2o_magic.tables.executors.servers import Member, SeveralServers
from h2o_magic.tables.pacing.pace import Pace
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
        server.configure(delay=0, rate=0)
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


def test_several_servers_have_one_name_in_any_order() -> None:
    one, other = (Serving(name, lambda: None) for name in ("b", "a"))  # type: ignore[arg-type, return-value]
    assert (
        Serving.shared([one, other]).name == Serving.shared([other, one]).name == "a, b"
    )


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class _Scripted(RowExecutor):
    """Answers what it has, in any order, and loses all of it while it is `down`."""

    def __init__(self, chance: random.Random) -> None:
        self.down = False
        self._chance = chance
        self._open: list[int] = []

    def submit(self, tickets: Sequence[Ticket]) -> None:
        self._open += [number for number, _ in tickets]

    def outcomes(self, timeout: float) -> list[Outcome]:  # noqa: ARG002
        self._chance.shuffle(self._open)
        some = self._chance.randint(0, len(self._open))
        found, self._open = self._open[:some], self._open[some:]
        failure = RowFailure("refused", "lost")
        return [
            Outcome(number, failure if self.down else RowAnswer("x", seconds=1.0))
            for number in found
        ]

    def stop(self) -> None: ...


@pytest.mark.parametrize("seed", range(5))
def test_each_row_comes_back_once_whatever_happens(seed: int) -> None:
    chance, clock = random.Random(seed), _Clock()
    executors = [_Scripted(chance) for _ in range(3)]
    members = [Member(each, Pace(4, 4, clock), clock=clock) for each in executors]
    servers = SeveralServers(members, lambda text: text[:1])
    waiting, open_, answered, numbers = list(range(300)), 0, [], {}
    asked_at_once = 0
    for _ in range(10_000):
        clock.now += 0.1
        executors[chance.randrange(3)].down = chance.random() < 0.3
        room = servers.pace.room(open_)
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
