"""One notebook's conversation: its threads and their turns, to and from files too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath

from h2o_magic.errors import ConfigurationError
from h2o_magic.exchange import Exchange
from h2o_magic.expecting import expect
from h2o_magic.feed import Changed
from h2o_magic.record import Record
from h2o_magic.setting_table import SETTINGS
from h2o_magic.settings import Settings
from h2o_magic.turns import Change, Thread, ThreadInfo, Turn, TurnStatus

__all__ = ["Conversation"]

#: Where a setting comes from that is kept with the notebook.
_KEPT = "this notebook"


class Conversation:
    """The threads of one notebook, one of which is current.

    Attributes
    ----------
    settings : Settings
        The settings in force; ``thread`` names the current thread.

    Parameters
    ----------
    exchange
        Holds the record.
    settings
        The settings in force.
    """

    def __init__(self, exchange: Exchange, settings: Settings) -> None:
        self._exchange = exchange
        self.settings = settings
        self._go_to_kept_thread()
        settings.watch(self._keep_thread)

    @property
    def record(self) -> Record:
        """Where the turns are kept."""
        return self._exchange.record

    @record.setter
    def record(self, record: Record) -> None:
        self._exchange.record.close()
        self._exchange.record = record
        self._go_to_kept_thread()
        self.changed(None)

    @property
    def thread(self) -> str:
        """The name of the thread that is asked where no other is named."""
        return str(self.settings["thread"])

    @thread.setter
    def thread(self, name: str) -> None:
        self.settings.set("thread", name, _KEPT)

    def changed(self, thread: str | None) -> None:
        """Tell who listens that a thread's turns are others now; None for all threads'.

        The methods here do so themselves; only who changes the `record` has to.
        """
        self._exchange.feed.tell(Changed(thread))

    def turns(
        self, thread: str | None = None, *, last: int | None = None
    ) -> tuple[Turn, ...]:
        """Return the turns of a thread in order, or only its `last` ones.

        Parameters
        ----------
        thread
            Name of the thread; None for the current one.
        last
            How many at most, counted from the end; None for all.
        """
        expect("how many turns", last, int, optional=True)
        return self.record.turns(self._name(thread), last=last)

    def counts(self, thread: str | None = None) -> Mapping[TurnStatus, int]:
        """Return how many turns a thread has, by how their answers ended."""
        return self.record.counts(self._name(thread))

    def turn(self, number: int, thread: str | None = None) -> Turn:
        """Return one turn by its number, which begins at 1.

        Raises
        ------
        ConfigurationError
            If the thread has no such turn.
        """
        expect("a turn's number", number, int)
        return self.record.turn(self._name(thread), number)

    def threads(self) -> tuple[ThreadInfo, ...]:
        """Return the threads that have turns, in the order in which they began."""
        return self.record.threads()

    def fork(
        self,
        new: str,
        *,
        at: int | None = None,
        thread: str | None = None,
        overwrite: bool = False,
    ) -> int:
        """Copy a thread's turns, as far as number `at`, into a new thread.

        Parameters
        ----------
        new
            Name of a thread without turns.
        at
            Number of the last turn to copy; None for all.
        thread
            Name of the thread to copy from; None for the current one.
        overwrite
            True takes out the turns that `new` has.

        Returns
        -------
        int
            How many turns were copied.

        Raises
        ------
        ConfigurationError
            If `new` is taken or no name, or there is nothing to copy.
        """
        expect("a turn's number", at, int, optional=True)
        name = self._name(new)
        count = self.record.fork(self._name(thread), name, at, overwrite=overwrite)
        self.changed(name)
        return count

    def reset(
        self,
        thread: str | None = None,
        *,
        everything: bool = False,
        erase: bool = False,
    ) -> int:
        """Forget a thread's turns, and return how many it had.

        Parameters
        ----------
        thread
            Name of the thread; None for the current one.
        everything
            True forgets all threads of the notebook.
        erase
            True also erases them from the disk, so that :meth:`undo` cannot bring them
            back.
        """
        name = self._name(thread)
        count = self.record.reset(None if everything else name, erase=erase)
        self.changed(None if everything else name)
        return count

    def drop(self, number: int, thread: str | None = None) -> Turn:
        """Take one turn out of a thread, and return it.

        Raises
        ------
        ConfigurationError
            If the thread has no such turn.
        """
        expect("a turn's number", number, int)
        name = self._name(thread)
        turn = self.record.drop(name, number)
        self.changed(name)
        return turn

    def undo(self, thread: str | None = None) -> Change | None:
        """Take the last change to a thread back, and say what it was.

        A question asked, or asked again, a reset, a drop, a fork, an import. None if
        there is nothing to take back.
        """
        return self._told(self.record.undo(self._name(thread)))

    def redo(self, thread: str | None = None) -> Change | None:
        """Make the change again that was taken back last; None if there is none."""
        return self._told(self.record.redo(self._name(thread)))

    # To and from files

    def export_text(
        self, suffix: str, *, thread: str | None = None, everything: bool = False
    ) -> str:
        """Return a thread as the text of a file.

        Parameters
        ----------
        suffix
            ``.md``, ``.json``, ``.jsonl`` or ``.ipynb``.
        thread
            Name of the thread; None for the current one.
        everything
            True for all threads of the notebook.

        Raises
        ------
        ConfigurationError
            If there is no such format, or no turn.
        """
        from h2o_magic import transfer  # noqa: PLC0415

        return transfer.as_text(suffix, self._threads(thread, everything))

    def export(
        self,
        path: str | Path,
        *,
        thread: str | None = None,
        everything: bool = False,
        overwrite: bool = False,
    ) -> int:
        """Write a thread to a file, and return how many turns were written.

        Parameters
        ----------
        path
            The file; its suffix says the format.
        thread, everything
            As for :meth:`export_text`.
        overwrite
            True replaces a file that is there.

        Raises
        ------
        ConfigurationError
            If there is no such format, no turn, or the file cannot be written.
        """
        from h2o_magic import transfer  # noqa: PLC0415

        expect("a file's path", path, str | PurePath)
        threads = self._threads(thread, everything)
        return transfer.write(path, threads, overwrite=overwrite)

    def import_file(
        self, path: str | Path, *, thread: str | None = None
    ) -> tuple[Thread, ...]:
        """Read conversations from a file into threads of their own.

        Parameters
        ----------
        path
            A file that :meth:`export` wrote as ``.json``, ``.jsonl`` or ``.ipynb``, or
            another of these kinds: OpenAI messages, or a notebook with ``%%h2o`` cells.
        thread
            Name of a thread without turns that takes the file's only conversation;
            None keeps the file's names, with a number behind those that are taken.

        Returns
        -------
        tuple of Thread
            The threads as they are now named.

        Raises
        ------
        ConfigurationError
            If the file cannot be read or is none of these. Then nothing is changed.
        """
        from h2o_magic import transfer  # noqa: PLC0415

        expect("a file's path", path, str | PurePath)
        name = None if thread is None else self._name(thread)
        taken = set(self.record.thread_names())
        threads = transfer.named(transfer.read(path), taken, name)
        self.record.add(threads)
        for added in threads:
            self.changed(added.name)
        return threads

    def _told(self, change: Change | None) -> Change | None:
        for thread in change.threads if change else ():
            self.changed(thread)
        return change

    def _threads(self, thread: str | None, everything: bool) -> tuple[Thread, ...]:
        """Return the threads to export; there is at least one turn in them."""
        name = self._name(thread)
        names = self.record.thread_names() if everything else (name,)
        threads = tuple(Thread(n, self.turns(n)) for n in names)
        if not any(t.turns for t in threads):
            where = "the conversation" if everything else f"thread {name}"
            raise ConfigurationError(f"{where} has no turn to export: ask something")
        return threads

    def _name(self, thread: str | None) -> str:
        return self.thread if thread is None else str(SETTINGS["thread"].check(thread))

    def _go_to_kept_thread(self) -> None:
        """Go to the thread that the notebook was left in, if nobody chose another."""
        kept = self.record.thread
        if kept and not self.settings.chosen("thread"):
            self.settings.set("thread", kept, _KEPT)

    def _keep_thread(self, setting: str) -> None:
        if setting == "thread":
            self.record.thread = self.thread
