"""The file: its making, its rights, its versions, and what comes in and out of it."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from h2o_magic.chat.turns import Turn
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.store import Database, StoreError, schema


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_the_files_are_for_this_user_only_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    path = tmp_path / "folder" / "store.db"
    before = os.umask(umask)
    try:
        record = Record(path, "notebook")
        record.begin("main", Turn("q"))
    finally:
        os.umask(before)
    names = ["store.db", "store.db-shm", "store.db-wal"]
    assert sorted(file.name for file in path.parent.iterdir()) == names
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}
    assert mode(path.parent) == 0o700
    record.close()


def test_a_folder_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    Record(tmp_path / "store.db", "notebook").count("main")
    assert mode(tmp_path) == 0o750


def test_nothing_is_made_before_the_first_use(tmp_path: Path) -> None:
    record = Record(tmp_path / "folder" / "store.db", "notebook")
    record.close()
    assert [*tmp_path.iterdir()] == []


def test_kernels_read_while_another_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    record, other = Record(path, "notebook"), Record(path, "notebook")
    record.begin("main", Turn("q"))
    assert other.count("main") == 1
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert other.count("main") == 1
    writer.close()
    record.close()
    other.close()


def test_an_open_file_is_set_up_for_several_kernels(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "store.db")
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    found = [database.value(f"PRAGMA {name}") for name in names]
    assert found == ["wal", 1, 1, 10_000]
    assert database.value("PRAGMA user_version") == len(schema.MIGRATIONS)
    database.close()


def test_a_file_that_cannot_have_the_log_is_written_with_a_flush_each(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    Database.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    database = Database.open(path)
    assert database.value("PRAGMA synchronous") == 2
    database.close()


# Versions

STEP = (
    "ALTER TABLE turns ADD COLUMN rating INTEGER",
    "UPDATE turns SET rating = 5",
)


def test_a_file_of_an_older_version_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    record = Record(path, "notebook")
    old = record.begin("main", Turn("q", "a"))
    record.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, STEP))
    record = Record(path, "notebook")
    assert record.turns("main") == (old,)
    record.close()
    database = Database.open(path)
    assert database.value("PRAGMA user_version") == len(schema.MIGRATIONS)
    assert database.value("SELECT rating FROM turns") == 5
    database.close()


def test_a_step_that_fails_leaves_the_older_version_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    Database.open(path).close()
    broken = (*STEP, "INSERT INTO nowhere VALUES (1)")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
        with pytest.raises(StoreError, match="no such table: nowhere"):
            Database.open(path)
    database = Database.open(path)
    assert database.value("PRAGMA user_version") == len(schema.MIGRATIONS)
    with pytest.raises(sqlite3.OperationalError, match="rating"):
        database.execute("SELECT rating FROM turns")
    database.close()


def test_a_file_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Record(path, "notebook").begin("main", Turn("q"))
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    connection.close()
    before = path.read_bytes()
    record = Record(path, "notebook")
    record.begin("main", Turn("q2"))
    assert [turn.question for turn in record.turns("main")] == ["q2"]
    assert record.trouble == (
        f"cannot save the conversation in {path}: the file was written by a newer "
        "version of this package. The chat is kept in memory until the kernel ends: "
        "update it (`pip install -U h2o-magic`) and restart the kernel"
    )
    record.close()
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("version", [0, 1, 7])
def test_another_programs_database_is_not_touched(tmp_path: Path, version: int) -> None:
    path = tmp_path / "store.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE turns (mine)")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    before = path.read_bytes()
    record = Record(path, "notebook")
    assert "the file" in record.trouble
    record.close()
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


# Texts

TEXTS = [
    "",
    "a\0b\0",
    "\r\n\t\x1b",
    "👩🏽‍🚀 日本語 ß",
    "half a pair \ud83d, and the other \ude00",
    "x" * 1_000_000,
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:12]))
def test_any_text_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    turn = Turn(
        text,
        text,
        "stopped",
        cell=text,
        system=text,
        model=text,
        begins=True,
        asked_at=1.5,
        facts={"text": text, "list": [1, None, 2.5, {"deep": True}]},
    )
    key, thread = f"key {text}", f"thread {text}"
    record = Record(tmp_path / "store.db", key, cell=text)
    begun = record.begin(thread, turn)
    assert record.begin(thread, turn).number == 1  # its cell was found again
    record.update(begun.id, answer=text, status="complete", facts={"a": text})
    record.thread = thread
    record.close()
    record = Record(tmp_path / "store.db", key)
    assert record.turns(thread) == (turn,)
    assert [info.name for info in record.threads()] == [thread]
    assert record.undo(thread) is not None
    assert record.turn(thread, 1).facts == {"a": text}
    assert record.thread == thread
    record.close()


@pytest.mark.parametrize("facts", [{"a": object()}, {"a": float("nan")}, {"a": {1}}])
def test_facts_that_are_no_json_are_the_programs_fault(
    facts: dict[str, object],
) -> None:
    record = Record(None, "notebook")
    with pytest.raises((TypeError, ValueError)):
        record.begin("main", Turn("q", facts=facts))
    assert record.count("main") == 0
    record.close()


def test_a_time_that_is_no_number_is_unknown() -> None:
    record = Record(None, "notebook")
    record.begin("main", Turn("q", asked_at=float("nan")))
    assert record.turn("main", 1).asked_at == 0
    record.close()


LOAD = """
import sqlite3, sys
import h2o_magic.chat.turns, h2o_magic.errors
before = set(sys.modules)
from pathlib import Path
from h2o_magic.conversation.record import Record
assert Record(Path(sys.argv[1]), "notebook").count("main") == 0
print(*sorted(set(sys.modules) - before))
"""


def test_opening_the_file_imports_few_modules(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "store.db")],
        capture_output=True,
        text=True,
        check=True,
    )
    new = set(done.stdout.split())
    assert new & {"logging", "typing_extensions", "inspect", "asyncio"} == set()
    assert len([name for name in new if not name.startswith("h2o_magic")]) <= 25, new
