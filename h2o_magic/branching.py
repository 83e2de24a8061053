"""A conversation whose turns are asked again, and keep what was there before."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from h2o_magic.asking import Answer
from h2o_magic.expecting import expect
from h2o_magic.later import Asked
from h2o_magic.ongoing import OngoingConversation, in_place_of
from h2o_magic.turns import Turn, Versions

__all__ = ["BranchingConversation"]


class BranchingConversation(OngoingConversation):
    """A conversation in which a turn has versions, of which one is chosen.

    Whatever asks again in a turn's place makes one: a cell that is run again, a retry,
    :meth:`regenerate`, :meth:`edit`. The new one is chosen. The turns after it stay as
    they are, marked as outdated, and are its context no more than before. The last 20
    versions are kept.
    """

    def regenerate(
        self, number: int, thread: str | None = None, **options: object
    ) -> Asked:
        """Ask a turn's question again in the background, in its place.

        Parameters
        ----------
        number
            The turn's, from 1.
        thread
            Name of the thread; None for the current one.
        **options
            Settings that are to differ from those it was asked under, which else hold
            again: model, system text and parameters.

        Raises
        ------
        ConfigurationError
            If there is no such turn, or an option is unknown or refused.
        """
        turn, name = self.turn(number, thread), self._name(thread)
        again = self._posing.again(turn, name, options)
        return self._background.ask(Answer(self._exchange, again))

    def edit(
        self, number: int, question: str, thread: str | None = None, **options: object
    ) -> Asked:
        """Ask another question in a turn's place, in the background.

        Parameters
        ----------
        number
            The turn's, from 1.
        question
            What is asked instead.
        thread
            Name of the thread; None for the current one.
        **options
            Settings for this question only; for the others, those in force now hold.

        Raises
        ------
        ConfigurationError, MessagesError
            If there is no such turn, the question is empty, or an option is refused.
        """
        turn, name = self.turn(number, thread), self._name(thread)
        asked = self._posing.question(question, {**options, "thread": name})
        return self._background.ask(Answer(self._exchange, in_place_of(turn, asked)))

    def versions(self, number: int, thread: str | None = None) -> Versions:
        """Return what was asked and answered in a turn's place, oldest first.

        Raises
        ------
        ConfigurationError
            If the thread has no such turn.
        """
        expect("a turn's number", number, int)
        return self.record.versions(self._name(thread), number)

    def version_counts(
        self, thread: str | None = None, *, of: Collection[int] | None = None
    ) -> Mapping[int, tuple[int, int]]:
        """Return which version is chosen, and of how many, by the ids of turns.

        Turns that were asked once are left out. With ids, `of` these turns only.
        """
        return self.record.version_counts(self._name(thread), of)

    def choose_version(
        self, number: int, version: int, thread: str | None = None
    ) -> Turn:
        """Put another version in a turn's place, and return it.

        The turns after it are marked as outdated, but for those that were asked on it.
        It can be taken back with :meth:`undo`.

        Parameters
        ----------
        number
            The turn's, from 1.
        version
            Its place in :meth:`versions`, from 1.
        thread
            Name of the thread; None for the current one.

        Raises
        ------
        ConfigurationError
            If there is no such turn or version, or the turn is being answered.
        """
        expect("a turn's number", number, int)
        expect("a version's number", version, int)
        name = self._name(thread)
        turn = self.record.choose(name, number, version)
        self.changed(name)
        return turn
