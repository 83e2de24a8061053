"""Trouble with disk and file: the record goes on in memory, and says why once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.store import Database
from h2o_magic.conversation.store import database as connection
from h2o_magic.conversation.store.database import WRITE, store_error
from h2o_magic.errors import StoreError

MEMORY = "The chat is kept in memory until the kernel ends: "


class Told:
    """A record that keeps what it is told about trouble."""

    def __init__(self, path: Path, key: str = "notebook", cell: str = "loader") -> None:
        self.lines: list[str] = []
        self.record = Record(path, key, cell=cell, on_trouble=self.lines.append)

    def ask(self, question: str, answer: str = "answer") -> Turn:
        turn = self.record.begin("main", Turn(question, status="incomplete"))
        self.record.update(turn.id, answer=answer, status="complete", facts={})
        return turn

    def questions(self) -> list[str]:
        return [turn.question for turn in self.record.turns("main")]

    def check(self, path: Path, what: str) -> None:
        """Check that all works, in memory, and that one plain line was said."""
        before = self.questions()
        self.ask("one more")
        assert self.questions() == [*before, "one more"]
        assert self.record.undo("main") is not None
        assert self.record.redo("main") is not None
        assert self.record.turns("main")[-1].answer == "answer"
        assert self.record.path is None
        assert self.lines == [self.record.trouble]
        assert self.lines[0].startswith(f"cannot save the conversation in {path}: ")
        assert what in self.lines[0]
        assert MEMORY in self.lines[0]
        assert "\n" not in self.lines[0]
        self.record.close()


def filled(path: Path, count: int, answer: str = "answer " * 100) -> None:
    """Make a file with turns of this notebook and of others."""
    for key in ("another", "notebook", "a third"):
        turns = tuple(Turn(f"{key} {i}", answer) for i in range(count))
        record = Record(path, key, cell=f"loader of {key}")
        record.add([Thread("main", turns)])
        record.close()


def test_without_a_path_memory_is_no_trouble() -> None:
    record = Record(None, "notebook")
    record.begin("main", Turn("q"))
    assert (record.path, record.trouble, record.count("main")) == (None, "", 1)
    record.close()


def test_a_record_in_a_file_says_where_it_is(tmp_path: Path) -> None:
    record = Record(tmp_path / "store.db", "notebook")
    assert (record.path, record.trouble) == (tmp_path / "store.db", "")
    record.close()


# Places where no file can be: these hold for root, too.


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    told = Told(tmp_path / "file" / "store.db")
    told.check(tmp_path / "file" / "store.db", "Not a directory")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.mkdir()
    Told(path).check(path, "the file cannot be opened")
    assert [*path.iterdir()] == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_folder_that_cannot_be_written() -> None:
    path = Path("/proc/self/store.db")
    told = Told(path)
    told.check(path, "make the file and its folder writable, or set H2O_MAGIC_HOME")


READ_ONLY = """
import os, sys
from pathlib import Path
from h2o_magic.conversation.record import Record
from h2o_magic.chat.turns import Turn

