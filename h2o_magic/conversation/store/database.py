"""The database itself: opening it, its transactions, and its end."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from h2o_magic.conversation.store import schema
from h2o_magic.conversation.store.file import create, identity, remove_leftovers
from h2o_magic.conversation.store.trouble import store_error
from h2o_magic.errors import StoreError

#: Seconds to wait for other kernels that write. A write takes milliseconds.
BUSY_TIMEOUT = 30.0

#: What a transaction may do.
READ, WRITE = "DEFERRED", "IMMEDIATE"


class Database:
    """An open database, in a file or in memory, with the tables of this version.

    It is used by one thread at a time.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None = None):
        self.connection = connection
        self.execute = connection.execute
        self.path = path
        self.notebook = 0
        self.pid = os.getpid()
        self._identity = path and identity(path)

    def __del__(self) -> None:
        if self.pid == os.getpid():
            self.close()

    @classmethod
    def in_memory(cls) -> Database:
        """Make an empty database in memory."""
        database = cls(_connect(":memory:"))
        _set_up(database.connection)
        with database.transaction(WRITE):
            schema.migrate(database.connection)
        return database

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open a file, or make one that only this user can read.

        Raises
        ------
        StoreError
            If that cannot be done.
        """
        database = None
        try:
            create(path)
            database = cls(_connect(str(path)), path)
            _set_up(database.connection)
            if not database._is_current():
                _use_write_ahead_log(database.connection)
                with database.transaction(WRITE):
                    schema.migrate(database.connection)
            _set_durability(database.connection)
        except BaseException as error:
            if database is not None:
                database.close()
            _explain(error)
            raise
        return database

    def insert(self, sql: str, parameters: Sequence[Any]) -> int:
        """Run a statement that adds a row, and return the row's id."""
        return self.connection.execute(sql, parameters).lastrowid or 0

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row, or None without one."""
        row = self.connection.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def transaction(self, mode: str) -> Iterator[None]:
        """Do what is in the block as a whole or not at all.

        What is only read there is of one state of the file.
        """
        if mode == WRITE and self._is_gone():
            # SQLite would go on in the nameless file, and lose it in the end.
            raise StoreError(
                "the file was moved or deleted", "restart the kernel to begin a new one"
            )
        connection = self.connection
        try:
            if connection.in_transaction:  # an interrupt at a bad moment left it
                connection.execute("ROLLBACK")
            connection.execute(f"BEGIN {mode}")
            yield
            connection.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            _explain(error)
            raise

    def clean(self) -> None:
        """Write the file anew, so that nothing that was deleted is left in it.

        ``secure_delete`` is not enough: where SQLite moves rows between pages, copies
        of them can stay behind.
        """
        try:
            self.connection.execute("VACUUM")
            if not self._empty_log():
                raise sqlite3.OperationalError("database is locked")
        except sqlite3.Error as error:
            _explain(error)
            raise

    def close(self) -> None:
        """Close it; whatever goes wrong, what was written stays written.

        SQLite leaves its helper files beside a file that was moved or deleted, with the
        last texts in them. They are removed, unless another kernel still reads there.
        """
        emptied = False
        if self._is_gone():
            with suppress(sqlite3.Error):
                self.connection.execute("PRAGMA busy_timeout = 0")
                emptied = self._empty_log()  # what was moved gets what is not yet in it
        with suppress(sqlite3.Error):
            self.connection.close()
        if emptied and self.path is not None:
            remove_leftovers(self.path)

    def _is_gone(self) -> bool:
        # There may be another file of that name.
        return self.path is not None and identity(self.path) != self._identity

    def _empty_log(self) -> bool:
        """Write all into the file itself; return whether nobody was in the way."""
        sql = "PRAGMA wal_checkpoint(TRUNCATE)"
        (busy, *_) = self.connection.execute(sql).fetchone()
        return not busy

    def _is_current(self) -> bool:
        # In one transaction: another kernel may be making the tables now.
        with self.transaction(READ):
            return schema.is_current(self.connection)


def open_to_read(path: Path) -> Database | None:
    """Return a database that only reads a file with this version's tables, or None.

    Where not even the helper files beside it can be made, it reads the file alone; but
    not one that another program has locked, and may be changing.
    """
    for options in ("mode=ro", "mode=ro&immutable=1"):
        address = f"{path.absolute().as_uri()}?{options}"
        try:
            connection = sqlite3.connect(address, uri=True, timeout=0)
        except sqlite3.Error:
            continue
        database, said = Database(connection, path), ""
        try:
            if database._is_current():
                return database
        except StoreError as error:
            said = str(error)
        database.close()
        if "lock" in said:
            return None
    return None


def _explain(error: BaseException) -> None:
    """Raise the StoreError that an error means, if it is one of the file."""
    trouble = store_error(error)
    if trouble is not None and trouble is not error:
        raise trouble from error


def _connect(name: str) -> sqlite3.Connection:
    return sqlite3.connect(
        name, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Choose the log that lets kernels read while one writes; it stays with the file.

    Several kernels may try at once, and SQLite does not wait for this by itself.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "lock" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _set_durability(connection: sqlite3.Connection) -> None:
    """Spare the disk a flush for each write, where the log makes that safe.

    A killed process loses nothing; after a power failure the last turns may be missing.
    """
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    level = "NORMAL" if mode == "wal" else "FULL"
    connection.execute(f"PRAGMA synchronous = {level}")
