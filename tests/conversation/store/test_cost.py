"""What a question costs in a long conversation: counted, not timed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.store import Database
from h2o_magic.conversation.store import database as connection

COUNT = 10_000


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with a long conversation in each of two threads."""
    path = tmp_path_factory.mktemp("long") / "store.db"
    record = Record(path, "notebook", cell="loader")
    turns = tuple(
        Turn(f"question {i}", "answer " * 100, cell=f"cell {i}") for i in range(COUNT)
    )
    record.add([Thread("main", turns), Thread("other", turns)])
    record.close()
    return path


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Note all statements that are run, also by opening the file."""
    said: list[str] = []
    connect = connection._connect

    def traced(name: str) -> object:
        new = connect(name)
        new.set_trace_callback(said.append)
        return new

    monkeypatch.setattr(connection, "_connect", traced)
    yield said
    assert said


def ask(record: Record, cell: str) -> None:
    """Do what one question does."""
    assert record.thread is None
    assert len([*islice(record.before("main", cell), 20)]) == 20
    record.counts_around("main", cell)
    turn = record.begin("main", Turn("new", status="incomplete", cell=cell))
    record.update(turn.id, answer="a", status="complete", facts={})
    assert len(record.turns("main", last=20)) == 20
    record.turn("main", 30)


def others(record: Record, cell: str) -> None:
    """Do what other commands do; listing the threads is to read their index only."""
    ask(record, cell)
    assert record.undo("main")
    assert record.redo("main")
    assert record.keys_of_cell(cell)
    assert record.drop_cell("main", cell)
    assert record.undo("main")
    assert sum(record.counts("main").values()) >= COUNT - 2
    assert len(record.threads()) == 2
    assert len(record.newest()) > COUNT


def plans(path: Path, statements: list[str]) -> list[str]:
    database = Database.open(path)
    found = [
        f"{row[3]}  <-  {sql}"
        for sql in {*statements}
        if sql.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
        for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", (1,) * sql.count("?"))
    ]
    database.close()
    return found


@pytest.mark.parametrize("work", [ask, others])
@pytest.mark.parametrize("cell", ["a new cell", "cell 5000"])
def test_a_question_uses_indexes_only(
    long: Path,
    statements: list[str],
    work: Callable[[Record, str], None],
    cell: str,
) -> None:
    cells = [{"id": f"id {i}"} for i in range(500)]  # which are not known
    for key in ("notebook", "a new notebook"):
        file = long.with_name(f"{key}.ipynb")
        file.write_text(json.dumps({"cells": cells}))
        loader = "loader" if key == "notebook" else "none"
        record = Record(long, key, cell=loader, file=file)
        if key == "notebook":
            work(record, cell)
        assert record.came_from is None
        record.close()
    found = plans(long, [*statements])
    assert len(found) > 15
    assert [plan for plan in found if plan.startswith("SCAN turns")] == []
    # Only for a new one are the files of all compared with its own.
    scans = [plan for plan in found if plan.startswith("SCAN notebooks")]
    assert [
        plan for plan in scans if "SELECT id, file FROM notebooks" not in plan
    ] == []
    lists = ("count(*) FROM turns WHERE", "ORDER BY asked_at DESC")
    counts = [plan for plan in found if any(part in plan for part in lists)]
    assert counts
    reading = [plan for plan in counts if plan.startswith("SEARCH turns")]
    assert reading
    assert [plan for plan in reading if "COVERING INDEX" not in plan] == []


def test_opening_and_a_question_take_few_steps(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thousands: list[None] = []
    connect = connection._connect

    def counted(name: str) -> object:
        new = connect(name)
        new.set_progress_handler(lambda: thousands.append(None), 1000)
        return new

    monkeypatch.setattr(connection, "_connect", counted)
    record = Record(long, "notebook", cell="loader", file=long.with_name("a.ipynb"))
    assert record.count("main") > COUNT - 10
    assert len(thousands) * 1000 < 5 * COUNT
    ask(record, "a cell that is new, too")
    record.close()
    # SQLite's own steps: counting takes three for each turn, seven times here.
    # Reading the whole thread only once would take twenty more for each.
    assert len(thousands) * 1000 < 30 * COUNT