Path(sys.argv[1]).as_uri()  # imports what the other user may not be able to read
os.setuid(65534)
lines = []
record = Record(Path(sys.argv[1]), "notebook", on_trouble=lines.append)
record.begin("main", Turn("one more"))
print(record.count("main"), record.turn("main", 1).question, *lines, sep="\\n")
"""


@pytest.mark.skipif(
    os.name != "posix" or os.getuid() != 0, reason="becomes another user, as root can"
)
@pytest.mark.parametrize("log", [False, True])
def test_a_file_that_can_only_be_read_is_taken_over(tmp_path: Path, log: bool) -> None:
    folder = Path(os.path.realpath(f"/tmp/h2o_magic-{os.getpid()}-{log}"))
    folder.mkdir()
    path = folder / "store.db"
    try:
        filled(path, 3)
        keeper = Database.open(path)  # with the log beside it, or without
        if not log:
            keeper.close()
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        before = path.read_bytes()
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        keeper.close()
    finally:
        for file in [*folder.iterdir()]:
            file.unlink()
        folder.rmdir()
    assert done.returncode == 0, done.stderr
    count, first, *lines = done.stdout.splitlines()
    assert (count, first, len(lines)) == ("4", "notebook 0", 1)
    assert "cannot be written" in lines[0]
    assert before


# Files that are damaged


@pytest.mark.parametrize("content", [b"\0" * 5000, b"garbage " * 999, b"SQLite"])
def test_a_file_that_is_no_store_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)
    Told(path).check(path, "the file is damaged or is no database")
    assert path.read_bytes() == content


@pytest.mark.parametrize("size", [50, 600, 4096, 9000])
def test_a_truncated_file_stays_as_it_is(tmp_path: Path, size: int) -> None:
    path = tmp_path / "store.db"
    filled(path, 20)
    content = path.read_bytes()[:size]
    path.write_bytes(content)
    Told(path).check(path, "the file is damaged")
    assert path.read_bytes() == content


def test_a_file_damaged_in_the_middle_gives_what_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path, 200)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 3 * 4096] = b"\xff" * (3 * 4096)
    path.write_bytes(content)
    told = Told(path)
    found = told.questions()
    told.check(path, "the file is damaged")
    assert 150 < len(found) < 200
    assert set(found) < {f"notebook {i}" for i in range(200)}
    # Turns that were written before stay written; the damage is left as it is.
    after = path.read_bytes()
    assert len(after) == len(content)
    assert after[middle:] == content[middle:]


def test_a_file_damaged_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path, 200)
    told = Told(path)
    running = told.record.begin("main", Turn("running", status="incomplete"))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    told.record.turns("main")
    told.record.update(running.id, answer="whole", status="complete", facts={"a": 1})
    (last,) = told.record.turns("main", last=1)
    assert (last.question, last.answer, last.facts) == ("running", "whole", {"a": 1})
    told.check(path, "the file is damaged")


def test_damaged_facts_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    told = Told(path)
    told.ask("q")
    other = sqlite3.connect(path)
    other.execute("UPDATE turns SET facts = '{\"a\": '")
    other.commit()
    other.close()
    assert told.record.turn("main", 1).facts == {}
    assert told.record.trouble == ""
    told.record.close()


# A disk that fills up


FULL = """
import resource, sys
from pathlib import Path
from h2o_magic.conversation.record import Record
from h2o_magic.chat.turns import Turn

path = Path(sys.argv[1])
lines = []
record = Record(path, "notebook", on_trouble=lines.append)
assert record.count("main") == 3
size = path.stat().st_size + 20_000
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
for i in range(50):
    turn = record.begin("main", Turn(f"q{i}", status="incomplete"))
    record.update(turn.id, answer="x" * 3000, status="complete", facts={})
    assert record.turn("main", 4 + i).answer == "x" * 3000
    if lines:
        break
kept = [turn.question for turn in record.turns("main")]
assert kept == [*(f"notebook {n}" for n in range(3)), *(f"q{n}" for n in range(i + 1))]
record.begin("main", Turn("one more"))
record.close()
print(len(lines), *lines, sep="\\n")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX")
def test_a_disk_that_fills_up_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path, 3)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, line = done.stdout.splitlines()
    assert count == "1"
    assert "disk" in line
    record = Record(path, "notebook")
    found = record.turns("main")
    assert [turn.question for turn in found[:3]] == [f"notebook {i}" for i in range(3)]
    assert len(found) > 3  # what was written while there was room
    assert {turn.status for turn in found[:-1]} == {"complete"}
    record.close()


def test_a_full_database_says_that_the_disk_is_full(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path, 3)
    told = Told(path)
    assert told.questions() == [f"notebook {i}" for i in range(3)]
    database = told.record._database
    assert database is not None
    pages = database.value("PRAGMA page_count")
    database.execute(f"PRAGMA max_page_count = {pages}")
    told.ask("long", "x" * 100_000)
    assert told.record.turn("main", 4).answer == "x" * 100_000
    told.check(path, "the disk is full")


# Other programs


@pytest.mark.parametrize("mode", ["NORMAL", "EXCLUSIVE"])
def test_a_file_that_another_program_keeps_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT", 0.1)
    path = tmp_path / "store.db"
    filled(path, 3)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(f"PRAGMA locking_mode = {mode}")
    other.execute("BEGIN IMMEDIATE")
    told = Told(path)
    readable = mode == "NORMAL"  # the log lets others read
    assert len(told.questions()) == (3 if readable else 0)
    told.check(path, "another program has locked the file")
    other.close()


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_kernel_waits_for_another_that_writes(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path, 3)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        told = Told(path)
        asking = threading.Thread(target=told.ask, args=("waited",))
        asking.start()
        asking.join(0.3)
        assert asking.is_alive()
        holder.stdin.close()
        asking.join(60)
    assert told.record.trouble == ""
    assert told.record.count("main") == 4
    told.record.close()


def test_a_file_that_is_deleted_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path, 3)
    told = Told(path)
    told.ask("q")
    path.unlink()
    assert told.questions() == [*(f"notebook {i}" for i in range(3)), "q"]
    told.check(path, "the file was moved or deleted")
    assert [*tmp_path.iterdir()] == []


