"""Keeping one notebook's conversation: in its file, and when that fails, in memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from h2o_magic.errors import StoreError
from h2o_magic.store import changes, notebooks
from h2o_magic.store.connection import Database, open_to_read
from h2o_magic.store.salvage import take_over
from h2o_magic.turns import Turn

__all__ = ["Keeper"]

_NOTHING_ERASED = "nothing was erased from"
_NOT_YET_CLEAN = "the turns are taken out, but their text may still be in"

_P = ParamSpec("_P")
_T = TypeVar("_T")

# Databases of a parent process. Its child must not even close them: that would touch
# the parent's locks.
_of_parents: list[Database] = []


class Keeper:
    """The database of one notebook: opened when needed, replaced when it fails.

    It can be used by several threads at once, also after a fork.

    Parameters
    ----------
    path, key, cell, file, on_trouble
        As :class:`~h2o_magic.record.Record` takes them.

    Attributes
    ----------
    path : Path or None
        Where the conversation is to be kept.
    error : StoreError or None
        Why it is in memory although a path was given.
    trouble : str
        The same in one line; else empty.
    came_from : tuple or None
        How the notebook came to its conversation, if it was another's before.
    running : dict
        Threads and turns, by id, that no damage may take away: their answers are still
        being written.
    """

    def __init__(
        self,
        path: Path | None,
        key: str,
        cell: str | None,
        file: Path | None,
        on_trouble: Callable[[str], None] | None,
    ) -> None:
        self.path = path
        self.error: StoreError | None = None
        self.trouble = ""
        self.came_from: notebooks.CameFrom | None = None
        self.running: dict[int, tuple[str, Turn]] = {}
        self._place = key, cell, file
        self._on_trouble = on_trouble
        self._database: Database | None = None
        self._lock = threading.RLock()
        self._pid = os.getpid()

    def holding(self) -> threading.RLock:
        """Return the lock that a use must hold; a new process begins with its own."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._lock = threading.RLock()
            if self._database is not None and self._database.path is not None:
                _of_parents.append(self._database)
                self._database = None
        return self._lock

    def read(
        self,
        query: Callable[Concatenate[Database, _P], _T],
        *arguments: _P.args,
        **named: _P.kwargs,
    ) -> _T:
        """Return ``query(database, ...)``, from one state of the conversation."""
        return self.run(lambda database: database.read(query, *arguments, **named))

    def write(
        self,
        change: Callable[Concatenate[Database, _P], _T],
        *arguments: _P.args,
        **named: _P.kwargs,
    ) -> _T:
        """Return ``change(database, ...)``, done as a whole or not at all."""
        return self.run(lambda database: database.write(change, *arguments, **named))

    def run(self, work: Callable[[Database], _T]) -> _T:
        """Do something with the database; if its file fails, again in memory."""
        with self.holding():
            try:
                return work(self._open())
            except StoreError as error:
                if self.path is None or self.error is not None:
                    raise
                return work(self._go_on_in_memory(error, self.path))

    def erase(self, thread: str | None) -> int:
        """Delete a thread, or all (None), from the disk; return how many turns.

        Raises
        ------
        StoreError
            If the file cannot be written. Memory is no help here: nothing is changed.
        """
        with self.holding():
            if self.error is not None:
                raise self._not_erased(_NOTHING_ERASED, self.error)
            try:
                database = self._open()
                count = database.write(changes.erase, thread)
            except StoreError as error:
                raise self._not_erased(_NOTHING_ERASED, error) from error
            self.running = {
                id_: (name, turn)
                for id_, (name, turn) in self.running.items()
                if thread not in (None, name)
            }
            try:
                database.clean()
            except StoreError as error:
                raise self._not_erased(_NOT_YET_CLEAN, error) from error
            return count

    def close(self) -> None:
        """Close the file. A later use opens it again; what is in memory is gone."""
        with self.holding():
            if self._database is not None:
                self._database.close()
                self._database = None

    def _open(self) -> Database:
        if self._database is None:
            path = None if self.error is not None else self.path
            database = Database.in_memory() if path is None else Database.open(path)
            try:
                self._enter(database)
            except BaseException:
                database.close()
                raise
            self._database = database
        elif not self._database.read(notebooks.is_there):
            self._enter(self._database)
        return self._database

    def _enter(self, database: Database) -> None:
        came_from = database.write(notebooks.enter, *self._place)
        self.came_from = self.came_from or came_from

    def _go_on_in_memory(self, error: StoreError, path: Path) -> Database:
        """Take over what can be read, and say what happened."""
        database = Database.in_memory()
        source, whole = self._database, False
        if source is None and error.readable:
            source = open_to_read(path)
        if source is not None:
            whole = database.write(take_over, source, *self._place)
            source.close()
        self._enter(database)
        if not whole:
            for thread, turn in self.running.values():
                database.write(changes.restore, thread, turn)
        self._database = database
        self.error = StoreError(error.what, error.remedy)  # without its traceback
        self.trouble = (
            f"cannot keep the conversation in {_in_one_line(path)}: "
            f"{error.what}. It goes on in memory until the kernel ends: {error.remedy}"
        )
        if self._on_trouble is not None:
            self._on_trouble(self.trouble)
        return database

    def _not_erased(self, what: str, error: StoreError) -> StoreError:
        return StoreError(
            f"{what} {_in_one_line(self.path)}: {error.what}",
            f"{error.remedy}, then erase again",
        )


def _in_one_line(path: Path | None) -> str:
    return " ".join(str(path).split())
