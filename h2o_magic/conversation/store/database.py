"""The database file: opening it, its transactions, its end, and its errors."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from h2o_magic.config.folders import make_private
from h2o_magic.config.forks import in_child
from h2o_magic.conversation.store import schema
from h2o_magic.conversation.store.schema import Layout
from h2o_magic.errors import H2OMagicError, StoreError

if sys.platform != "win32":
    import fcntl

#: Seconds to wait for other kernels that write. A write takes milliseconds.
BUSY_TIMEOUT = 10.0

#: No id or number in a file comes near this, unless it is damaged.
LARGEST = 2**53

#: What a transaction may do.
READ, WRITE = "DEFERRED", "IMMEDIATE"

_creating = threading.Lock()


def _renew() -> None:
    global _creating  # noqa: PLW0603 - one of the parent's threads may hold it
    _creating = threading.Lock()


in_child(_renew)


class Database:
    """An open database with this version's tables; for one thread at a time.

    They are those of conversations, or of another `layout`.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path | None = None,
        layout: Layout | None = None,
    ) -> None:
        self._layout = layout or schema.layout()
        self.connection = connection
        self.execute = connection.execute
        self.path = path
        self.notebook = 0
        self.pid = os.getpid()
        self._identity = path and _identity(path)

    def __del__(self) -> None:
        if self.pid == os.getpid():
            self.close()

    @classmethod
    def in_memory(cls) -> Database:
        return cls._new(":memory:")

    @classmethod
    def temporary(cls, layout: Layout) -> Database:
        """Return one that nobody else sees: in memory, and in a file if it grows."""
        return cls._new("", layout)

    @classmethod
    def _new(cls, name: str, layout: Layout | None = None) -> Database:
        database = cls(_connect(name), layout=layout)
        database._layout.migrate(database.connection)
        return database

    @classmethod
    def open(cls, path: Path, layout: Layout | None = None) -> Database:
        """Open a file, or create one that only this user can read."""
        database = None
        try:
            _create(path)
            database = cls(_connect(str(path)), path, layout)
            if not database._is_current():
                _use_write_ahead_log(database.connection)
                with database.transaction(WRITE):
                    database._layout.migrate(database.connection)
            _set_durability(database.connection)
        except BaseException as error:
            if database is not None:
                database.close()
            if isinstance(error, Exception):
                raise (failure_of(error) or error) from error
            raise
        return database

    def insert(self, sql: str, parameters: Sequence[Any]) -> int:
        id_ = self.connection.execute(sql, parameters).lastrowid or 0
        if id_ >= LARGEST:
            raise damaged()
        return id_

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row, or None without one."""
        row = self.connection.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def transaction(self, mode: str) -> Iterator[None]:
        """Run the block as a whole or not at all; all it reads is of one moment."""
        if mode == WRITE and self._is_gone():
            # SQLite would go on in the nameless file, and lose it in the end.
            raise StoreError(
                "the file was moved or deleted",
                "restart the kernel to create a new one",
            )
        connection = self.connection
        try:
            if connection.in_transaction:  # an interrupt at a bad moment left it
                connection.execute("ROLLBACK")
            connection.execute(f"BEGIN {mode}")
            yield
            connection.execute("COMMIT")
        except BaseException as error:
            with suppress(*_FAILURES):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            known = store_error(error)
            if known is not None and known is not error:
                raise known from error
            raise

    def clean(self) -> None:
        """Rewrite the file, so that nothing that was deleted is left in it.

        ``secure_delete`` is not enough: where SQLite moves rows between pages, copies
        of them can stay behind.
        """
        try:
            self.connection.execute("VACUUM")
            if not self._empty_log():
                raise sqlite3.OperationalError("database is locked")
        except Exception as error:
            raise (failure_of(error) or error) from error

    def close(self) -> None:
        """Close it; whatever goes wrong, what was written stays written.

        SQLite leaves its helper files beside a file that was moved or deleted, with the
        last texts in them. They are removed, unless another kernel still reads there.
        """
        emptied = False
        if self._is_gone():
            with suppress(*_FAILURES):
                self.connection.execute("PRAGMA busy_timeout = 0")
                emptied = self._empty_log()  # into the file, where it is now
        with suppress(*_FAILURES):
            self.connection.close()
        if emptied and self.path is not None:
            _remove_leftovers(self.path)

    def _is_gone(self) -> bool:
        # There may be another file of that name.
        return self.path is not None and _identity(self.path) != self._identity

    def _empty_log(self) -> bool:
        """Move the log into the file itself; return whether no other kernel uses it."""
        sql = "PRAGMA wal_checkpoint(TRUNCATE)"
        (busy, *_) = self.connection.execute(sql).fetchone()
        return not busy

    def _is_current(self) -> bool:
        # In one transaction: another kernel may be making the tables now.
        with self.transaction(READ):
            return self._layout.is_current(self.connection)


def open_to_read(path: Path, layout: Layout | None = None) -> Database | None:
    """Return a read-only database of a file with this version's tables, or None.

    Where not even the helper files beside it can be made, it reads the file alone; but
    not one that another program has locked, and may be changing.
    """
    for options in ("mode=ro", "mode=ro&immutable=1"):
        address = f"{path.absolute().as_uri()}?{options}"
        try:
            connection = sqlite3.connect(address, uri=True, timeout=0)
        except sqlite3.Error:
            continue
        database, message = Database(connection, path, layout), ""
        try:
            if database._is_current():
                return database
        except StoreError as error:
            message = str(error)
        database.close()
        if "lock" in message:
            return None
    return None


_WRITABLE = (
    "make the file and its folder writable, or set H2O_MAGIC_HOME to another folder, "
    "and restart the kernel"
)
_AWAY = "move the file away and restart the kernel to create a new one"

#: What is said of a file that another process keeps from being written.
LOCKED = "another program has locked the file"

#: What SQLite raises, also where it cannot even say what is wrong.
_FAILURES = (sqlite3.Error, UnicodeDecodeError, MemoryError)

# SQLite's own words (sqlite3ErrStr), since Python 3.10 does not give the error's code.
_KNOWN = (
    ("full", "the disk is full", "free some space and restart the kernel"),
    ("malformed", "the file is damaged", _AWAY),
    ("not decode", "the file is damaged", _AWAY),  # and which text cannot be decoded
    ("not a database", "the file is damaged or is no database", _AWAY),
    (
        "lock",
        LOCKED,
        "close that program and restart the kernel",
    ),
    ("readonly", "the file cannot be written", _WRITABLE),
    ("unable to open", "the file cannot be opened", _WRITABLE),
)


def store_error(error: BaseException) -> StoreError | None:
    """Return the StoreError for an error of SQLite or the system; None for others."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, OSError):
        return StoreError(error.strerror or type(error).__name__, _WRITABLE)
    if isinstance(error, UnicodeDecodeError | MemoryError):  # of sizes as damage has it
        return damaged()
    # The other classes (IntegrityError, InterfaceError, ProgrammingError, ...) say that
    # a program uses SQLite wrongly.
    if type(error) not in (sqlite3.OperationalError, sqlite3.DatabaseError):
        return None
    message = "".join(c if c.isprintable() else " " for c in str(error))
    for sign, what, remedy in _KNOWN:
        if sign in message:
            return StoreError(what, remedy)
    return StoreError(message, "check the disk, and restart the kernel")