def test_nothing_is_left_beside_a_deleted_file_by_closing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    told, other = Told(path), Told(path, "another", "other loader")
    told.ask("SECRET")
    other.ask("SECRET too")
    path.unlink()
    assert told.questions() == ["SECRET"]
    told.record.close()
    assert other.questions() == ["SECRET too"]  # it still has the file open
    assert told.lines == other.lines == []
    other.record.close()
    assert [*tmp_path.iterdir()] == []


def test_a_file_that_is_moved_takes_all_turns_along(tmp_path: Path) -> None:
    path, moved = tmp_path / "store.db", tmp_path / "moved.db"
    told = Told(path)
    told.ask("q")
    path.rename(moved)
    told.ask("in memory")
    assert told.questions() == ["q", "in memory"]
    assert [*tmp_path.iterdir()] == [moved]
    record = Record(moved, "notebook")
    assert [turn.question for turn in record.turns("main")] == ["q"]
    record.close()
    told.record.close()


@pytest.mark.parametrize("writes", [True, False])
def test_a_new_store_is_not_harmed_by_the_end_of_the_old_one(
    tmp_path: Path, writes: bool
) -> None:
    path = tmp_path / "store.db"
    old, new = Told(path), Told(path, "another", "other loader")
    old.ask("q")
    path.unlink()
    new.ask("in the new file")
    if writes:
        old.ask("in the new file, too")
    old.record.close()
    new.ask("more")
    assert new.questions() == ["in the new file", "more"]
    assert (new.record.path, new.lines) == (path, [])
    assert len(old.lines) == (1 if writes else 0)
    new.record.close()
    record = Record(path, "another")
    assert record.count("main") == 2
    record.close()
    assert [*tmp_path.iterdir()] == [path]


# Erasing, where memory is no help


def refused(told: Told, path: Path, what: str) -> str:
    """Check that erasing is refused, in one line."""
    with pytest.raises(StoreError) as caught:
        told.record.reset(None, erase=True)
    said = str(caught.value)
    assert said.startswith(f"nothing was erased from {path}: {what}")
    assert said.endswith(", then erase again")
    assert "\n" not in said
    return said


@pytest.mark.parametrize("opened", [True, False])
def test_a_locked_file_is_not_erased_and_used_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: bool
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT", 0.1)
    path = tmp_path / "store.db"
    filled(path, 3)
    told = Told(path, cell="loader of notebook")
    if opened:
        told.questions()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    said = refused(told, path, "another program has locked the file")
    assert said == (
        f"nothing was erased from {path}: another program has locked the file: "
        "close that program and restart the kernel, then erase again"
    )
    other.close()
    assert told.lines == []
    assert (told.record.path, told.record.count("main")) == (path, 3)
    told.ask("kept")
    assert told.record.reset(None, erase=True) == 4
    told.record.close()


def test_a_record_in_memory_does_not_say_that_the_disk_is_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT", 0.1)
    path = tmp_path / "store.db"
    filled(path, 3)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    told = Told(path)
    told.ask("q")
    other.close()
    refused(told, path, "another program has locked the file")
    assert told.questions()[-1] == "q"
    told.check(path, "another program has locked the file")
    record = Record(path, "notebook")
    assert record.count("main") == 3
    record.close()


@pytest.mark.parametrize("newer", [True, False])
def test_a_file_that_cannot_be_read_is_not_erased(tmp_path: Path, newer: bool) -> None:
    path = tmp_path / "store.db"
    filled(path, 3)
    if newer:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("PRAGMA user_version = 99")
        other.close()
    else:
        path.write_bytes(b"\xff" * 9000)
    before = path.read_bytes()
    told = Told(path)
    what = "the file was written by a newer" if newer else "the file is damaged"
    refused(told, path, what)
    assert told.questions() == []
    refused(told, path, what)  # in memory, too
    told.check(path, what)
    assert path.read_bytes() == before


