"""The threads of a notebook: their list, their names and their titles.

Those that ever had a turn keep their rows, whether their turns are live or not.
"""

from __future__ import annotations

from collections.abc import Mapping

from h2o_magic.chat.turns import ThreadInfo
from h2o_magic.conversation import titles
from h2o_magic.conversation.store import rows
from h2o_magic.conversation.store.database import Database
from h2o_magic.conversation.store.schema import UNANSWERED

_FIRST_QUESTION = (
    "(SELECT question FROM turns"
    " WHERE thread = threads.id AND live = 1 ORDER BY position LIMIT 1)"
)

_FILLED = "EXISTS (SELECT 1 FROM turns WHERE thread = threads.id AND live = 1)"


def made(database: Database, name: str) -> int:
    """Return the id of a thread, created if it does not exist."""
    place = database.notebook, rows.stored(name)
    database.execute(
        "INSERT OR IGNORE INTO threads (notebook, name) VALUES (?, ?)", place
    )
    sql = "SELECT id FROM threads WHERE notebook = ? AND name = ?"
    return int(database.value(sql, place))


def listed(database: Database) -> tuple[ThreadInfo, ...]:
    """Return the notebook's threads that have turns, in order of creation."""
    found = database.execute(
        "SELECT name, count(*) - (SELECT count(*) FROM turns "
        f"  WHERE thread = threads.id AND live = 1 AND {UNANSWERED}), "
        f"{_FIRST_QUESTION}, max(asked_at), title "
        "FROM threads JOIN turns ON thread = threads.id AND live = 1 "
        "WHERE notebook = ? GROUP BY threads.id ORDER BY threads.id",
        (database.notebook,),
    )
    return tuple(
        ThreadInfo(rows.as_text(name), turns, first, asked, titles.shown(own, first))
        for name, turns, question, asked, title in found
        for first, own in [(rows.as_text(question), rows.as_text(title))]
    )


def names(database: Database, *, filled: bool = True) -> tuple[str, ...]:
    """Return the names of the threads that have turns, or of all that ever had."""
    found = database.execute(
        "SELECT name FROM threads WHERE notebook = ?"
        f"{f' AND {_FILLED}' if filled else ''} ORDER BY id",
        (database.notebook,),
    )
    return tuple(rows.as_text(name) for (name,) in found)


def title(database: Database, name: str) -> str:
    """Return what a thread is called, whether it exists or not."""
    found = database.execute(
        f"SELECT title, {_FIRST_QUESTION} FROM threads WHERE notebook = ? AND name = ?",
        (database.notebook, rows.stored(name)),
    ).fetchone()
    return titles.shown(*map(rows.as_text, found or ("", "")))


def own_titles(database: Database) -> Mapping[str, str]:
    """Return the titles that users gave, by the names of the threads."""
    found = database.execute(
        "SELECT name, title FROM threads WHERE notebook = ? AND title != ''",
        (database.notebook,),
    )
    return {rows.as_text(name): rows.as_text(title) for name, title in found}


def set_title(database: Database, name: str, title: str) -> None:
    database.execute(
        "UPDATE threads SET title = ? WHERE id = ?",
        (rows.stored(title) or None, made(database, name)),
    )
