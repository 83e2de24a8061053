"""Notebooks: finding one's conversation, also after it was renamed or copied."""

from __future__ import annotations

import json
import os.path
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from h2o_magic.conversation.store import origins, rows
from h2o_magic.conversation.store.database import Database

#: Seconds after which the conversation of a kernel without a notebook is deleted.
_KEPT_FOR = 30 * 86400.0


def enter(
    database: Database, key: str, cell: str | None, file: Path | None
) -> origins.CameFrom | None:
    """Make a notebook the current one, and return where its conversation came from.

    `key` is its name in the store, `cell` the id of the cell that loads the extension.
    A notebook that never had a turn, but whose cells are known, was another one before
    (see `origins`): it gets that one's conversation if its file is gone, and else a
    copy of it. One that has none of the cells that it had, and asks other questions, is
    a new one with an old name.
    """
    came_from = None
    notebook = _find(database, key, file)
    if notebook and not _is_same(database, notebook, cell, file):
        # The old conversation waits for its cells to appear elsewhere.
        database.execute(
            "UPDATE notebooks SET key = ?, file = '' WHERE id = ?",
            (rows.stored(f"{key}#{notebook}"), notebook),
        )
        notebook = 0
    notebook = notebook or database.insert(
        "INSERT INTO notebooks (key, used) VALUES (?, 0)", [rows.stored(key)]
    )
    if origin := origins.find_origin(database, notebook, cell, file):
        notebook, came_from = origins.adopt(database, origin, notebook, key)
    path = rows.stored(None if file is None else str(file.absolute()))
    now = time.time()
    database.execute(
        "UPDATE notebooks SET cell = coalesce(?, cell), file = coalesce(?, file), "
        "used = ? WHERE id = ?",
        (rows.stored(cell), path, now, notebook),
    )
    database.execute(
        f"DELETE FROM notebooks WHERE {origins.KERNELS} AND used < ?",
        [now - _KEPT_FOR],
    )
    database.notebook = notebook
    return came_from


def is_there(database: Database) -> bool:
    """Return whether the notebook exists: another kernel may rename or delete it."""
    sql = "SELECT 1 FROM notebooks WHERE id = ?"
    return database.value(sql, [database.notebook]) is not None


def locate(database: Database, key: str, cell: str | None, file: Path | None) -> int:
    """Return the notebook whose conversation `enter` would choose; 0 without one."""
    notebook = _find(database, key, file)
    return origins.find_origin(database, notebook, cell, file) or notebook


def current_thread(database: Database) -> str | None:
    sql = "SELECT thread FROM notebooks WHERE id = ?"
    found = database.value(sql, [database.notebook])
    return None if found is None else rows.as_text(found)


def set_current_thread(database: Database, name: str | None) -> None:
    database.execute(
        "UPDATE notebooks SET thread = ? WHERE id = ?",
        (rows.stored(name), database.notebook),
    )


def settings(database: Database) -> Mapping[str, tuple[Any, str]]:
    """Return value and origin of each setting that the notebook was left with."""
    sql = "SELECT settings FROM notebooks WHERE id = ?"
    try:
        kept = json.loads(database.value(sql, [database.notebook]) or "{}")
        return {name: (value, str(origin)) for name, (value, origin) in kept.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}  # damaged


def keep_settings(database: Database, kept: Mapping[str, tuple[Any, str]]) -> None:
    database.execute(
        "UPDATE notebooks SET settings = ? WHERE id = ?",
        (rows.stored(json.dumps(kept)), database.notebook),
    )


def _find(database: Database, key: str, file: Path | None) -> int:
    """Return the notebook with a key or, spelt in another way, the same file; or 0."""
    sql = "SELECT id FROM notebooks WHERE key = ?"
    found = database.value(sql, [rows.stored(key)])
    if found or file is None:
        return found or 0
    sql = "SELECT id, file FROM notebooks WHERE file != '' ORDER BY used DESC"
    known = ((id_, rows.as_text(other)) for id_, other in database.execute(sql))
    return next((id_ for id_, other in known if _are_same(file, other)), 0)


def _are_same(file: Path, other: str) -> bool:
    with suppress(OSError, ValueError):
        return os.path.samefile(file, other)
    return False


def _is_same(
    database: Database, notebook: int, cell: str | None, file: Path | None
) -> bool:
    """Return whether a notebook is the one that had its key before.

    Only a cell that was never seen there raises the question; the file answers it.
    """
    if cell is None or file is None or _has_cell(database, notebook, cell):
        return True
    seen, sources = _cells(database, notebook), origins.cell_sources(file)
    if not seen or sources is None or sources.keys() & seen:
        return True
    return origins.ask_alike(database, notebook, sources.values())


def _has_cell(database: Database, notebook: int, cell: str) -> bool:
    """Return whether a cell was seen in a notebook; fast, as each opening needs it."""
    key, scope = rows.stored(cell), "(SELECT id FROM threads WHERE notebook = ?)"
    found = database.value(
        "SELECT 1 FROM notebooks WHERE id = ? AND cell = ? "
        f"UNION ALL SELECT 1 FROM turns WHERE cell = ? AND thread IN {scope} "
        "UNION ALL SELECT 1 FROM turns "
        f"WHERE cell > ? AND cell < ? AND thread IN {scope} LIMIT 1",
        (notebook, key, key, notebook, *rows.numbered(cell), notebook),
    )
    return found is not None


def _cells(database: Database, notebook: int) -> frozenset[str]:
    found = database.execute(
        "SELECT cell FROM notebooks WHERE id = ? AND cell IS NOT NULL UNION "
        "SELECT turns.cell FROM turns JOIN threads ON threads.id = thread "
        "WHERE notebook = ? AND turns.cell IS NOT NULL",
        (notebook, notebook),
    )
    return frozenset(rows.cell_of(rows.as_text(cell)) for (cell,) in found)
