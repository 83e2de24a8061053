"""The tables of a file of ours: which version they have, and how they are updated."""

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
