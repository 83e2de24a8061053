"""A notebook's turns: kept in the user's database, else in memory.

A disk or file error never stops a question. The record then goes on in memory, with
what could still be read, and says why once.
"""

from __future__ import annotations

import threading
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from h2o_magic.chat.turns import Change, Thread, ThreadInfo, Turn, TurnStatus, Versions
from h2o_magic.config import folders
from h2o_magic.config.forks import in_child
from h2o_magic.conversation.store import (
    changes,
    files,
    notebooks,
    rows,
    threads,
    turns,
    versions,
)
from h2o_magic.conversation.store import undo as history
from h2o_magic.conversation.store.database import (
    READ,
    WRITE,
    Database,
    failure_of,
    open_to_read,
)
from h2o_magic.conversation.store.origins import CameFrom, cell_sources
from h2o_magic.conversation.store.salvage import take_over
from h2o_magic.conversation.store.turns import Place
from h2o_magic.errors import H2OMagicError, StoreError

#: How many turns are read at a time where it is not known how many are wanted.
_PAGE = 32

_NOTHING_ERASED = "nothing was erased from"
_NOT_YET_CLEAN = "the turns are removed, but their text may still be in"

_P = ParamSpec("_P")
_T = TypeVar("_T")

# Databases of a parent process. Its child must not even close them: that would touch
# the parent's locks.
_of_parents: list[Database] = []


