"""Notebooks: finding one's conversation, also after it was renamed or copied."""

from __future__ import annotations

import time
from pathlib import Path

from h2o_magic.conversation.store import rows
from h2o_magic.conversation.store.database import Database
from h2o_magic.conversation.store.notebook_file import cell_sources
from h2o_magic.conversation.store.origins import (
    KERNELS,
    CameFrom,
    find_origin,
    has_begun,
    take,
)

#: Seconds after which the conversation of a kernel without a notebook is forgotten.
_FORGOTTEN_AFTER = 30 * 86400.0


def enter(
    database: Database, key: str, cell: str | None, file: Path | None
) -> CameFrom | None:
    """Make a notebook the one that the queries mean.

    A notebook that never had a turn, but whose cells are known, was another one before
    (see `origins`): it takes over that one's conversation if its file is gone, and a
    copy of it if not. One that has none of the cells that it had is a new one under an
    old name.

    Parameters
    ----------
    database
        Where to look, in a transaction that writes.
    key
        The notebook's name in the store.
    cell
        Id of the cell that loads the extension.
    file
        The notebook's own file.

    Returns
    -------
    tuple or None
        How the notebook came to its conversation, if it was another's.
    """
    came_from = None
    notebook = _find(database, key)
    if notebook and not _is_same(database, notebook, cell, file):
        _put_aside(database, notebook, key)
        notebook = 0
    notebook = notebook or _insert(database, key)
    if origin := _find_origin(database, notebook, cell, file):
        notebook, came_from = take(database, origin, notebook, key)
    database.execute(
        "UPDATE notebooks SET cell = coalesce(?, cell), file = coalesce(?, file), "
        "used = ? WHERE id = ?",
        (rows.stored(cell), _stored_path(file), time.time(), notebook),
    )
    _prune(database)
    database.notebook = notebook
    return came_from


def is_there(database: Database) -> bool:
    """Return whether the notebook that the queries mean is still there.

    It is not if another kernel let its origin take its place, or if it was forgotten.
    """
    sql = "SELECT 1 FROM notebooks WHERE id = ?"
    return database.value(sql, [database.notebook]) is not None


def locate(database: Database, key: str, cell: str | None, file: Path | None) -> int:
    """Return the notebook whose conversation `enter` would take; 0 without one."""
    notebook = _find(database, key)
    return _find_origin(database, notebook, cell, file) or notebook


def current_thread(database: Database) -> str | None:
    """Return the name of the notebook's current thread; None if it was never set."""
    found = database.value(
        "SELECT thread FROM notebooks WHERE id = ?", [database.notebook]
    )
    return None if found is None else rows.as_text(found)


def set_current_thread(database: Database, name: str | None) -> None:
    """Keep the name of the notebook's current thread."""
    database.execute(
        "UPDATE notebooks SET thread = ? WHERE id = ?",
        (rows.stored(name), database.notebook),
    )


def _find(database: Database, key: str) -> int:
    """Return the id of the notebook with that key; 0 if there is none."""
    found = database.value("SELECT id FROM notebooks WHERE key = ?", [rows.stored(key)])
    return found or 0


def _find_origin(
    database: Database, notebook: int, cell: str | None, file: Path | None
) -> int:
    """Return where the conversation of a notebook comes from; 0 if it has its own.

    The file is read only where that is open: it may be long.
    """
    if has_begun(database, notebook):
        return 0
    return find_origin(database, cell, cell_sources(file) if file else None)


def _is_same(
    database: Database, notebook: int, cell: str | None, file: Path | None
) -> bool:
    """Tell whether a notebook is the one that had its key before.

    Only a cell that was never seen there raises the question; the file answers it.
    """
    if cell is None or file is None or _has_cell(database, notebook, cell):
        return True
    seen, sources = _cells(database, notebook), cell_sources(file)
    return not seen or sources is None or bool(sources.keys() & seen)


def _has_cell(database: Database, notebook: int, cell: str) -> bool:
    """Tell whether a cell was seen in a notebook; quick, since each opening asks it."""
    key, scope = rows.stored(cell), "(SELECT id FROM threads WHERE notebook = ?)"
    found = database.value(
        "SELECT 1 FROM notebooks WHERE id = ? AND cell = ? "
        f"UNION ALL SELECT 1 FROM turns WHERE cell = ? AND thread IN {scope} "
        "UNION ALL SELECT 1 FROM turns "
        f"WHERE cell > ? AND cell < ? AND thread IN {scope} LIMIT 1",
        (
            *(notebook, key),
            *(key, notebook),
            *(*rows.numbered(cell), notebook),
        ),
    )
    return found is not None


def _cells(database: Database, notebook: int) -> frozenset[str]:
    """Return the ids of the cells that were seen in a notebook."""
    found = database.execute(
        "SELECT cell FROM notebooks WHERE id = ? AND cell IS NOT NULL UNION "
        "SELECT turns.cell FROM turns JOIN threads ON threads.id = thread "
        "WHERE notebook = ? AND turns.cell IS NOT NULL",
        (notebook, notebook),
    )
    return frozenset(rows.as_text(cell).partition("#")[0] for (cell,) in found)


def _put_aside(database: Database, notebook: int, key: str) -> None:
    """Give a notebook's key free; its conversation waits for its cells to turn up."""
    database.execute(
        "UPDATE notebooks SET key = ?, file = '' WHERE id = ?",
        (rows.stored(f"{key}#{notebook}"), notebook),
    )


def _insert(database: Database, key: str) -> int:
    return database.insert(
        "INSERT INTO notebooks (key, used) VALUES (?, 0)", [rows.stored(key)]
    )


def _prune(database: Database) -> None:
    """Delete what kernels without a notebook have left long ago."""
    database.execute(
        f"DELETE FROM notebooks WHERE {KERNELS} AND used < ?",
        [time.time() - _FORGOTTEN_AFTER],
    )


def _stored_path(file: Path | None) -> str | bytes | None:
    return None if file is None else rows.stored(str(file.absolute()))
