"""Taking over one notebook's rows into memory, from a file that fails.

Each row is read by itself, so that a damaged page costs only what stood on it. All
keep their ids: a running answer goes on in its turn.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from h2o_magic.conversation.store import notebooks, rows
from h2o_magic.conversation.store.database import Database

# A damaged index is read past, and damage within the table is approached from both
# ends.
_WAYS = (
    ("", "ASC"),
    ("", "DESC"),
    ("NOT INDEXED", "ASC"),
    ("NOT INDEXED", "DESC"),
)


def take_over(
    database: Database,
    source: Database,
    key: str,
    cell: str | None,
    file: Path | None,
) -> bool:
    """Copy what can be read of a notebook, or of the one it was before."""
    source.execute("PRAGMA busy_timeout = 0")  # the long wait has been
    notebook = _find(source, key, cell, file)
    if notebook is None:
        return False
    of_notebook = f"notebook = {notebook}"
    whole = [
        _copy(database, source, "notebooks", f"id = {notebook}"),
        _copy(database, source, "threads", of_notebook),
        _copy(database, source, "changes", of_notebook),
    ]
    threads = ", ".join(
        str(id_) for (id_,) in database.execute("SELECT id FROM threads")
    )
    whole.append(_copy(database, source, "turns", f"thread IN ({threads})"))
    _keep_counting(database, source)
    return all(whole)


def _find(
    source: Database, key: str, cell: str | None, file: Path | None
) -> int | None:
    """Return the notebook's id, 0 if there is none, and None if that is unreadable."""
    with suppress(sqlite3.Error):
        return notebooks.locate(source, key, cell, file)
    with suppress(sqlite3.Error):
        sql = "SELECT id FROM notebooks NOT INDEXED WHERE key = ?"
        return source.value(sql, [rows.stored(key)]) or 0
    return None


def _copy(database: Database, source: Database, table: str, where: str) -> bool:
    """Copy the rows that can be read; return whether that is all."""
    ids, whole = _ids(source, table, where)
    for id_ in sorted(ids):
        try:
            row = source.execute(
                f"SELECT * FROM {table} WHERE id = ?", [id_]
            ).fetchone()
            places = ", ".join("?" * len(row))
            database.execute(f"INSERT INTO {table} VALUES ({places})", row)
        except (sqlite3.Error, TypeError):  # no row: its index entry was left behind
            whole = False
    return whole


def _ids(source: Database, table: str, where: str) -> tuple[set[int], bool]:
    ids: set[int] = set()
    for number, (how, order) in enumerate(_WAYS):
        sql = f"SELECT id FROM {table} {how} WHERE {where} ORDER BY id {order}"
        with suppress(sqlite3.Error):
            ids.update(id_ for (id_,) in source.execute(sql))
            return ids, number == 0
    return ids, False


def _keep_counting(database: Database, source: Database) -> None:
    """See to it that new ids, and so sequence numbers, are greater than all before."""
    counters: dict[str, int] = {}
    with suppress(sqlite3.Error):
        counters.update(source.execute("SELECT name, seq FROM sqlite_sequence"))
    for table, taken in (("turns", "id"), ("changes", "sequence")):
        least = database.value(f"SELECT coalesce(max({taken}), 0) FROM turns")
        last = max(counters.get(table, 0), least)
        database.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table])
        database.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, last))
