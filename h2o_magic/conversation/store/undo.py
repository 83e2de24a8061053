"""The history of changes: noting them, taking them back, and forgetting the oldest.

What a change adds and takes out is noted in the turns' rows (see `schema`). So taking
one back, or making it again, is one statement, whatever it did.
"""

from __future__ import annotations

import time
from typing import Literal

from h2o_magic.chat.turns import Change, ChangeKind
from h2o_magic.conversation.store import rows, turns, versions
from h2o_magic.conversation.store.database import Database

#: How many changes of a notebook can be taken back.
KEPT = 200

#: The changes after which the turns that they took out are versions of those there.
_VERSIONS = ("replace", "choose")

_TOUCHES = (
    "(everywhere = 1"
    " OR EXISTS (SELECT 1 FROM turns WHERE added = changes.id AND thread = ?)"
    " OR EXISTS (SELECT 1 FROM turns WHERE removed = changes.id AND thread = ?))"
)


def begin(database: Database, kind: ChangeKind, thread: int | None) -> int:
    """Note a change of a thread, or of all (None), and return its id.

    What was taken back there before can then no longer be made again.
    """
    purge(database, thread)
    return note(database, kind, everywhere=thread is None)


def note(
    database: Database,
    kind: ChangeKind | Literal["erase"],
    *,
    everywhere: bool = False,
) -> int:
    """Note a change of threads, or of all, and return its id.

    What was taken back in these threads must have been purged before.
    """
    change = database.insert(
        "INSERT INTO changes (notebook, kind, everywhere) VALUES (?, ?, ?)",
        (database.notebook, kind, everywhere),
    )
    database.execute(
        "UPDATE notebooks SET used = ? WHERE id = ?", (time.time(), database.notebook)
    )
    _trim(database)
    return change


def purge(database: Database, thread: int | None) -> None:
    """Forget what was taken back in a thread, or in all (None)."""
    touches, scope = ("1", ()) if thread is None else (_TOUCHES, (thread, thread))
    for (change,) in database.execute(
        f"SELECT id FROM changes WHERE notebook = ? AND undone > 0 AND {touches}",
        (database.notebook, *scope),
    ).fetchall():
        _forget(database, change, undone=True)


def undo(database: Database, thread: str) -> Change | None:
    """Take the last change of a thread back; None if there is none."""
    return _toggle(database, thread, "undone = 0 ORDER BY id DESC", "1 + max(undone)")


def redo(database: Database, thread: str) -> Change | None:
    """Make the change that was taken back last again; None if there is none."""
    return _toggle(database, thread, "undone > 0 ORDER BY undone DESC", "0")


def withdraw(database: Database, change: int) -> None:
    """Take a change back as if it had never been made: it cannot be made again."""
    database.execute(
        "UPDATE turns SET live = NOT EXISTS"
        " (SELECT 1 FROM changes WHERE id = added AND undone > 0) WHERE removed = ?",
        [change],
    )
    _forget(database, change, undone=True)


def _toggle(database: Database, thread: str, which: str, undone: str) -> Change | None:
    thread_ = turns.thread_id(database, thread)
    change = database.value(
        f"SELECT id FROM changes WHERE notebook = ? AND {_TOUCHES} AND {which} LIMIT 1",
        (database.notebook, thread_, thread_),
    )
    if change is None:
        return None
    database.execute(
        f"UPDATE changes SET undone = (SELECT {undone} FROM changes WHERE notebook = ?)"
        " WHERE id = ?",
        (database.notebook, change),
    )
    database.execute(
        "UPDATE turns SET live ="
        " NOT EXISTS (SELECT 1 FROM changes WHERE id = added AND undone > 0)"
        " AND NOT EXISTS (SELECT 1 FROM changes WHERE id = removed AND undone = 0) "
        "WHERE added = ? OR removed = ?",
        (change, change),
    )
    return _describe(database, change)


def _describe(database: Database, change: int) -> Change:
    kind: ChangeKind = database.value("SELECT kind FROM changes WHERE id = ?", [change])
    column = "removed" if kind in ("reset", "drop") else "added"
    found = database.execute(
        f"SELECT name, count(*) FROM turns JOIN threads ON threads.id = thread "
        f"WHERE {column} = ? GROUP BY thread ORDER BY thread",
        [change],
    ).fetchall()
    names = tuple(rows.as_text(name) for name, _ in found)
    return Change(kind, names, sum(count for _, count in found))


def _trim(database: Database) -> None:
    """Forget all but the last changes: they can no longer be taken back."""
    for change, undone in database.execute(
        "SELECT id, undone FROM changes WHERE notebook = ? "
        "ORDER BY id DESC LIMIT -1 OFFSET ?",
        (database.notebook, KEPT),
    ).fetchall():
        _forget(database, change, undone=undone > 0)


def _forget(database: Database, change: int, *, undone: bool) -> None:
    """Delete a change and the turns that only it could bring back."""
    kind = database.value("SELECT kind FROM changes WHERE id = ?", [change])
    database.execute("DELETE FROM changes WHERE id = ?", [change])
    if undone:
        database.execute("DELETE FROM turns WHERE added = ?", [change])
        database.execute("UPDATE turns SET removed = NULL WHERE removed = ?", [change])
    elif kind in _VERSIONS:
        versions.prune(database, change)
    else:
        database.execute(
            "DELETE FROM turns WHERE (thread, position) IN"
            " (SELECT thread, position FROM turns WHERE removed = ?)",
            [change],
        )
