"""The tables, and the steps from one version of them to the next.

A change of the conversation never rewrites a turn's row: it removes it (``live`` 0), so
that it can come back. ``added`` and ``removed`` are the changes that added and removed
it. It is live if the first is not undone, and the second is undone or NULL.

Long texts are last in a row, so that reading the columns before them is cheap.

The database itself keeps ``turn_files``, which hashes the rows name, and removes the
``files`` that none of them names any more: so whatever copies or deletes rows need not
care.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from h2o_magic.errors import StoreError


@dataclass(frozen=True, slots=True)
class Layout:
    """Marks a file as ours (``PRAGMA application_id``), and says what is in it.

    `steps` are the statements that lead to version 1, from there to version 2, and so
    on. Released steps are never edited.
    """

    application_id: int
    steps: tuple[tuple[str, ...], ...]

    def is_current(self, connection: sqlite3.Connection) -> bool:
        """Return whether the tables are of this version, in a transaction."""
        version = _pragma(connection, "user_version")
        if version > len(self.steps):
            raise StoreError(
                "the file was written by a newer version of this package",
                "update it (`pip install -U h2o-magic`) and restart the kernel",
                readable=False,
            )
        if not self._is_ours(connection, version):
            raise StoreError(
                "the file is another program's database",
                "move the file away and restart the kernel to create a new one",
                readable=False,
            )
        return version == len(self.steps)

    def migrate(self, connection: sqlite3.Connection) -> None:
        """Create or update the tables, in a transaction that writes."""
        if self.is_current(connection):  # another process was faster
            return
        for step in self.steps[_pragma(connection, "user_version") :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {self.application_id}")
        connection.execute(f"PRAGMA user_version = {len(self.steps)}")

    def _is_ours(self, connection: sqlite3.Connection, version: int) -> bool:
        if version:
            return _pragma(connection, "application_id") == self.application_id
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return bool(tables == 0)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


#: Marks a file as ours (``PRAGMA application_id``): "H2Om".
APPLICATION_ID = 0x48324F6D

# AUTOINCREMENT: no id is used twice, since a running answer keeps its turn's id even
# when the turn is deleted, and since a change's id is its turns' sequence number.
_VERSION_1 = (
    """
    CREATE TABLE notebooks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        cell TEXT,            -- the cell that loads the extension
        file TEXT,            -- the notebook's own file
        thread TEXT,          -- the current one
        used REAL NOT NULL    -- seconds since 1970
    )
    """,
    "CREATE INDEX notebooks_by_cell ON notebooks (cell) WHERE cell IS NOT NULL",
    """
    CREATE TABLE threads (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        notebook INTEGER NOT NULL REFERENCES notebooks ON DELETE CASCADE,
        name TEXT NOT NULL,
        UNIQUE (notebook, name)
    )
    """,
    """
    CREATE TABLE changes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        notebook INTEGER NOT NULL REFERENCES notebooks ON DELETE CASCADE,
        kind TEXT NOT NULL,
        everywhere INTEGER NOT NULL,        -- 1: a change of every thread
        undone INTEGER NOT NULL DEFAULT 0   -- grows with each undo
    )
    """,
    "CREATE INDEX changes_of_notebook ON changes (notebook)",
    """
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        thread INTEGER NOT NULL REFERENCES threads ON DELETE CASCADE,
        live INTEGER NOT NULL DEFAULT 1,
        position INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        added INTEGER,
        removed INTEGER,
        begins INTEGER NOT NULL,
        asked_at REAL NOT NULL,
        status TEXT NOT NULL,
        cell TEXT,
        model TEXT NOT NULL,
        system TEXT NOT NULL,
        facts TEXT NOT NULL,
        question TEXT NOT NULL,
        answer TEXT NOT NULL
    )
    """,
    # What counting, numbering, marking and listing need, so that they read no rows.
    "CREATE INDEX turns_in_order ON turns (thread, live, position, asked_at)",
    "CREATE INDEX turns_by_sequence ON turns (thread, live, sequence, position)",
    "CREATE INDEX turns_by_status ON turns (thread, live, status)",
    """
    CREATE INDEX turns_of_cell ON turns (cell, thread, live, position)
        WHERE cell IS NOT NULL
    """,
    """
    CREATE INDEX turns_that_begin ON turns (thread, live, begins, position)
        WHERE begins = 1
    """,
    "CREATE INDEX turns_added ON turns (added, thread) WHERE added IS NOT NULL",
    "CREATE INDEX turns_removed ON turns (removed, thread) WHERE removed IS NOT NULL",
)

# The turn that a row is a copy of, since a version of it was chosen; else NULL.
_VERSION_2 = (
    "ALTER TABLE turns ADD COLUMN origin INTEGER",
    "CREATE INDEX turns_by_place ON turns (thread, position, live, origin, added)",
)

# Damage in a row must not hinder that it is copied.
_IMAGES = "CASE WHEN json_valid(new.images) THEN new.images ELSE '[]' END"

_VERSION_3 = (
    "ALTER TABLE turns ADD COLUMN images TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE turns ADD COLUMN sent TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE files (hash TEXT PRIMARY KEY, data BLOB NOT NULL)",
    """
    CREATE TABLE turn_files (
        hash TEXT NOT NULL,
        turn INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
        PRIMARY KEY (hash, turn)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX files_of_turn ON turn_files (turn)",
    f"""
    CREATE TRIGGER turn_names_files AFTER INSERT ON turns WHEN new.images != '[]' BEGIN
        INSERT OR IGNORE INTO turn_files
        SELECT json_extract(new.images, fullkey || '.hash'), new.id
        FROM json_each({_IMAGES});
    END
    """,
    """
    CREATE TRIGGER file_is_forgotten AFTER DELETE ON turn_files BEGIN
        DELETE FROM files WHERE hash = old.hash
            AND NOT EXISTS (SELECT 1 FROM turn_files WHERE hash = old.hash);
    END
    """,
)

#: What holds for a question that got no answer at all: it is listed, and not counted.
UNANSWERED = "status IN ('failed', 'stopped') AND answer = ''"

# The settings that it was left with, as JSON: each one's value and origin by its name.
_VERSION_4 = (
    "ALTER TABLE notebooks ADD COLUMN settings TEXT",
    f"""
    CREATE INDEX turns_unanswered ON turns (thread, live, status, position, answer)
        WHERE {UNANSWERED}
    """,
)

# What a user calls a thread; NULL where its first question says it.
_VERSION_5 = ("ALTER TABLE threads ADD COLUMN title TEXT",)

#: The steps from one version to the next.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    _VERSION_1,
    _VERSION_2,
    _VERSION_3,
    _VERSION_4,
    _VERSION_5,
)


def layout() -> Layout:
    """Return what a file with conversations looks like."""
    return Layout(APPLICATION_ID, MIGRATIONS)
