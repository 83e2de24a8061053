"""Copying one notebook's rows into memory, from a file that fails.

Each row is read by itself, so that a damaged page costs only what was on it. All keep
their ids, so that a running answer goes on in its turn.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from h2o_magic.conversation.store import notebooks, rows
from h2o_magic.conversation.store.database import Database

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
    source.execute("PRAGMA busy_timeout = 0")  # it has waited long enough
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
    with suppress(sqlite3.Error):
        return notebooks.locate(source, key, cell, file)
    with suppress(sqlite3.Error):
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
            ids.update(id_ for (id_,) in source.execute(sql))
            break
        except sqlite3.Error:
            complete = False
    sql = f"SELECT * FROM {table} WHERE id = ?"
    for id_ in sorted(ids):
        try:
            found = source.execute(sql, [id_])
            row = found.fetchone()
            # By name: the file of an older version has fewer columns.
            names = ", ".join(column for column, *_ in found.description)
            places = ", ".join("?" * len(row))
            database.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", row)
        except (sqlite3.Error, TypeError):  # an index entry without a row
            complete = False
    return complete


def _copy_files(database: Database, source: Database) -> bool:
    """Copy the bytes of images that the copied turns name; return if that is all."""
    complete = True
    for (hash_,) in database.execute("SELECT DISTINCT hash FROM turn_files").fetchall():
        try:
            for row in source.execute("SELECT * FROM files WHERE hash = ?", [hash_]):
                database.execute("INSERT INTO files VALUES (?, ?)", row)
        except sqlite3.Error:
            complete = False
    return complete


def _keep_counting(database: Database, source: Database) -> None:
    """Make new ids, and so sequence numbers, greater than all before."""
    counters: dict[str, int] = {}
    with suppress(sqlite3.Error):
        counters.update(source.execute("SELECT name, seq FROM sqlite_sequence"))
    for table, taken in (("turns", "id"), ("changes", "sequence")):
        least = database.value(f"SELECT coalesce(max({taken}), 0) FROM turns")
        last = max(counters.get(table, 0), least)
        database.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table])
        database.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, last))
