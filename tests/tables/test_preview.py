"""What a run would ask: which rows are asked for that, and what the rest will take."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.openai.backend import OpenAIBackend
from h2o_magic.conversation.session import Session
from h2o_magic.tables.estimate import estimated, preview
from h2o_magic.tables.job import Job, RunOptions
from h2o_magic.tables.preview import Preview
from h2o_magic.tables.runner import prepare_job, run_job
from h2o_magic.tables.running.outcome import RowAnswer
from tests.tables.rows_server import RowsServer, rows_server
from tests.tables.simulated import Simulation

Prepare = Callable[..., Job]


@pytest.fixture(scope="module")
def server() -> Iterator[RowsServer]:
    with rows_server() as running:
        yield running


@pytest.fixture
def job(
    server: RowsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Prepare]:
    """Return what prepares a job, with these options, for the server."""
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))
    server.configure()
    session = Session(OpenAIBackend(f"{server.url}/v1"))
    session.configure(model="mock")

    def prepare(table: object, **options: Any) -> Job:
        return prepare_job(session, table, "{text}", options=RunOptions.of(**options))

    yield prepare
    session.close()


def shown(found: Preview) -> tuple[str, str]:
    return repr(found), found._repr_markdown_()


def test_sampled_rows_are_not_asked_again_though_each_is_asked_for_itself(
    server: RowsServer, job: Prepare
) -> None:
    table = [{"text": f"{'same' if n % 2 else 'other'}"} for n in range(60)]
    found = preview(job(table, each=True))
    assert (found.distinct, found.sampled, found.left) == (60, 20, 40)
    assert server.stats()["requests"] == 20
    mapped = run_job(job(table, each=True))
    assert (mapped.progress.known, server.stats()["requests"]) == (20, 60)


@pytest.mark.parametrize("price", ["1000/2000", None])
def test_a_small_table_says_what_it_took_and_that_nothing_is_left(
    job: Prepare, price: str | None
) -> None:
    table = [{"text": f"row {n}"} for n in range(3)]
    found = preview(job(table, price=price))
    assert (found.left, found.read, found.seconds) == (0, None, None)
    cost = ", cost 0.090" if price else ""
    for text in shown(found):
        assert "3 rows · 0 known · 3 asked for this preview · 0 to ask" in text
        assert f"60 tokens read and 15 written{cost}. Their answers" in text
        assert "no row is left to ask" in text
    assert pickle.loads(pickle.dumps(found)) == found
    assert "3 rows · 3 known · 0 to ask" in repr(preview(job(table, price=price)))


@pytest.mark.parametrize("option", [{"keep": False}, {"forget": True}])
def test_rows_that_the_run_asks_again_are_left(
    server: RowsServer, job: Prepare, option: dict[str, bool]
) -> None:
    table = [{"text": f"row {n}"} for n in range(3)]
    found = preview(job(table, **option))
    assert (found.sampled, found.left) == (3, 3)
    assert found.read is not None
    assert found.read.value == 60
    assert "The run asks them again." in repr(found)
    run_job(job(table, **option))
    assert server.stats()["requests"] == 6


def test_rows_that_failed_are_counted_and_left(job: Prepare) -> None:
    found = preview(job([{"text": "FAIL"}, {"text": "fine"}]))
    assert (found.sampled, found.failed, found.left) == (2, 1, 1)
    assert "The preview asked 2 rows: 1 error, " in repr(found)
    found = preview(job([{"text": "FAIL"}]))
    assert (found.left, found.read) == (1, None)
    assert "No row was answered: this row cannot be answered" in repr(found)
    assert "answers are kept" not in repr(found)


def test_a_budget_holds_for_the_preview_and_is_told_of_the_run(
    server: RowsServer, job: Prepare
) -> None:
    table = [{"text": f"row {n}"} for n in range(200)]
    found = preview(job(table, price="1000/2000", budget=3.0))  # 0.03 a row
    assert (found.sampled, found.cost is not None) == (20, True)
    said = "The budget of 3.00 is enough for about 100 rows: the run stops there."
    assert all(said in text for text in shown(found))
    assert "budget" not in repr(preview(job(table, price="1000/2000", budget=30)))
    before = server.stats()["requests"]
    found = preview(job(table, price="1000/2000", budget=0.2))
    assert found.sampled == server.stats()["requests"] - before <= 6


def test_long_prompts_are_shown_without_their_middle_and_equal_ones_once(
    job: Prepare,
) -> None:
    table = [{"text": text} for text in ("x" * 9000, "a", "a", "b")]
    found = preview(job(table))
    assert found.prompts == ("x" * 9000, "a", "b")
    for text in shown(found):
        assert len(text) < 3000
        assert "x\n[7,000 characters not shown]\nx" in text


def test_a_preview_that_forgets_is_no_run_that_does(
    server: RowsServer, job: Prepare
) -> None:
    table = [{"text": f"row {n}"} for n in range(3)]
    run_job(job(table))
    assert preview(job(table, forget=True)).sampled == 3
    assert run_job(job(table)).progress.known == 3


@pytest.mark.parametrize(("rows", "slots"), [(100, None), (400, 4)])
def test_the_time_is_that_of_a_run_within_a_factor_of_two(
    rows: int, slots: int | None
) -> None:
    """In the time of a simulated server, which takes 0.05 s for a row."""

    def latency(_random: random.Random) -> float:
        return 0.05

    def until(count: int) -> Simulation:
        server = Simulation(latency, slots=slots, says_slots=slots is not None)
        while len(server.answered) < count:
            server.run(server.now + 0.001)
        return server

    sample = until(20)
    answers = [RowAnswer("", seconds=0.055)] * 20
    known = Preview((), rows, rows, 0, left=rows - 20)
    found = estimated(known, answers, sample.pace.width, sample.now).seconds
    assert found is not None
    took = until(rows - 20).now
    assert took / 2 < found.value < took * 2
