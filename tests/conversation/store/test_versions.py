"""The versions of a turn: kept, chosen, taken back, and in the end forgotten."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from h2o_magic.chat.turns import Change, Turn
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.store import database, schema, undo
from h2o_magic.conversation.store.database import READ
from h2o_magic.errors import ConfigurationError


@pytest.fixture(params=["file", "memory"])
def record(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Record]:
    path = tmp_path / "store.db" if request.param == "file" else None
    record = Record(path, "notebook")
    yield record
    assert record.trouble == ""
    record.close()


def ask(record: Record, cell: str, question: str) -> None:
    record.begin("main", Turn(question, f"{question}!", cell=cell))


def questions(record: Record) -> str:
    return " ".join(turn.question for turn in record.turns("main"))


def versions(record: Record, number: int = 1) -> tuple[str, int]:
    found = record.versions("main", number)
    assert {turn.number for turn in found.turns} == {number}
    return " ".join(turn.question for turn in found.turns), found.chosen


def outdated(record: Record) -> str:
    return " ".join(turn.question for turn in record.turns("main") if turn.outdated)


def test_what_is_asked_again_keeps_its_earlier_versions(record: Record) -> None:
    ask(record, "a", "a1")
    ask(record, "b", "b1")
    ask(record, "a", "a2")
    ask(record, "a", "a3")
    assert versions(record) == ("a1 a2 a3", 3)
    assert versions(record, 2) == ("b1", 1)
    assert record.version_counts("main") == {record.turn("main", 1).id: (3, 3)}
    assert record.choose("main", 1, 2).question == "a2"
    assert (questions(record), versions(record)) == ("a2 b1", ("a1 a2 a3", 2))
    assert record.choose("main", 1, 2) == record.turn("main", 1)  # it is already
    assert record.undo("main") == Change("choose", ("main",), 1)
    assert versions(record) == ("a1 a2 a3", 3)
    assert record.undo("main") == Change("replace", ("main",), 1)
    assert versions(record) == ("a1 a2", 2)
    record.redo("main")
    record.redo("main")
    assert versions(record) == ("a1 a2 a3", 2)


def test_a_chosen_version_is_asked_again_from_its_cell(record: Record) -> None:
    ask(record, "a", "a1")
    ask(record, "a", "a2")
    record.choose("main", 1, 1)
    ask(record, "a", "a3")
    assert (questions(record), versions(record)) == ("a3", ("a1 a2 a3", 3))


def test_turns_are_outdated_if_they_were_asked_on_another_version(
    record: Record,
) -> None:
    ask(record, "a", "a1")
    ask(record, "b", "b1")
    assert outdated(record) == ""
    ask(record, "a", "a2")
    assert outdated(record) == "b1"
    record.choose("main", 1, 1)
    assert outdated(record) == ""  # on this one it was asked
    record.choose("main", 1, 2)
    assert outdated(record) == "b1"
    record.choose("main", 1, 1)
    ask(record, "c", "c1")
    record.choose("main", 1, 2)
    assert outdated(record) == "b1 c1"
    record.choose("main", 1, 1)
    assert outdated(record) == ""


def test_a_version_that_is_still_being_written_cannot_be_left(record: Record) -> None:
    ask(record, "a", "a1")
    running = record.begin("main", Turn("a2", status="incomplete", cell="a"))
    with pytest.raises(ConfigurationError, match="still being answered"):
        record.choose("main", 1, 1)
    record.update(running.id, answer="x", status="stopped", facts={})
    assert record.choose("main", 1, 1).question == "a1"


def test_versions_that_are_not_there_are_refused(record: Record) -> None:
    ask(record, "a", "a1")
    with pytest.raises(ConfigurationError, match="has 1 answer, there is no answer 2"):
        record.choose("main", 1, 2)
    with pytest.raises(ConfigurationError, match="there is no turn 2"):
        record.versions("main", 2)


def test_the_last_twenty_versions_outlive_what_can_be_taken_back(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "KEPT", 3)
    for number in range(30):
        ask(record, "a", f"a{number}")
    last = [f"a{number}" for number in range(10, 30)]
    assert versions(record) == (" ".join(last), 20)
    record.choose("main", 1, 1)
    for _ in range(5):  # what chose it can no longer be taken back
        ask(record, "b", "b")
    assert versions(record) == (" ".join(last), 1)
    ask(record, "a", "a30")
    assert versions(record) == (" ".join([*last[1:], "a30"]), 20)
    rows = record._run(READ, lambda d: d.value("SELECT count(*) FROM turns"))
    assert rows <= 20 + 3 + 5


def test_versions_go_with_a_turn_that_cannot_come_back(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "KEPT", 3)
    ask(record, "a", "a1")
    ask(record, "a", "a2")
    record.choose("main", 1, 1)
    record.drop("main", 1)
    for number in range(5):
        ask(record, "b", f"b{number}")
    found = record._run(
        READ, lambda d: d.execute("SELECT question FROM turns").fetchall()
    )
    assert all(question.startswith("b") for (question,) in found)


def test_a_fork_has_the_chosen_versions_only(record: Record) -> None:
    ask(record, "a", "a1")
    ask(record, "a", "a2")
    record.choose("main", 1, 1)
    record.fork("main", "copy", None)
    found = record.versions("copy", 1)
    assert [turn.question for turn in found.turns] == ["a1"]


def test_versions_are_there_after_a_failure_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.0)
    record = Record(tmp_path / "store.db", "key", on_trouble=lambda _: None)
    ask(record, "a", "a1")
    ask(record, "a", "a2")
    record.choose("main", 1, 1)
    writer = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert record.choose("main", 1, 2).question == "a2"
    assert record.trouble
    assert versions(record) == ("a1 a2", 2)
    writer.close()


def test_a_file_of_version_1_gets_versions(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connection_ = sqlite3.connect(path, isolation_level=None)
    for statement in schema.MIGRATIONS[0]:
        connection_.execute(statement)
    connection_.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection_.execute("PRAGMA user_version = 1")
    connection_.execute("INSERT INTO notebooks VALUES (1, 'key', NULL, NULL, NULL, 1)")
    connection_.execute("INSERT INTO threads VALUES (1, 1, 'main')")
    connection_.execute("INSERT INTO changes VALUES (1, 1, 'ask', 0, 0)")
    connection_.execute("INSERT INTO changes VALUES (2, 1, 'replace', 0, 0)")
    for id_, live, removed, question in ((1, 0, 2, "a1"), (2, 1, None, "a2")):
        connection_.execute(
            "INSERT INTO turns VALUES (?, 1, ?, 1, ?, ?, ?, 0, 1, 'complete', 'a', '', "
            "'', '{}', ?, 'yes')",
            (id_, live, id_, id_, removed, question),
        )
    connection_.close()
    record = Record(path, "key")
    assert versions(record) == ("a1 a2", 2)
    assert record.choose("main", 1, 1).question == "a1"
    assert record.undo("main") == Change("choose", ("main",), 1)
    assert not record.trouble
    record.close()
