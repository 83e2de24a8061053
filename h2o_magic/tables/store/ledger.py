"""The answers of all runs in one file of the user's: what was answered is never asked.

Each answer stands under the key of its request, so that a run is resumed by being run
again. Failures are noted, and answer nothing. The file is the user's alone (0600), as
is that of the conversations: answers are kept as they came, so that the second run
gives the same table as the first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from h2o_magic.config.forks import in_child
from h2o_magic.conversation.store.database import (
    BUSY_TIMEOUT,
    LOCKED,
    WRITE,
    Database,
    failure_of,
    open_to_read,
)
from h2o_magic.conversation.store.schema import Layout
from h2o_magic.errors import StoreError

#: A statement, and its parameters, once or many times.
Statement = tuple[str, Sequence[Sequence[object]]]

#: Keys in one query.
_CHUNK = 500
#: A file that nobody sees counts its runs from here: they are none of the ledger's.
OWN_RUNS = 2**40
#: Seconds that a patient write waits for another process.
_PATIENCE = 1.0
_SAY = "restart the kernel", "run this again"

_VERSION_1 = (
    """
    CREATE TABLE answers (
        key BLOB PRIMARY KEY,
        run INTEGER NOT NULL,
        at REAL NOT NULL,             -- seconds since 1970
        seconds REAL NOT NULL,
        first_token REAL,
        prompt_tokens INTEGER,
        completion_tokens INTEGER,
        model TEXT NOT NULL,
        text TEXT NOT NULL,
        repaired TEXT NOT NULL        -- the first answer, which did not fit
    )
    """,
    "CREATE INDEX answers_of_run ON answers (run)",
    """
    CREATE TABLE failures (
        run INTEGER NOT NULL, key BLOB NOT NULL, error TEXT NOT NULL,
        PRIMARY KEY (run, key)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        seen REAL NOT NULL,           -- when it was last known to run
        name TEXT NOT NULL,
        prompt TEXT NOT NULL,
        model TEXT NOT NULL,
        weights TEXT NOT NULL,        -- their digest, of a local model
        rows INTEGER,
        done INTEGER NOT NULL DEFAULT 0,
        known INTEGER NOT NULL DEFAULT 0,
        errors INTEGER NOT NULL DEFAULT 0,
        requests INTEGER NOT NULL DEFAULT 0,
        prompt_tokens INTEGER NOT NULL DEFAULT 0,
        completion_tokens INTEGER NOT NULL DEFAULT 0,
        seconds REAL NOT NULL DEFAULT 0,
        state TEXT NOT NULL DEFAULT 'running',
        reason TEXT NOT NULL DEFAULT ''
    )
    """,
)
#: `forgot` is 1 if answers before the run do not count for it, and later ones.
_VERSION_2 = ("ALTER TABLE runs ADD COLUMN forgot INTEGER NOT NULL DEFAULT 0",)
#: Marks a file as ours: "H2Ot".
LAYOUT = Layout(0x48324F74, (_VERSION_1, _VERSION_2))

# Databases of a parent process. Its child must not even close them: that would touch
# the parent's locks.
_of_parents: list[Database | None] = []


class Ledger:
    """The file; a `path` of None is one that nobody sees, and ends with this object.

    A disk or file error never stops a run: it goes on in such a file, with what can
    still be read in the other one, and `warn` gets one line. Several threads and
    processes may use it.
    """

    def __init__(self, path: Path | None, warn: Callable[[str], None]) -> None:
        self.trouble = ""
        self._path = path
        self._warn = warn
        self._file: Database | None = None
        self._spare: Database | None = None
        self._lock = threading.RLock()
        in_child(self._renew)

    def write(self, *statements: Statement, patient: bool = False) -> int | None:
        """Execute statements in one transaction; return the id of the last new row.

        With `patient`, return None if another process has locked the file: nothing is
        written then, and may be later.
        """
        with self._lock:
            try:
                wait = _PATIENCE if patient else BUSY_TIMEOUT
                return self._written(statements, wait)
            except Exception as error:
                if patient and isinstance(error, StoreError) and error.what == LOCKED:
                    return None
                self._go_on_without(error)
            return self._written(statements)

    def read(self, query: str, *parameters: object) -> list[Any]:
        """Return the rows of a query."""
        with self._lock:
            try:
                return self._found(query, parameters)
            except Exception as error:
                self._go_on_without(error)
            try:
                return self._found(query, parameters)
            except Exception:  # the file cannot even be read
                self._file = None
                return self._found(query, parameters)

    def under(self, query: str, keys: Sequence[bytes]) -> Iterator[Any]:
        """Yield the rows of a query that ends with ``IN``, with these keys."""
        for start in range(0, len(keys), _CHUNK):
            some = keys[start : start + _CHUNK]
            yield from self.read(f"{query} ({', '.join('?' * len(some))})", *some)

    def close(self) -> None:
        """Close the file; a later use opens it again. What nobody sees stays open."""
        with self._lock:
            if self._file is not None and not self.trouble:
                self._file.close()
                self._file = None

    def _written(
        self, statements: Iterable[Statement], wait: float = BUSY_TIMEOUT
    ) -> int:
        database = self._open(wait)
        with database.transaction(WRITE):
            for sql, parameters in statements:
                if len(parameters) == 1:
                    database.execute(sql, parameters[0])
                else:
                    database.connection.executemany(sql, parameters)
            (last,) = database.execute("SELECT last_insert_rowid()").fetchone()
        return int(last)

    def _found(self, query: str, parameters: Sequence[object]) -> list[Any]:
        here = self._open()
        rows: list[Any] = []
        if self._file is not None and self._file is not here:
            rows = self._file.execute(query, parameters).fetchall()
        return rows + here.execute(query, parameters).fetchall()

    def _open(self, wait: float = BUSY_TIMEOUT) -> Database:
        """Return what is written to; it waits so many seconds for other processes."""
        if self._path is not None and not self.trouble:
            if self._file is None:
                self._file = Database.open(self._path, LAYOUT)
            self._file.execute(f"PRAGMA busy_timeout = {wait * 1000:.0f}")
            return self._file
        if self._spare is None:
            self._spare = Database.temporary(LAYOUT)
            self._spare.execute(
                "INSERT INTO runs (id, at, seen, name, prompt, model, weights) "
                f"VALUES ({OWN_RUNS}, 0, 0, '', '', '', '')"
            )
        return self._spare

    def _go_on_without(self, error: Exception) -> None:
        failure = failure_of(error)
        if failure is None or self._path is None or self.trouble:
            raise error
        if self._file is None and failure.readable:
            self._file = open_to_read(self._path, LAYOUT)
        path = " ".join(str(self._path).split())
        self.trouble = (
            f"cannot keep the answers to rows in {path}: {failure.what}. They are kept "
            f"until the kernel ends: {failure.remedy.replace(*_SAY)}"
        )
        with suppress(Warning):  # where warnings are errors
            self._warn(self.trouble)

    def _renew(self) -> None:
        self._lock = threading.RLock()
        _of_parents.append(self._file)
        self._file = None
