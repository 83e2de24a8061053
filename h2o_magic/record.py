"""A notebook's record of turns: kept in the user's store, else in memory.

Trouble with disk or file never stops a question. The record then goes on in memory,
with what could still be read, and says why once.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from pathlib import Path
from typing import Any

from h2o_magic.store import changes, history, notebooks, turns, versions
from h2o_magic.store.keeper import Keeper
from h2o_magic.store.turns import Place
from h2o_magic.turns import Change, Thread, ThreadInfo, Turn, TurnStatus, Versions

__all__ = ["Record"]

#: How many turns are read at a time where it is not known how many are wanted.
_PAGE = 32


class Record:
    """The turns of one notebook, in threads, with their history of changes.

    Nothing is read or made before the first use. It can be used by several threads at
    once, also after a fork.

    Parameters
    ----------
    path
        The store's file; None keeps the turns in memory.
    key
        The notebook's name in the store.
    cell
        Id of the cell that loads the extension, and
    file
        the notebook's own file: by them a notebook that was renamed or copied finds
        its conversation.
    on_trouble
        Is told in one line, once, if the store cannot be used.
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
        self._keeper = Keeper(path, key, cell, file, on_trouble)

    @property
    def path(self) -> Path | None:
        """Where the turns are kept; None in memory."""
        return self._keeper.run(lambda database: database.path)

    @property
    def trouble(self) -> str:
        """Why the turns are in memory although a path was given; else empty."""
        self._keeper.run(lambda _: None)
        return self._keeper.trouble

    @property
    def came_from(self) -> tuple[str, str] | None:
        """``("renamed", old key)`` or ``("copied", old key)``, or None.

        How the notebook came to its conversation, if it was another's before.
        """
        self._keeper.run(lambda _: None)
        return self._keeper.came_from

    @property
    def thread(self) -> str | None:
        """Name of the notebook's current thread, kept with it; None if never set."""
        return self._keeper.read(notebooks.current_thread)

    @thread.setter
    def thread(self, name: str | None) -> None:
        self._keeper.write(notebooks.set_current_thread, name)

    def begin(self, thread: str, turn: Turn, of: Place = None) -> Turn:
        """Put a turn in the place of another, or at the end.

        Parameters
        ----------
        thread
            The thread's name.
        turn
            The question, and what is known of the answer.
        of
            The turn that it replaces, by its cell or its id; None for that of the
            turn's own cell.

        Returns
        -------
        Turn
            The same with its number, sequence and id.
        """
        with self._keeper.holding():
            place = turn.cell if of is None else of
            begun = self._keeper.write(changes.begin, thread, turn, place)
            if begun.status == "incomplete":
                self._keeper.running[begun.id] = (thread, begun)
            return begun

    def update(
        self,
        id: int,  # noqa: A002 - named as the turn's attribute
        *,
        answer: str,
        status: TurnStatus,
        facts: Mapping[str, Any],
    ) -> None:
        """Write what came of a question, also if its turn was taken out since.

        Parameters
        ----------
        id
            The turn's, as :meth:`begin` gave it.
        answer, status, facts
            As the turn has them.
        """
        with self._keeper.holding():
            self._keeper.write(
                changes.update, id, answer=answer, status=status, facts=facts
            )
            if status != "incomplete":
                self._keeper.running.pop(id, None)

    def withdraw(
        self,
        id: int,  # noqa: A002 - named as the turn's attribute
        *,
        if_replaced: bool = False,
    ) -> bool:
        """Take a question back as if it had never been asked.

        Parameters
        ----------
        id
            The turn's, as :meth:`begin` gave it. The turn that it replaced comes back.
        if_replaced
            True does so only if it replaced one.

        Returns
        -------
        bool
            Whether that was done; a turn that was taken out since stays out.
        """
        with self._keeper.holding():
            done = self._keeper.write(changes.withdraw, id, if_replaced=if_replaced)
            if done:
                self._keeper.running.pop(id, None)
            return done

    def drop(self, thread: str, number: int) -> Turn:
        """Take the turn of that number out, and return it.

        Raises
        ------
        ConfigurationError
            If there is none.
        """
        return self._keeper.write(changes.drop, thread, number)

    def drop_cell(self, thread: str, cell: str) -> bool:
        """Take the turn of a cell out, by its key, and return whether there was one."""
        return self._keeper.write(changes.drop_cell, thread, cell)

    def turns(self, thread: str, *, last: int | None = None) -> tuple[Turn, ...]:
        """Return a thread's turns in order, numbered and marked.

        Parameters
        ----------
        thread
            The thread's name.
        last
            How many of the last ones at most; None for all.
        """
        return self._keeper.read(turns.last, thread, last)

    def ids(self, thread: str) -> tuple[int, ...]:
        """Return the ids of a thread's turns in order: far cheaper than the turns."""
        return self._keeper.read(turns.ids, thread)

    def with_ids(self, thread: str, ids: Iterable[int]) -> tuple[Turn, ...]:
        """Return those of a thread's turns that have these ids, in order.

        Ids that no turn there has do not count.
        """
        return self._keeper.read(turns.with_ids, thread, ids)

    def turn(self, thread: str, number: int) -> Turn:
        """Return a thread's turn of that number, from 1.

        Raises
        ------
        ConfigurationError
            If there is none.
        """
        return self._keeper.read(turns.by_number, thread, number)[0]

    def is_there(self, id: int) -> bool:  # noqa: A002 - named as the turn's attribute
        """Return whether a turn stands in its thread: nothing has taken it out."""
        return self._keeper.read(turns.is_live, id)

    def before(self, thread: str, of: Place) -> Iterator[Turn]:
        """Yield the turns before one, the newest first, read as they are needed.

        Parameters
        ----------
        thread
            The thread's name.
        of
            The turn, by its cell or its id. Without such a turn, all of the thread.
        """
        below = self._keeper.read(turns.position_of, thread, of)
        while True:
            page, below = self._keeper.read(turns.page, thread, below, _PAGE)
            yield from reversed(page)
            if len(page) < _PAGE:
                return

    def count(self, thread: str) -> int:
        """Return how many turns a thread has."""
        return self._keeper.read(turns.count, thread)

    def counts(self, thread: str) -> Mapping[TurnStatus, int]:
        """Return how many turns of a thread ended in which way, also those with 0."""
        return self._keeper.read(turns.counts, thread)

    def count_outdated_by(self, thread: str, of: Place) -> int:
        """Return how many turns become outdated if one is asked again."""
        return self._keeper.read(turns.count_outdated_by, thread, of)

    def count_since_start(self, thread: str, of: Place) -> int:
        """Count the turns before one, back to the nearest that `begins`."""
        return self._keeper.read(turns.count_since_start, thread, of)

    def keys_of_cell(self, cell: str) -> tuple[tuple[str, str], ...]:
        """Return thread and key of each turn that a cell has asked, in order.

        Parameters
        ----------
        cell
            The key of its first question, its id; that of the second is ``id#2``.
        """
        return self._keeper.read(turns.keys_of_cell, cell)

    def threads(self) -> tuple[ThreadInfo, ...]:
        """Return the threads that have turns, in order of creation."""
        return self._keeper.read(turns.list_threads)

    def thread_names(self) -> tuple[str, ...]:
        """Return the names of :meth:`threads`, without reading their turns."""
        return self._keeper.read(turns.thread_names)

    def fork(
        self, thread: str, new: str, at: int | None, *, overwrite: bool = False
    ) -> int:
        """Copy the first turns of a thread to a new one, and return how many.

        Parameters
        ----------
        thread
            What to copy.
        new
            The new thread's name.
        at
            Number of the last turn to copy; None for all.
        overwrite
            True takes out what the new thread has.

        Raises
        ------
        ConfigurationError
            If there is nothing to copy, `at` is no turn's number, or `new` has turns.
        """
        return self._keeper.write(changes.fork, thread, new, at, overwrite=overwrite)

    def reset(self, thread: str | None, *, erase: bool = False) -> int:
        """Take all turns out of a thread, and return how many there were.

        Parameters
        ----------
        thread
            The thread's name; None for all threads, as one change.
        erase
            True deletes them for good, with what could be brought back by undoing.

        Raises
        ------
        StoreError
            If `erase` cannot be done where the turns are kept. Memory, where a record
            else goes on, is no help then.
        """
        if erase:
            return self._keeper.erase(thread)
        return self._keeper.write(changes.reset, thread)

    def versions(self, thread: str, number: int) -> Versions:
        """Return what was asked and answered in a turn's place.

        Raises
        ------
        ConfigurationError
            If there is no such turn.
        """
        return self._keeper.read(versions.of, thread, number)

    def version_counts(
        self, thread: str, of: Collection[int] | None = None
    ) -> Mapping[int, tuple[int, int]]:
        """Return for each turn with versions, by its id, which is chosen, of how many.

        A turn that was asked once is not among them. With ids, `of` these turns only,
        which costs less.
        """
        return self._keeper.read(versions.counts, thread, of)

    def choose(self, thread: str, number: int, version: int) -> Turn:
        """Put another version in a turn's place, and return it.

        Raises
        ------
        ConfigurationError
            If there is no such turn or version, or this process still writes the
            turn's answer.
        """
        with self._keeper.holding():
            running = self._keeper.running
            return self._keeper.write(changes.choose, thread, number, version, running)

    def undo(self, thread: str) -> Change | None:
        """Take the last change of a thread back, and return it; None without one."""
        return self._keeper.write(history.undo, thread)

    def redo(self, thread: str) -> Change | None:
        """Make the change again that was taken back last; None without one."""
        return self._keeper.write(history.redo, thread)

    def add(self, threads: Sequence[Thread]) -> None:
        """Add turns at the end of threads: all or nothing, as one change."""
        self._keeper.write(changes.add, threads)

    def close(self) -> None:
        """Close the file. A later use opens it again; what is in memory is gone."""
        self._keeper.close()