class Record:
    """The turns of one notebook, in threads, with their history of changes.

    Nothing is read or created before the first use. It can be used by several threads
    at once, also after a fork. A `path` of None keeps the turns in memory. By `cell`,
    which loads the extension, and `file` a renamed or copied notebook finds its own
    conversation. `on_trouble` gets one line, once, if the database cannot be used.
    """

    def __init__(
        self,
        path: Path | None,
        key: str,
        *,
        cell: str | None = None,
        file: Path | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self._path = path
        self._origin = key, cell, file
        self._on_trouble = on_trouble
        self._came_from: CameFrom | None = None
        self._error: StoreError | None = None
        self._trouble = ""
        self._settings: Mapping[str, tuple[Any, str]] | None = None  # last saved
        self._asking: set[str] = set()  # ids of the cells that did since then
        # Turns by id that no damage may remove: their answers are being written.
        self._running: dict[int, tuple[str, Turn]] = {}
        self._database: Database | None = None
        self._lock = threading.RLock()
        in_child(self._renew)

    @property
    def path(self) -> Path | None:
        """Where the turns are kept; None in memory."""
        return self._run(READ, lambda database: database.path)

    @property
    def trouble(self) -> str:
        """Why the turns are in memory although a path was given; else empty."""
        self._run(READ, lambda _: None)
        return self._trouble

    @property
    def came_from(self) -> tuple[str, str] | None:
        """``("renamed", old key)`` or ``("copied", old key)``, or None."""
        self._run(READ, lambda _: None)
        return self._came_from

    @property
    def thread(self) -> str | None:
        """Name of the notebook's current thread, saved with it; None if never set."""
        return self._run(READ, notebooks.current_thread)

    @thread.setter
    def thread(self, name: str | None) -> None:
        self._run(WRITE, notebooks.set_current_thread, name)

    @property
    def settings(self) -> Mapping[str, tuple[Any, str]]:
        """Value and origin of each setting that the notebook was left with."""
        return self._run(READ, notebooks.settings)

    @settings.setter
    def settings(self, kept: Mapping[str, tuple[Any, str]]) -> None:
        if kept != self._settings:
            self._run(WRITE, notebooks.keep_settings, kept)
            self._settings = kept

    def begin(self, thread: str, turn: Turn, of: Place = None) -> Turn:
        """Add a turn in the place of one, by cell or id; None: its own cell's."""
        with self._lock:
            place = turn.cell if of is None else of
            begun = self._run(WRITE, changes.begin, thread, turn, place)
            if begun.status == "incomplete":
                self._running[begun.id] = (thread, begun)
            return begun

    def update(
        self,
        id: int,  # noqa: A002 - named as the turn's attribute
        *,
        answer: str,
        status: TurnStatus,
        facts: Mapping[str, Any],
    ) -> None:
        """Save the answer to a question, also if its turn was removed since."""
        with self._lock:
            self._run(
                WRITE, changes.update, id, answer=answer, status=status, facts=facts
            )
            if status != "incomplete":
                self._running.pop(id, None)

    def withdraw(
        self,
        id: int,  # noqa: A002 - named as the turn's attribute
        *,
        if_replaced: bool = False,
    ) -> bool:
        """Remove a question as if it had never been asked; return whether it was.

        The turn that it replaced comes back. A turn that was removed since stays
        removed. With `if_replaced`, only a turn that replaced another is removed.
        """
        with self._lock:
            done = self._run(WRITE, changes.withdraw, id, if_replaced=if_replaced)
            if done:
                self._running.pop(id, None)
            return done

    def keep_before(self, id: int, answer: str) -> Turn | None:  # noqa: A002 - as in `update`
        """Withdraw a question that the turn before it had asked and answered the same.

        Return that turn, which stays; None if there is none.
        """
        with self._lock:
            before = self._run(WRITE, changes.keep_before, id, answer)
            if before is not None:
                self._running.pop(id, None)
            return before

    def drop(self, thread: str, number: int) -> Turn:
        return self._run(WRITE, changes.drop, thread, number)

    def is_dropped(self, thread: str, id: int) -> bool:  # noqa: A002 - as in `update`
        """Return whether :meth:`bring_back` can restore a turn."""
        return self._run(READ, changes.dropped_by, thread, id) > 0

    def bring_back(self, thread: str, id: int) -> bool:  # noqa: A002 - as in `update`
        """Restore a dropped turn in its place, and take back nothing that came since.

        Return whether it was restored: else it is there, or can come back no more.
        """
        return self._run(WRITE, changes.bring_back, thread, id)

    def drop_cell(self, thread: str, cell: str) -> bool:
        return self._run(WRITE, changes.drop_cell, thread, cell)

    def turns(self, thread: str, *, last: int | None = None) -> tuple[Turn, ...]:
        return self._run(READ, turns.last, thread, last)

    def ids(self, thread: str) -> tuple[int, ...]:
        """Return the ids of a thread's turns in order: far cheaper than the turns."""
        return self._run(READ, turns.ids, thread)

    def with_ids(self, thread: str, ids: Iterable[int]) -> tuple[Turn, ...]:
        return self._run(READ, turns.with_ids, thread, ids)

    def before_each(self, thread: str, ids: Iterable[int]) -> Mapping[int, Turn]:
        """Return the turns before these, by the ids of these, without their texts."""
        return self._run(READ, turns.before_each, thread, ids)

    def turn(self, thread: str, number: int) -> Turn:
        return self._run(READ, turns.by_number, thread, number)[0]

    def image_data(self, hashes: Iterable[str]) -> Mapping[str, bytes]:
        """Return the bytes of the turns' images by hash; what is erased is left out."""
        return self._run(READ, files.data, hashes)

    def with_images(self, turns: Iterable[Turn]) -> tuple[Turn, ...]:
        """Return turns whose images have their bytes, unless those are erased."""
        return self._run(READ, files.filled, tuple(turns))

    def place(self, thread: str, cell: str | None, question: str) -> Place:
        """Return whose place a cell's question takes: its own turn's, or a twin's.

        A twin asked the same from a cell that is no more: tools give cells new ids.
        """
        _, _, file = self._origin
        if cell is None or file is None:
            return cell
        with self._lock:
            self._asking.add(rows.cell_of(cell))
            twins = self._run(READ, turns.twins, thread, cell, question)
            there = {*self._asking, *(cell_sources(file) or ())} if twins else ()
            gone = (id_ for id_, key in twins if rows.cell_of(key) not in there)
            return next(gone, cell)

    def has_cell(self, source: str) -> bool:
        """Return whether a cell of the notebook, as it was last saved, reads so."""
        _, _, file = self._origin
        return file is not None and source in (cell_sources(file) or {}).values()

    def is_there(self, id: int) -> bool:  # noqa: A002 - named as the turn's attribute
        return self._run(READ, turns.is_live, id)

    def before(self, thread: str, of: Place) -> Iterator[Turn]:
        """Yield the turns before one, newest first; all if there is no such turn."""
        below = self._run(READ, turns.position_of, thread, of)
        while True:
            page, below = self._run(READ, turns.page, thread, below, _PAGE)
            yield from reversed(page)
            if len(page) < _PAGE:
                return

    def count(self, thread: str) -> int:
        return self._run(READ, turns.count, thread)

    def counts(self, thread: str) -> Mapping[TurnStatus, int]:
        return self._run(READ, turns.counts, thread)

    def counts_around(self, thread: str, of: Place) -> tuple[int, int]:
        """Count the turns before one, and those that asking it again makes outdated.

        The first are those back to the nearest that `begins`.
        """
        return self._run(READ, turns.counts_around, thread, of)

    def keys_of_cell(self, cell: str) -> tuple[tuple[str, str], ...]:
        """Return thread and key of a cell's turns: the id, ``id#2``, and so on."""
        return self._run(READ, turns.keys_of_cell, cell)

    def threads(self) -> tuple[ThreadInfo, ...]:
        """Return the threads that have turns, in order of creation."""
        return self._run(READ, threads.listed)

    def thread_names(self, *, filled: bool = True) -> tuple[str, ...]:
        """Return the names of :meth:`threads`, or of all that ever had turns."""
        return self._run(READ, threads.names, filled=filled)

    def title(self, thread: str) -> str:
        """Return what a thread is called, also one without turns."""
        return self._run(READ, threads.title, thread)

    def own_titles(self) -> Mapping[str, str]:
        """Return the titles that users gave, by the names of their threads."""
        return self._run(READ, threads.own_titles)

    def set_title(self, thread: str, title: str) -> None:
        self._run(WRITE, threads.set_title, thread, title)

    def newest(self) -> tuple[int, ...]:
        """Return the ids of the turns of all threads, those asked last first."""
        return self._run(READ, turns.newest)

    def texts(self, ids: Iterable[int]) -> tuple[tuple[int, str, str], ...]:
        """Return id, thread and text of the turns that are left of these."""
        return self._run(READ, turns.texts, ids)

    def fork(
        self, thread: str, new: str, at: int | None, *, overwrite: bool = False
    ) -> int:
        return self._run(WRITE, changes.fork, thread, new, at, overwrite=overwrite)

    def reset(self, thread: str | None, *, erase: bool = False) -> int:
        """Remove the turns of a thread, or of all (None); return how many.

        With `erase` they are deleted for good, also from what can be undone; a
        StoreError if that cannot be done in the file.
        """
        if erase:
            return self._erase(thread)
        return self._run(WRITE, changes.reset, thread)

    def versions(self, thread: str, number: int) -> Versions:
        return self._run(READ, versions.of, thread, number)

    def version_counts(
        self, thread: str, of: Collection[int] | None = None
    ) -> Mapping[int, tuple[int, int]]:
        """Return by id which version is chosen, of how many; fewer ids cost less."""
        return self._run(READ, versions.counts, thread, of)

    def choose(self, thread: str, number: int, version: int) -> Turn:
        with self._lock:
            return self._run(
                WRITE, changes.choose, thread, number, version, self._running
            )

    def undo(self, thread: str) -> Change | None:
        return self._run(WRITE, history.undo, thread)

    def redo(self, thread: str) -> Change | None:
        return self._run(WRITE, history.redo, thread)

    def add(self, new: Sequence[Thread]) -> None:
        """Add turns at the end of threads: all or nothing, as one change."""
        self._run(WRITE, changes.add, new)

    def close(self) -> None:
        """Close the file. A later use opens it again; what is in memory is lost."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._running = {}
        if self._database is not None and self._database.path is not None:
            _of_parents.append(self._database)
            self._database = None

    def _run(
        self,
        mode: str,
        work: Callable[Concatenate[Database, _P], _T],
        *arguments: _P.args,
        **named: _P.kwargs,
    ) -> _T:
        """Return ``work(database, ...)``, in one transaction.

        If the file fails, it is done again in memory. What fails there, too, is no
        fault of the file.
        """
        with self._lock:
            try:
                database = self._open()
                with database.transaction(mode):
                    return work(database, *arguments, **named)
            except Exception as error:
                failure = failure_of(error)
                if failure is None or self._path is None or self._error is not None:
                    raise
                memory = self._salvaged(failure, self._path)
                try:
                    with memory.transaction(mode):
                        result = work(memory, *arguments, **named)
                except Exception as again:
                    if failure is error or isinstance(again, H2OMagicError):
                        self._go_on_in_memory(memory, failure, self._path)
                    raise
                self._go_on_in_memory(memory, failure, self._path)
                return result

    def _open(self) -> Database:
        if self._database is None:
            path = None if self._error is not None else self._path
            database = Database.in_memory() if path is None else Database.open(path)
            try:
                self._enter(database)
            except BaseException:
                database.close()
                raise
            self._database = database
        with self._database.transaction(READ):
            there = notebooks.is_there(self._database)
        if not there:
            self._enter(self._database)
        return self._database

    def _enter(self, database: Database) -> None:
        with database.transaction(WRITE):
            came_from = notebooks.enter(database, *self._origin)
        self._came_from = self._came_from or came_from

    def _erase(self, thread: str | None) -> int:
        with self._lock:
            if self._error is not None:
                raise self._not_erased(_NOTHING_ERASED, self._error)
            try:
                database = self._open()
                with database.transaction(WRITE):
                    count = changes.erase(database, thread)
            except Exception as error:
                failure = failure_of(error)
                if failure is None:
                    raise
                raise self._not_erased(_NOTHING_ERASED, failure) from error
            self._running = {
                id_: (name, turn)
                for id_, (name, turn) in self._running.items()
                if thread not in (None, name)
            }
            try:
                database.clean()
            except StoreError as error:
                raise self._not_erased(_NOT_YET_CLEAN, error) from error
            return count

    def _salvaged(self, error: StoreError, path: Path) -> Database:
        """Return what can be read in memory, and close the file."""
        database = Database.in_memory()
        source, whole = self._database, False
        self._database = None
        if source is None and error.readable:
            source = open_to_read(path)
        if source is not None:
            with database.transaction(WRITE):
                whole = take_over(database, source, *self._origin)
            source.close()
        self._enter(database)
        if not whole:
            with database.transaction(WRITE):
                for thread, turn in self._running.values():
                    changes.restore(database, thread, turn)
        return database

    def _go_on_in_memory(self, memory: Database, error: StoreError, path: Path) -> None:
        self._database = memory
        self._error = StoreError(error.what, error.remedy)  # without its traceback
        self._trouble = (
            f"cannot save the conversation in {_in_one_line(path)}: {error.what}. "
            f"The chat is kept in memory until the kernel ends: {error.remedy}"
        )
        if folders.is_news(path) and folders.hindrance(path) != path:
            self._trouble += " (what else would be saved there is in memory, too)"
        if self._on_trouble is not None:
            self._on_trouble(self._trouble)

    def _not_erased(self, what: str, error: StoreError) -> StoreError:
        return StoreError(
            f"{what} {_in_one_line(self._path)}: {error.what}",
            f"{error.remedy}, then erase again",
        )


def _in_one_line(path: Path | None) -> str:
    return " ".join(str(path).split())