def failure_of(error: Exception) -> StoreError | None:
    """Return the StoreError for what reading or writing rows raised.

    None for what this package refuses. Any other error may come of damage: values are
    of another type then, or contradict each other.
    """
    if isinstance(error, H2OMagicError) and not isinstance(error, StoreError):
        return None
    return store_error(error) or damaged()


def damaged() -> StoreError:
    return StoreError("the file is damaged", _AWAY)


def _connect(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        name, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Let kernels read while one writes; SQLite does not wait for this by itself."""
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
    """Skip a flush for each write: a power failure may cost the last turns."""
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    level = "NORMAL" if mode == "wal" else "FULL"
    connection.execute(f"PRAGMA synchronous = {level}")


def _create(path: Path) -> None:
    make_private(path.parent)
    # A kernel may still have the deleted file open that they belong to; a new file must
    # not share them.
    _remove_leftovers(path)
    # SQLite gives its helper files the mode of the file itself. An existing file must
    # not be opened here: closing it would drop the locks that this process holds.
    with _creating, suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        path.chmod(0o600)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what distinguishes a file from another one of the same name."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _remove_leftovers(path: Path) -> None:
    """Remove SQLite's helper files beside a file that was moved or deleted.

    Whoever creates a new file does this first. So, while the folder is locked, helper
    files without a file still belong to the old one.
    """
    if not _leftovers(path):
        return
    with suppress(OSError), ExitStack() as stack:
        # Windows deletes no file while a program has it open.
        if sys.platform != "win32":
            folder = os.open(path.parent, os.O_RDONLY)
            stack.callback(os.close, folder)
            fcntl.flock(folder, fcntl.LOCK_EX)
        for helper in _leftovers(path):
            helper.unlink()


def _leftovers(path: Path) -> list[Path]:
    # In this order: a new file's helper files appear after the file itself.
    helpers = [Path(f"{path}{end}") for end in ("-wal", "-shm")]
    found = list(filter(os.path.exists, helpers))
    return [] if os.path.exists(path) else found
