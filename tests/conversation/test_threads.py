"""Titles, new, deleted and copied threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.conversation.notifications import Notification, ThreadRenamed
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.session import Session
from h2o_magic.conversation.store import schema
from tests.by_question import ENDLESS
from tests.conversation.test_background import Listener, chatting, grown


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    session = Session(record=Record(tmp_path / "store.db", "notebook"))
    yield session
    assert session.record.trouble == ""
    session.close()


def ask(session: Session, *questions: str, thread: str = "main") -> None:
    for question in questions:
        at = float(len(session.record.newest()) + 1)
        session.record.begin(thread, Turn(question, "yes", asked_at=at))


def titles(session: Session) -> dict[str, str]:
    return {info.name: info.title for info in session.threads()}


# Titles


def test_a_thread_is_called_by_its_first_question_until_it_is_renamed(
    session: Session,
) -> None:
    assert session.title() == "New chat"
    ask(session, "# What is SQL?", "And then?")
    assert titles(session) == {"main": "What is SQL?"}
    told: list[Notification] = []
    session.listen(told.append)
    assert session.rename(" Data\nbases ") == "Data bases"
    assert told == [ThreadRenamed("main")]
    assert titles(session) == {"main": "Data bases"}
    assert session.title() == session.title("main") == "Data bases"
    assert session.rename("") == "What is SQL?"


def test_a_title_outlives_the_kernel_and_goes_to_a_copy(tmp_path: Path) -> None:
    original = tmp_path / "a.ipynb"
    original.write_text("{}")
    record = Record(tmp_path / "store.db", "a", cell="loader", file=original)
    record.begin("main", Turn("one"))
    record.set_title("main", "Mine \ud83d")
    record.close()
    assert record.title("main") == "Mine \ud83d"
    copy = Record(tmp_path / "store.db", "b", cell="loader", file=tmp_path / "b.ipynb")
    assert copy.title("main") == "Mine \ud83d"
    copy.close()
    record.close()


def test_erasing_a_thread_erases_its_title(session: Session) -> None:
    ask(session, "one")
    ask(session, "two", thread="ideas")
    session.rename("Secret")
    session.rename("Ideas", "ideas")
    session.reset(erase=True)
    assert (session.title(), session.title("ideas")) == ("New chat", "Ideas")
    session.reset(everything=True, erase=True)
    assert session.record.own_titles() == {}


@pytest.mark.parametrize("suffix", ["json", "jsonl", "ipynb"])
def test_files_keep_titles(session: Session, tmp_path: Path, suffix: str) -> None:
    ask(session, "one")
    ask(session, "two", thread="ideas")
    session.rename('<b>"Mine"</b> \\ *ü*', "ideas")
    path = tmp_path / f"chat.{suffix}"
    session.export(path, everything=True)
    other = Session(record=Record(None, "other"))
    other.import_file(path)
    assert titles(other) == {"main": "one", "ideas": '<b>"Mine"</b> \\ *ü*'}
    assert other.record.own_titles().keys() == {"ideas"}


def test_a_file_of_version_4_gets_titles(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    old = sqlite3.connect(path, isolation_level=None)
    for step in schema.MIGRATIONS[:4]:
        for statement in step:
            old.execute(statement)
    old.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    old.execute("PRAGMA user_version = 4")
    old.execute("INSERT INTO notebooks (id, key, used) VALUES (1, 'key', 1)")
    old.execute("INSERT INTO threads VALUES (1, 1, 'main')")
    old.execute(
        "INSERT INTO turns (thread, position, sequence, begins, asked_at, status, "
        "model, system, facts, question, answer) "
        "VALUES (1, 1, 1, 0, 1, 'complete', '', '', '{}', 'What?', 'That.')"
    )
    old.close()
    record = Record(path, "key")
    assert [(info.name, info.title) for info in record.threads()] == [("main", "What?")]
    record.set_title("main", "Mine")
    record.close()
    assert record.title("main") == "Mine"
    assert record.trouble == ""
    record.close()


# New, deleted and copied ones


def test_a_new_thread_is_not_made_twice(session: Session) -> None:
    assert session.new_thread() == "main"  # nothing is in it
    ask(session, "one")
    assert session.new_thread() == "chat-2"
    assert session.new_thread() == "chat-2"
    assert session.title() == "New chat"
    assert titles(session) == {"main": "one"}
    session.keep_draft(None, "half a question")
    assert session.new_thread() == "chat-3"


def test_the_name_of_a_deleted_thread_is_not_used_again(session: Session) -> None:
    ask(session, "one")
    ask(session, "two", thread=session.new_thread())
    assert session.delete_thread() == 1
    assert session.thread == "main"
    assert session.new_thread() == "chat-3"
    session.undo("chat-2")
    assert titles(session) == {"main": "one", "chat-2": "two"}


def test_after_a_deletion_the_thread_asked_last_is_current(session: Session) -> None:
    ask(session, "one")
    ask(session, "two", thread="b")
    ask(session, "three", thread="a")
    assert session.delete_thread("b") == 1
    assert session.thread == "main"
    session.delete_thread()
    assert session.thread == "a"
    session.delete_thread()
    assert session.thread == "chat-2"
    assert session.threads() == ()
    session.undo("a")
    assert titles(session) == {"a": "three"}


def test_what_is_asked_in_a_deleted_thread_is_stopped() -> None:
    with chatting({"1": ["half", ENDLESS]}) as (session, _):
        listener = Listener(session)
        running = session.ask_later("1")
        waiting = session.ask_later("2")
        listener.wait_for(grown("half"))
        assert session.delete_thread() == 1
        assert running.wait(60)
        assert waiting.wait(60)
        assert session.threads() == ()
        session.undo("main")
        assert [(t.question, t.answer, t.status) for t in session.turns("main")] == [
            ("1", "half", "stopped")
        ]


def test_a_branch_is_called_so_and_leaves_its_source_alone(session: Session) -> None:
    ask(session, "one", "two", "three")
    before = session.turns()
    assert session.fork("chat-2", at=2) == 2
    assert session.fork("chat-3", at=1, thread="chat-2") == 1
    assert titles(session) == {
        "main": "one",
        "chat-2": "one (branch)",
        "chat-3": "one (branch 2)",
    }
    assert [turn.question for turn in session.turns("chat-2")] == ["one", "two"]
    assert session.turns() == before


def test_moved_turns_keep_their_title(session: Session) -> None:
    session.record.add([Thread("main", (Turn("one"),), "Mine")])
    assert titles(session) == {"main": "Mine"}
