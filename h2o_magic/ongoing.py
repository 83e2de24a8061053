"""A conversation while it goes on: asked in the background, listened to, stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from h2o_magic.asking import Answer
from h2o_magic.conversation import Conversation
from h2o_magic.exchange import Exchange
from h2o_magic.expecting import expect
from h2o_magic.feed import Changed, Configured, News
from h2o_magic.later import Asked, Background
from h2o_magic.posing import Posing
from h2o_magic.question import Question
from h2o_magic.settings import Settings
from h2o_magic.turns import Turn

__all__ = ["OngoingConversation", "in_place_of"]


class OngoingConversation(Conversation):
    """A conversation in which several answers may be on their way.

    Those of different threads come at once; those of one thread one after the other,
    in the order in which they were asked for, be it by cells or in the background. An
    answer whose turn is taken out while it is written is stopped.

    Parameters
    ----------
    exchange, settings
        As :class:`~h2o_magic.conversation.Conversation` takes them.
    posing
        Makes the questions.
    """

    def __init__(self, exchange: Exchange, settings: Settings, posing: Posing) -> None:
        super().__init__(exchange, settings)
        self._posing = posing
        self._background = Background()
        self._drafts: dict[str, str] = {}
        settings.watch(lambda name: exchange.feed.tell(Configured(name)))
        exchange.feed.listen(self._stop_what_is_gone)

    def ask_later(
        self,
        question: str,
        *,
        cell: str | None = None,
        thread: str | None = None,
        replaces: Turn | None = None,
        history: bool = True,
        new: bool = False,
        schema: object = None,
        **options: object,
    ) -> Asked:
        """Ask `question` in the background, and return at once.

        Interrupting the kernel does not stop it; :meth:`Asked.stop`, :meth:`stop` and
        :meth:`close` do.

        Parameters
        ----------
        question, cell, history, new, schema, **options
            As for :meth:`~h2o_magic.notebook.NotebookSession.ask`, except that no cell
            is the default.
        thread
            Name of the thread; None for the current one.
        replaces
            A turn of this thread, whose place and cell the new one takes.

        Raises
        ------
        ConfigurationError, MessagesError
            As :meth:`~h2o_magic.notebook.NotebookSession.ask` does. What goes wrong
            later is in :attr:`Asked.error`.
        """
        expect("the key of a cell", cell, str, optional=True)
        expect("a turn", replaces, Turn, optional=True)
        asked = self._posing.question(
            question,
            {**options, "thread": self._name(thread)},
            history=history,
            begins=new,
            schema=schema,
        )
        if replaces is not None:
            asked = in_place_of(replaces, asked)
        if cell is not None:
            asked = replace(asked, cell=cell)
        return self._background.ask(Answer(self._exchange, asked))

    def coming(self, thread: str | None = None) -> tuple[Answer, ...]:
        """Return the answers that cells and others ask for, in their order.

        The first is being written, the others wait for the ones before them.

        Parameters
        ----------
        thread
            Name of the thread; None for the current one.
        """
        return self._exchange.coming(self._name(thread))

    def stop(self, thread: str | None = None) -> int:
        """Stop the answers that :meth:`coming` returns, and return how many.

        What came of them is kept, and marked; those that wait are not asked.
        """
        coming = self.coming(thread)
        for answer in reversed(coming):  # so that none begins before it is stopped
            answer.stop()
        return len(coming)

    def listen(self, callback: Callable[[News], object]) -> Callable[[], None]:
        """Call `callback` with what happens to the conversation.

        It is called in the thread in which it happens, which waits: it should return
        soon, and ask nothing. What it raises disturbs nobody.

        Parameters
        ----------
        callback
            Takes a value of `h2o_magic.feed`: ``Waits``, ``Began``, ``Grew``,
            ``Ended``, ``Changed`` or ``Configured``. What other kernels do to the same
            notebook is not told.

        Returns
        -------
        callable
            Ends the listening.
        """
        return self._exchange.feed.listen(callback)

    def draft(self, thread: str | None = None) -> str:
        """Return what was begun to be written for a thread; empty if nothing was."""
        return self._drafts.get(self._name(thread), "")

    def keep_draft(self, thread: str | None, text: str) -> None:
        """Keep what is being written for a thread, until the kernel ends.

        It is kept in memory only, and told nobody.
        """
        expect("a draft", text, str)
        self._drafts[self._name(thread)] = text

    def stop_background(self) -> None:
        """Stop all answers in the background, and wait until they are kept.

        It waits two seconds at most.
        """
        self._background.close()

    def close(self) -> None:
        """Give back what backend and record hold. The conversation stays.

        Answers in the background are stopped first; what came of them is kept.
        """
        self.stop_background()
        self._exchange.disconnect()
        self.record.close()

    def _stop_what_is_gone(self, news: News) -> None:
        """Stop the answers whose turns a change has taken out."""
        if not isinstance(news, Changed):
            return
        changed = news.thread
        threads = self._exchange.coming_threads() if changed is None else (changed,)
        for thread in threads:
            for answer in self._exchange.coming(thread)[:1]:
                turn = answer.turn
                if turn is not None and not self.record.is_there(turn.id):
                    answer.stop()


def in_place_of(turn: Turn, question: Question) -> Question:
    """Return a question that takes the place and the cell of a turn."""
    return replace(
        question,
        cell=turn.cell,
        replaces=turn.id,
        begins=question.begins or turn.begins,
    )
