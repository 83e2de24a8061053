"""Copying one notebook's rows into memory, from a file that fails.

Each row is read by itself, so that a damaged page costs only what was on it. All keep
their ids, so that a running answer goes on in its turn.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from h2o_magic.conversation.store import notebooks, rows
from h2o_magic.conversation.store.database import LARGEST, Database

# Without a damaged index, and from both ends of a damaged table.
_SCANS = [(how, order) for how in ("", "NOT INDEXED") for order in ("ASC", "DESC")]


def take_over(
    database: Database,
    source: Database,
    key: str,
    cell: str | None,
    file: Path | None,
) -> bool:
    """Copy what can be read of a notebook, or of its origin; return if that is all."""
    with suppress(Exception):
        source.execute("PRAGMA busy_timeout = 0")  # it has waited long enough
    source.connection.text_factory = rows.as_text  # also what is no text
    notebook = _find(source, key, cell, file)
    if notebook is None:
        return False
    complete = _copy(database, source, "notebooks", f"id = {notebook}")
    for table in ("threads", "changes"):
        complete &= _copy(database, source, table, f"notebook = {notebook}")
    threads = [str(id_) for (id_,) in database.execute("SELECT id FROM threads")]
    complete &= _copy(database, source, "turns", f"thread IN ({', '.join(threads)})")
    complete &= _copy_files(database, source)
    _keep_counting(database, source)
    return complete


def _find(
    source: Database, key: str, cell: str | None, file: Path | None
) -> int | None:
    """Return the notebook's id, 0 if there is none, or None if that is unreadable."""
    with suppress(Exception):
        return notebooks.locate(source, key, cell, file)
    with suppress(Exception):
        sql = "SELECT id FROM notebooks NOT INDEXED WHERE key = ?"
        return source.value(sql, [rows.stored(key)]) or 0
    return None


def _copy(database: Database, source: Database, table: str, where: str) -> bool:
    """Copy the rows that can be read; return whether that is all."""
    ids: set[int] = set()
    complete = True
    for how, order in _SCANS:
        sql = f"SELECT id FROM {table} {how} WHERE {where} ORDER BY id {order}"
        try:
            ids.update(id_ for (id_,) in source.execute(sql) if abs(id_) < LARGEST)
            break
        except Exception:
            complete = False
    kinds = {
        name: (kind, needed)
        for _, name, kind, needed, *_ in database.execute(f"PRAGMA table_info({table})")
    }
    sql = f"SELECT * FROM {table} WHERE id = ?"
    for id_ in sorted(ids):
        try:
            found = source.execute(sql, [id_])
            # By name: the file of an older version has fewer columns.
            names = [column for column, *_ in found.description]
            row = [
                _sound(value, *kinds[name])
                for name, value in zip(names, found.fetchone(), strict=True)
            ]
            database.execute(
                f"INSERT INTO {table} ({', '.join(names)}) "
                f"VALUES ({', '.join('?' * len(row))})",
                row,
            )
        except Exception:  # an index entry without a row, or rows that are at odds
            complete = False
    return complete


def _sound(value: Any, kind: str, needed: int) -> Any:
    """Return a column's value, or what can stand for it; a ValueError if nothing."""
    if kind == "INTEGER" and not (isinstance(value, int) and abs(value) < LARGEST):
        if needed:
            raise ValueError(value)
        return None
    return "" if value is None and needed else value


def _copy_files(database: Database, source: Database) -> bool:
    """Copy the bytes of images that the copied turns name; return if that is all."""
    complete = True
    for (hash_,) in database.execute("SELECT DISTINCT hash FROM turn_files").fetchall():
        try:
            for row in source.execute("SELECT * FROM files WHERE hash = ?", [hash_]):
                database.execute("INSERT INTO files VALUES (?, ?)", row)
        except Exception:
            complete = False
    return complete


def _keep_counting(database: Database, source: Database) -> None:
    """Make new ids, and so sequence numbers, greater than all before."""
    counters: dict[str, Any] = {}
    with suppress(Exception):
        counters.update(source.execute("SELECT name, seq FROM sqlite_sequence"))
    for table, taken in (("turns", "id"), ("changes", "sequence")):
        least = database.value(f"SELECT coalesce(max({taken}), 0) FROM turns")
        last = counters.get(table, 0)
        if not (isinstance(last, int) and least < last < LARGEST):
            last = least
        database.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table])
        database.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, last))
