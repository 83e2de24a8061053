"""The history of changes: recording, undoing and redoing them.

The turns' rows say what a change adds and removes (see `schema`). So undoing or redoing
it is one statement, whatever it did.
"""

from __future__ import annotations

import time
from typing import Literal

from h2o_magic.chat.turns import Change, ChangeKind
from h2o_magic.conversation.store import rows, turns, versions
from h2o_magic.conversation.store.database import Database

#: How many changes of a notebook can be undone.
KEPT = 200

_TOUCHES = (
    "(everywhere = 1"
    " OR EXISTS (SELECT 1 FROM turns WHERE added = changes.id AND thread = ?)"
    " OR EXISTS (SELECT 1 FROM turns WHERE removed = changes.id AND thread = ?))"
)


def begin(
    database: Database,
    kind: ChangeKind | Literal["erase"],
    *threads: int,
    everywhere: bool = False,
) -> int:
    """Record a change, and return its id; what was undone can no longer be redone."""
    scopes = [(_TOUCHES, (thread, thread)) for thread in threads]
    for touches, scope in [("1", ())] if everywhere else scopes:
        for (change,) in database.execute(
            f"SELECT id FROM changes WHERE notebook = ? AND undone > 0 AND {touches}",
            (database.notebook, *scope),
        ).fetchall():
            _forget(database, change, undone=True)
    new = database.insert(
        "INSERT INTO changes (notebook, kind, everywhere) VALUES (?, ?, ?)",
        (database.notebook, kind, everywhere),
    )
    database.execute(
        "UPDATE notebooks SET used = ? WHERE id = ?", (time.time(), database.notebook)
    )
    for change, undone in database.execute(
        "SELECT id, undone FROM changes WHERE notebook = ? "
        "ORDER BY id DESC LIMIT -1 OFFSET ?",
        (database.notebook, KEPT),
    ).fetchall():
        _forget(database, change, undone=undone > 0)
    return new


def undo(database: Database, thread: str) -> Change | None:
    """Undo the last change of a thread; None if there is none."""
    return _toggle(database, thread, "undone = 0 ORDER BY id DESC", "1 + max(undone)")


def redo(database: Database, thread: str) -> Change | None:
    """Redo the change that was undone last; None if there is none."""
    return _toggle(database, thread, "undone > 0 ORDER BY undone DESC", "0")


def withdraw(database: Database, change: int) -> None:
    """Undo a change as if it had never been made: it cannot be redone."""
    database.execute(
        "UPDATE turns SET live = NOT EXISTS"
        " (SELECT 1 FROM changes WHERE id = added AND undone > 0) WHERE removed = ?",
        [change],
    )
    _forget(database, change, undone=True)


def _toggle(database: Database, thread: str, which: str, undone: str) -> Change | None:
    thread_ = turns.thread_id(database, thread)
    row = database.execute(
        f"SELECT id, kind FROM changes WHERE notebook = ? AND {_TOUCHES} AND {which} "
        "LIMIT 1",
        (database.notebook, thread_, thread_),
    ).fetchone()
    if row is None:
        return None
    change, kind = row
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
    column = "removed" if kind in ("reset", "drop") else "added"
    found = database.execute(
        f"SELECT name, count(*) FROM turns JOIN threads ON threads.id = thread "
        f"WHERE {column} = ? GROUP BY thread ORDER BY thread",
        [change],
    ).fetchall()
    names = tuple(rows.as_text(name) for name, _ in found)
    return Change(kind, names, sum(count for _, count in found))


def _forget(database: Database, change: int, *, undone: bool) -> None:
    """Delete a change and the turns that only it could bring back."""
    kind = database.value("SELECT kind FROM changes WHERE id = ?", [change])
    database.execute("DELETE FROM changes WHERE id = ?", [change])
    if undone:
        database.execute("DELETE FROM turns WHERE added = ?", [change])
        database.execute("UPDATE turns SET removed = NULL WHERE removed = ?", [change])
    elif kind in ("replace", "choose"):
        versions.prune(database, change)
    else:
        database.execute(
            "DELETE FROM turns WHERE (thread, position) IN"
            " (SELECT thread, position FROM turns WHERE removed = ?)",
            [change],
        )
