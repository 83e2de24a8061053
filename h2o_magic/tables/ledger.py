"""The answers of all runs in one file of the user's: what was answered is never asked.

Each answer stands under the key of its request, so that a run is resumed by being run
again. Failures are noted, and answer nothing. The file is the user's alone (0600).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from h2o_magic.config.folders import make_private
from h2o_magic.tables.outcome import RowAnswer

#: Keys in one query.
_CHUNK = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY,
    text TEXT NOT NULL,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    seconds REAL NOT NULL,
    first_token REAL,
    model TEXT NOT NULL,
    repaired TEXT NOT NULL,
    run INTEGER NOT NULL,
    at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS failures (
    key BLOB NOT NULL, run INTEGER NOT NULL, error TEXT NOT NULL, at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS failures_of_run ON failures (run, key);
CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, at REAL NOT NULL);
"""


class AnswerStore(Protocol):
    """Where the answers of a run live: the ledger, or a folder of stored answers."""

    def known(self, keys: Iterable[bytes]) -> set[bytes]:
        """Return which of these keys have an answer."""

    def answers(self, keys: Sequence[bytes]) -> Mapping[bytes, RowAnswer]:
        """Return the answers under these keys, of those that have one."""

    def errors(self, keys: Sequence[bytes]) -> Mapping[bytes, str]:
        """Return why keys failed in this run, of those that did."""

    def moments(self) -> Iterable[tuple[float, float]]:
        """Return when the answers of this run came, in order, and how long each took.

        In seconds since 1970, and seconds; nothing where that is not kept.
        """
        return ()

    def put(self, key: bytes, text: str, answer: RowAnswer) -> None:
        """Keep the answer to a row's question; it lasts from the next `flush` on."""

    def fail(self, key: bytes, error: str) -> None:
        """Note that a key failed in this run."""

    def forget(self, keys: Iterable[bytes]) -> None:
        """Remove the answers under these keys, so that they are asked again."""

    def flush(self) -> None:
        """Write what was put, in one transaction."""

    def close(self) -> None: ...


class Ledger(AnswerStore):
    """The file of answers; a `path` of None is one that nobody sees, and ends with it.

    It belongs to the thread that opened it.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            make_private(path.parent)
            path.touch(mode=0o600, exist_ok=True)
        # An empty name is SQLite's own temporary file.
        self._database = sqlite3.connect(str(path or ""), isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)
        found = self._database.execute(
            "INSERT INTO runs (at) VALUES (?)", (time.time(),)
        )
        self.run = found.lastrowid or 0
        self._put: list[tuple[object, ...]] = []
        self._failed: list[tuple[object, ...]] = []

    def known(self, keys: Iterable[bytes]) -> set[bytes]:
        self.flush()
        found = self._selected("SELECT key FROM answers WHERE key IN", list(keys))
        return {key for (key,) in found}

    def answers(self, keys: Sequence[bytes]) -> Mapping[bytes, RowAnswer]:
        self.flush()
        columns = (
            "key, text, prompt_tokens, completion_tokens, seconds, first_token, model,"
            " repaired"
        )
        found = self._selected(f"SELECT {columns} FROM answers WHERE key IN", keys)
        return {key: RowAnswer(*rest) for key, *rest in found}

    def errors(self, keys: Sequence[bytes]) -> Mapping[bytes, str]:
        self.flush()
        query = f"SELECT key, error FROM failures WHERE run = {self.run} AND key IN"
        return dict(self._selected(query, keys))

    def moments(self) -> Iterable[tuple[float, float]]:
        self.flush()
        query = "SELECT at, seconds FROM answers WHERE run = ? ORDER BY at"
        yield from self._database.execute(query, (self.run,))

    def put(self, key: bytes, text: str, answer: RowAnswer) -> None:  # noqa: ARG002
        self._put.append(
            (
                key,
                answer.text,
                answer.prompt_tokens,
                answer.completion_tokens,
                answer.seconds,
                answer.first_token,
                answer.model,
                answer.repaired,
                self.run,
                time.time(),
            )
        )

    def fail(self, key: bytes, error: str) -> None:
        self._failed.append((key, self.run, error, time.time()))

    def forget(self, keys: Iterable[bytes]) -> None:
        self._database.executemany(
            "DELETE FROM answers WHERE key = ?", [(key,) for key in keys]
        )

    def flush(self) -> None:
        if not (self._put or self._failed):
            return
        put, self._put = self._put, []
        failed, self._failed = self._failed, []
        self._database.execute("BEGIN IMMEDIATE")
        marks = ", ".join("?" * 10)
        self._database.executemany(
            f"INSERT OR REPLACE INTO answers VALUES ({marks})", put
        )
        self._database.executemany("INSERT INTO failures VALUES (?, ?, ?, ?)", failed)
        self._database.execute("COMMIT")

    def close(self) -> None:
        self.flush()
        self._database.close()

    def _selected(self, query: str, keys: Sequence[bytes]) -> list[Any]:
        rows: list[Any] = []
        for start in range(0, len(keys), _CHUNK):
            some = keys[start : start + _CHUNK]
            marks = ", ".join("?" * len(some))
            rows += self._database.execute(f"{query} ({marks})", some).fetchall()
        return rows