def test_a_file_that_is_gone_is_not_erased(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    told = Told(path)
    told.ask("q")
    path.unlink()
    refused(told, path, "the file was moved or deleted")
    assert told.questions() == ["q"]
    told.check(path, "the file was moved or deleted")


def test_a_file_that_has_become_read_only_is_not_erased(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    told = Told(path)
    told.ask("q")
    database = told.record._database
    assert database is not None
    database.execute("PRAGMA query_only = ON")
    refused(told, path, "the file cannot be written")
    database.execute("PRAGMA query_only = OFF")
    assert (told.record.path, told.questions()) == (path, ["q"])
    told.record.close()


def test_a_file_that_another_kernel_reads_is_said_to_be_not_yet_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT", 0.1)
    path = tmp_path / "store.db"
    told = Told(path)
    told.ask("SECRET")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM turns").fetchall()
    with pytest.raises(StoreError) as caught:
        told.record.reset(None, erase=True)
    assert str(caught.value) == (
        f"the turns are removed, but their text may still be in {path}: another "
        "program has locked the file: close that program and restart the kernel, then "
        "erase again"
    )
    assert (told.record.path, told.questions(), told.lines) == (path, [], [])
    reader.close()
    assert told.record.reset(None, erase=True) == 0
    assert not any(b"SECRET" in file.read_bytes() for file in tmp_path.iterdir())
    told.record.close()


# What is taken over


def test_history_goes_on_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    told = Told(path)
    for i in range(3):
        told.record.begin("main", Turn(f"q{i}", cell="cell"))
    told.record.thread = "other"
    told.record.undo("main")
    path.unlink()
    assert told.record.redo("main") is not None
    assert told.questions() == ["q2"]
    assert told.record.undo("main") is not None
    assert told.questions() == ["q1"]
    assert told.record.thread == "other"
    told.check(path, "the file was moved or deleted")


def test_no_id_is_used_again_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    told = Told(path)
    last = [told.record.begin("main", Turn("q")) for _ in range(3)][-1]
    told.record.reset("main", erase=True)
    path.unlink()
    begun = told.record.begin("main", Turn("q2"))
    assert begun.id > last.id
    assert begun.sequence > last.sequence
    told.record.close()


def test_a_running_turn_goes_on_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    told = Told(path)
    told.ask("first")
    running = told.record.begin("main", Turn("running", status="incomplete"))
    told.ask("last")
    path.unlink()
    told.record.update(running.id, answer="a", status="complete", facts={})
    found = [(t.question, t.answer) for t in told.record.turns("main")]
    assert found == [
        ("first", "answer"),
        ("running", "a"),
        ("last", "answer"),
    ]
    told.record.close()


def test_a_renamed_notebook_is_recognised_in_memory_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT", 0.0)
    path = tmp_path / "store.db"
    filled(path, 3)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    told = Told(path, "new name", cell="loader of notebook")
    assert told.questions() == [f"notebook {i}" for i in range(3)]
    assert told.record.came_from == ("copied", "notebook")
    told.check(path, "locked")
    other.close()


def test_the_kernel_is_not_told_of_what_the_user_did_wrong(tmp_path: Path) -> None:
    told = Told(tmp_path / "store.db")
    with pytest.raises(Exception, match="thread main has no turns, there is no turn 7"):
        told.record.turn("main", 7)
    assert told.lines == []
    told.record.close()


def test_errors_of_the_program_are_no_trouble() -> None:
    for kind in (
        sqlite3.ProgrammingError,
        sqlite3.IntegrityError,
        sqlite3.InterfaceError,
        sqlite3.InternalError,
        sqlite3.DataError,
        sqlite3.NotSupportedError,
        ValueError,
    ):
        assert store_error(kind("datatype mismatch")) is None
    damaged = store_error(sqlite3.DatabaseError("database disk image is malformed"))
    assert damaged is not None
    assert damaged.what == "the file is damaged"
    other = store_error(sqlite3.OperationalError("disk I/O error"))
    assert str(other) == "disk I/O error: check the disk, and restart the kernel"


def test_a_damaged_index_does_not_hide_rows(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path, 200)
    look = sqlite3.connect(path)
    roots = [
        page
        for (page,) in look.execute(
            "SELECT rootpage FROM sqlite_master WHERE type = 'index'"
        )
    ]
    look.close()
    content = bytearray(path.read_bytes())
    for page in roots:
        content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    told = Told(path)
    assert len(told.questions()) == 200
    assert told.record.turn("main", 200).question == "notebook 199"
    told.check(path, "the file is damaged")
    assert path.read_bytes() == content


def test_an_interrupt_leaves_no_transaction_open(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    database = Database.open(path)

    def interrupted(database: Database) -> None:
        database.execute("INSERT INTO notebooks (key, used) VALUES ('k', 0)")
        signal.raise_signal(signal.SIGINT)

    # In the background of a shell, interrupts are ignored from the beginning.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), database.transaction(WRITE):
            interrupted(database)
    finally:
        signal.signal(signal.SIGINT, before)
    other = Database.open(path)
    assert other.value("SELECT count(*) FROM notebooks") == 0
    with other.transaction(WRITE):
        other.execute("DELETE FROM notebooks")
    other.close()
    database.close()
