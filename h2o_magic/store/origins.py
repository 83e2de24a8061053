"""Where a notebook's conversation comes from: another one, renamed or copied."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import chain

from h2o_magic.store import rows
from h2o_magic.store.connection import Database

__all__ = ["KERNEL", "KERNELS", "CameFrom", "find_origin", "has_begun", "take"]

#: ``("renamed", old key)`` or ``("copied", old key)``.
CameFrom = tuple[str, str]

#: Kernels whose notebook is not known have keys that begin so.
KERNEL = "kernel:"

#: The condition that a notebook is one of these; ";" is what follows ":".
KERNELS = "key >= 'kernel:' AND key < 'kernel;'"

# SQLite before 3.32 takes no more than 999 values in a statement; a cell needs three.
_CELLS_AT_ONCE = 300

_BEGUN = (
    "(EXISTS (SELECT 1 FROM changes WHERE notebook = notebooks.id) OR EXISTS"
    " (SELECT 1 FROM threads JOIN turns ON thread = threads.id"
    "  WHERE notebook = notebooks.id))"
)


def has_begun(database: Database, notebook: int) -> bool:
    """Return whether a notebook ever had a turn, also one that was erased."""
    sql = f"SELECT 1 FROM notebooks WHERE id = ? AND {_BEGUN}"
    return database.value(sql, [notebook]) is not None


def find_origin(database: Database, cells: Iterable[str]) -> int:
    """Return the notebook that was used last of those that have one of these cells.

    It has the cell that loaded the extension, or one that has asked: a cell's second
    question has the key ``id#2``. Without such a notebook, 0.
    """
    keys = [(rows.stored(cell), *rows.numbered(cell)) for cell in cells]
    found = (
        _used_last(database, keys[start : start + _CELLS_AT_ONCE])
        for start in range(0, len(keys), _CELLS_AT_ONCE)
    )
    return max(found, default=(0.0, 0))[1]


def take(
    database: Database, origin: int, notebook: int, key: str
) -> tuple[int, CameFrom]:
    """Let `origin` take the place of a notebook, or copy its conversation there.

    Parameters
    ----------
    database
        Where to do it.
    origin
        Where the conversation is: renamed if its file is gone, and else copied.
    notebook
        The one that has the key now, and nothing else.
    key
        The key.

    Returns
    -------
    tuple
        The notebook that has the key then, and how it came to its conversation.
    """
    stored_key, stored_file = database.execute(
        "SELECT key, file FROM notebooks WHERE id = ?", [origin]
    ).fetchone()
    old = rows.as_text(stored_key)
    # A kernel's name is for some days only: a conversation that lasts keeps its own.
    if stored_file is None or key.startswith(KERNEL) or _exists(stored_file):
        _copy(database, origin, notebook)
        return notebook, ("copied", old)
    database.execute("DELETE FROM notebooks WHERE id = ?", [notebook])
    database.execute(
        "UPDATE notebooks SET key = ? WHERE id = ?", (rows.stored(key), origin)
    )
    return origin, ("renamed", old)


def _used_last(
    database: Database, keys: Sequence[tuple[str | bytes | None, ...]]
) -> tuple[float, int]:
    """Return when the notebook was used that was used last, and its id."""
    places = ", ".join(["(?, ?, ?)"] * len(keys))
    found = database.execute(
        f"WITH seen (cell, low, high) AS (VALUES {places}) "
        f"SELECT used, id FROM notebooks WHERE NOT ({KERNELS}) AND {_BEGUN} AND id IN ("
        "  SELECT notebooks.id FROM seen CROSS JOIN notebooks USING (cell) UNION ALL"
        "  SELECT notebook FROM threads WHERE id IN ("
        "    SELECT thread FROM seen CROSS JOIN turns USING (cell) UNION ALL"
        "    SELECT thread FROM seen CROSS JOIN turns"
        "    ON turns.cell > low AND turns.cell < high)) "
        "ORDER BY used DESC LIMIT 1",
        [*chain(*keys)],
    ).fetchone()
    return found or (0.0, 0)


def _copy(database: Database, origin: int, notebook: int) -> None:
    """Copy what is live of a notebook to another one, without its history."""
    database.execute(
        "UPDATE notebooks SET thread = (SELECT thread FROM notebooks WHERE id = ?) "
        "WHERE id = ?",
        (origin, notebook),
    )
    database.execute(
        "INSERT OR IGNORE INTO threads (notebook, name) SELECT ?, name FROM threads "
        "WHERE notebook = ? AND EXISTS "
        "(SELECT 1 FROM turns WHERE thread = threads.id AND live = 1) ORDER BY id",
        (notebook, origin),
    )
    for old, new in database.execute(
        "SELECT old.id, new.id FROM threads AS new JOIN threads AS old USING (name) "
        "WHERE new.notebook = ? AND old.notebook = ?",
        (notebook, origin),
    ).fetchall():
        database.execute(
            f"INSERT INTO turns (thread, position, sequence, {rows.COLUMNS}) "
            f"SELECT ?, position, sequence, {rows.COLUMNS} FROM turns "
            "WHERE thread = ? AND live = 1 ORDER BY position",
            (new, old),
        )


def _exists(path: str | bytes) -> bool:
    return os.path.exists(rows.as_text(path))
