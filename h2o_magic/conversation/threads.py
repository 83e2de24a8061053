"""One notebook's conversation: its threads, their turns, and who is being answered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import count

from h2o_magic.chat.turns import (
    Change,
    Hit,
    ThreadInfo,
    Turn,
    TurnStatus,
    Versions,
)
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.settings import Settings
from h2o_magic.conversation import titles
from h2o_magic.conversation.kept_settings import KEPT, SAVED, restore, to_keep
from h2o_magic.conversation.notifications import (
    ComingAnswer,
    GrowingAnswer,
    Notification,
    Notifications,
    SettingChanged,
    ThreadChanged,
    ThreadRenamed,
)
from h2o_magic.conversation.queue import FifoLock
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.search import search
from h2o_magic.errors import expect


class Conversation:
    """The threads of one notebook, one of which is current.

    Several answers may be on their way: those of different threads at once, those of
    one thread one after the other. Asking again in a turn's place keeps the old answer
    as a version of the turn; the turns after it are marked as outdated.

    Attributes
    ----------
    notifications : Notifications
        Sends what happens to the conversation.
    demo_told : bool
        True once an answer has said that demo weights answer.

    Parameters
    ----------
    record
        Where the turns are kept.
    settings
        The settings in force; ``thread`` names the current thread.
    """

    def __init__(self, record: Record, settings: Settings) -> None:
        self.notifications = Notifications()
        self.demo_told = False
        self._record = record
        self._settings = settings
        self._queues: dict[str, FifoLock[ComingAnswer]] = {}
        self._drafts: dict[str, str] = {}
        #: The runs over tables that go on beside the queues.
        self.runs: list[GrowingAnswer] = []
        self._restore_settings()
        settings.watch(self._on_setting)
        self.notifications.listen(self._stop_removed)

    @property
    def record(self) -> Record:
        return self._record

    @record.setter
    def record(self, record: Record) -> None:
        self._record.close()
        self._record = record
        self._restore_settings()
        self.changed(None)

    @property
    def thread(self) -> str:
        """The name of the thread that is used where no other is named."""
        return str(self._settings["thread"])

    @thread.setter
    def thread(self, name: str) -> None:
        self._settings.set("thread", name, SAVED)

    def changed(self, thread: str | None) -> None:
        """Tell listeners that a thread's turns changed; None for all threads.

        The methods here do so themselves; only who changes the `record` has to.
        """
        self.notifications.send(ThreadChanged(thread))

    def keep_settings(self) -> None:
        """Save with the notebook which server and model answer in it."""
        self.record.settings = to_keep(self._settings)

    def turns(
        self, thread: str | None = None, *, last: int | None = None
    ) -> tuple[Turn, ...]:
        """Return a thread's turns in order, or only its `last` ones."""
        expect("how many turns", last, int, optional=True)
        return self.record.turns(self.name_of(thread), last=last)

    def counts(self, thread: str | None = None) -> Mapping[TurnStatus, int]:
        """Return how many turns of a thread have each status."""
        return self.record.counts(self.name_of(thread))

    def turn(self, number: int, thread: str | None = None) -> Turn:
        """Return one turn by its number, from 1; a ConfigurationError without one."""
        expect("a turn's number", number, int)
        return self.record.turn(self.name_of(thread), number)

    def threads(self) -> tuple[ThreadInfo, ...]:
        """Return the threads that have turns, in the order in which they began."""
        return self.record.threads()

    def title(self, thread: str | None = None) -> str:
        """Return what a thread is called: by the user, else by its first question.

        ``New chat`` without either.
        """
        return self.record.title(self.name_of(thread))

    def rename(self, title: str, thread: str | None = None) -> str:
        """Give a thread a title, and return it; its name stays.

        White space counts as spaces, and what cannot be seen is left out. An empty
        title is that of the first question again. A ConfigurationError above 200
        characters.
        """
        name = self.name_of(thread)
        self.record.set_title(name, titles.checked(title))
        self.notifications.send(ThreadRenamed(name))
        return self.title(name)

    def search(self, text: str, *, most: int = 50) -> tuple[Hit, ...]:
        """Return the turns of all threads that hold all words of a text, newest first.

        Of questions and answers; the case and the accents of letters do not count.

        Parameters
        ----------
        text
            Words, which mean themselves; without one, nothing is found.
        most
            How many turns are returned at most.
        """
        expect("what is searched", text, str)
        expect("how many turns", most, int)
        return search(self.record, text, max(most, 0))

    def new_thread(self) -> str:
        """Switch to a new thread, and return its name: ``chat-2``, ``chat-3``, ...

        If nothing is in the current one, that stays the current one.
        """
        if not self._is_unused(self.thread):
            self.thread = self.free_name()
        return self.thread

    def free_name(self) -> str:
        """Return the name of a thread that does not exist, and never did."""
        taken = {self.thread, *self.record.thread_names(filled=False)}
        names = (f"chat-{number}" for number in count(2))
        return next(n for n in names if n not in taken and self._is_unused(n))

    def delete_thread(self, thread: str | None = None) -> int:
        """Remove a thread, and return how many turns it had; :meth:`undo` restores it.

        Its answers are stopped, and what was not sent is forgotten. In place of the
        current thread, the one asked last becomes current, or a new one.
        """
        name = self.name_of(thread)
        self.stop(name)
        self._drafts.pop(name, None)
        turns = self.reset(name)
        if name == self.thread:
            others = sorted(self.threads(), key=lambda info: info.last_asked)
            self.thread = others[-1].name if others else self.free_name()
        return turns

    def _is_unused(self, name: str) -> bool:
        drafted = self.draft(name).strip()
        return not (drafted or self.coming(name) or self.record.count(name))

    def fork(
        self,
        new: str,
        *,
        at: int | None = None,
        thread: str | None = None,
        overwrite: bool = False,
    ) -> int:
        """Copy a thread's turns, up to number `at`, into a new thread.

        Its title says that it is a branch of the other one.

        Parameters
        ----------
        new
            Name of a thread without turns.
        at
            Number of the last turn to copy; None for all.
        thread
            Name of the thread to copy from; None for the current one.
        overwrite
            True removes the turns that `new` has.

        Returns
        -------
        int
            How many turns were copied.

        Raises
        ------
        ConfigurationError
            If `new` is taken or is not a name, or there is nothing to copy.
        """
        expect("a turn's number", at, int, optional=True)
        name, source = self.name_of(new), self.name_of(thread)
        copied = self.record.fork(source, name, at, overwrite=overwrite)
        taken = {info.title for info in self.threads() if info.name != name}
        self.record.set_title(name, titles.of_branch(self.title(source), taken))
        self.changed(name)
        return copied

    def reset(
        self,
        thread: str | None = None,
        *,
        everything: bool = False,
        erase: bool = False,
    ) -> int:
        """Forget a thread's turns, or those of all, and return how many it had.

        `everything` forgets all threads of the notebook. `erase` also erases them from
        the disk, so that :meth:`undo` cannot bring them back.
        """
        name = None if everything else self.name_of(thread)
        count = self.record.reset(name, erase=erase)
        self.changed(name)
        return count

    def drop(self, number: int, thread: str | None = None) -> Turn:
        """Remove one turn, and return it; a ConfigurationError without one."""
        expect("a turn's number", number, int)
        name = self.name_of(thread)
        turn = self.record.drop(name, number)
        self.changed(name)
        return turn

    def restore(self, turn_id: int, thread: str | None = None) -> bool:
        """Restore one turn that was dropped, by its id; return whether it was.

        It comes back in its place, and nothing that came since is taken back. That
        cannot be done once the deletion was undone, or is too long ago, or if the
        turn's cell has asked again.
        """
        expect("a turn's id", turn_id, int)
        name = self.name_of(thread)
        done = self.record.bring_back(name, turn_id)
        if done:
            self.changed(name)
        return done

    def undo(self, thread: str | None = None) -> Change | None:
        """Undo the last change to a thread, and return what it was.

        A question asked, or asked again, a reset, a drop, a fork, an import. None if
        there is nothing to undo.
        """
        return self._announced(self.record.undo(self.name_of(thread)))

    def redo(self, thread: str | None = None) -> Change | None:
        """Redo the change that was undone last; None if there is none."""
        return self._announced(self.record.redo(self.name_of(thread)))

    # Versions of a turn

    def versions(self, number: int, thread: str | None = None) -> Versions:
        """Return what was asked and answered in a turn's place, oldest first.

        The last 20 are kept. A ConfigurationError if the thread has no such turn.
        """
        expect("a turn's number", number, int)
        return self.record.versions(self.name_of(thread), number)

    def version_counts(
        self, thread: str | None = None, *, of: Collection[int] | None = None
    ) -> Mapping[int, tuple[int, int]]:
        """Return which version is chosen, and of how many, by the ids of turns.

        Turns that were asked once are left out. With ids, `of` these turns only.
        """
        return self.record.version_counts(self.name_of(thread), of)

    def choose_version(
        self, number: int, version: int, thread: str | None = None
    ) -> Turn:
        """Put a version, from 1, in a turn's place, and return it.

        The turns after it are marked as outdated, except those that were asked on it. A
        ConfigurationError if there is no such one, or the turn is being answered.
        """
        expect("a turn's number", number, int)
        expect("a version's number", version, int)
        name = self.name_of(thread)
        turn = self.record.choose(name, number, version)
        self.changed(name)
        return turn

    # Answers to come, listeners, drafts

    def queue(self, thread: str) -> FifoLock[ComingAnswer]:
        """Return the queue of a thread's answers."""
        return self._queues.setdefault(thread, FifoLock())

    def coming(self, thread: str | None = None) -> tuple[ComingAnswer, ...]:
        """Return the answers (`Answer`) that are being asked for, in their order.

        The first is being written, the others wait for those before them; until its
        turn comes, each of these can be changed, moved, held back and withdrawn. Only
        if all are held back, none is being written.

        Parameters
        ----------
        thread
            Name of the thread; None for the current one.
        """
        queue = self._queues.get(self.name_of(thread))
        return queue.holders if queue else ()

    def stop(self, thread: str | None = None, *, waiting: bool = True) -> int:
        """Stop the answers that :meth:`coming` returns, and return how many.

        Their text so far is kept; those that wait are not asked. With `waiting` False,
        only the first is stopped, and the next one is asked. A thread's runs over
        tables are stopped with all its answers, or where none is being written.
        """
        coming = self.coming(thread)
        if not waiting:
            coming = tuple(each for each in coming[:1] if not each.held)
        for answer in reversed(coming):  # so that none begins before it is stopped
            answer.stop()
        runs = self.stop_runs(thread) if waiting or not coming else 0
        return len(coming) + runs

    def stop_runs(self, thread: str | None = None) -> int:
        """Stop a thread's runs over tables, and return how many there were."""
        name = self.name_of(thread)
        runs = [run for run in self.runs if run.question.thread == name]
        for run in runs:
            run.stop()
        return len(runs)

    def listen(self, callback: Callable[[Notification], object]) -> Callable[[], None]:
        """Call `callback` with what happens here; return what ends the listening.

        It takes a ``QueueChanged``, ``AnswerStarted``, ``AnswerGrew``, ``AnswerEnded``,
        ``ThreadChanged``, ``ThreadRenamed`` or ``SettingChanged``, in the thread where
        that happens, which waits: it should return soon and ask nothing. What it raises
        is logged. What other kernels do to the same notebook is not notified.
        """
        return self.notifications.listen(callback)

    def draft(self, thread: str | None = None) -> str:
        """Return the unsent question of a thread; empty if there is none."""
        return self._drafts.get(self.name_of(thread), "")

    def drafts(self) -> Mapping[str, str]:
        """Return the unsent questions that are not blank, by threads."""
        return {name: text for name, text in self._drafts.items() if text.strip()}

    def keep_draft(self, thread: str | None, text: str) -> None:
        """Keep the unsent question of a thread, in memory only."""
        expect("a draft", text, str)
        self._drafts[self.name_of(thread)] = text

    def name_of(self, thread: str | None) -> str:
        """Return a thread's name, checked; that of the current one for None."""
        return self.thread if thread is None else str(SETTINGS["thread"].check(thread))

    def _announced(self, change: Change | None) -> Change | None:
        for thread in change.threads if change else ():
            self.changed(thread)
        return change

    def _restore_settings(self) -> None:
        """Use thread, server and model as they were, unless others were chosen."""
        restore(self._settings, self.record.settings)
        saved = self.record.thread
        if saved and not self._settings.is_set("thread"):
            self._settings.set("thread", saved, SAVED)

    def _on_setting(self, setting: str) -> None:
        if setting == "thread":
            self.record.thread = self.thread
        elif setting in KEPT:
            self.keep_settings()
        self.notifications.send(SettingChanged(setting))

    def _stop_removed(self, notification: Notification) -> None:
        if not isinstance(notification, ThreadChanged):
            return
        for thread, queue in list(self._queues.items()):
            if notification.thread in (None, thread):
                for answer in queue.holders[:1]:
                    turn = answer.turn
                    if turn is not None and not self.record.is_there(turn.id):
                        answer.stop()
