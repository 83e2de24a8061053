"""Several models asked the same at once: each answer is a version of one turn."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

from h2o_magic.chat.events import Event
from h2o_magic.chat.turns import Turn
from h2o_magic.conversation.answer import Answer
from h2o_magic.conversation.connection import Connection
from h2o_magic.conversation.prepare import Prepared
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.queue import FifoLock
from h2o_magic.conversation.threads import Conversation
from h2o_magic.errors import ConfigurationError

#: Gets the number of an answer and an event of it; None at its end.
Tell = Callable[[int, Event | None], object]

#: Seconds between two looks whether the user interrupts; what answers get to stop.
_TICK, _FAREWELL = 0.1, 2.0


class SideBySide:
    """The answers of several models to one question, in the order of the models.

    They are asked at once, with the same turns before them. The first one is the turn's
    answer, unless it fails; the others are versions of it.

    Attributes
    ----------
    answers : tuple of Answer
        What comes, as it grows. They must not be iterated.
    errors : list
        Why each failed, once it has ended; else None.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        conversation: Conversation,
        connection: Connection,
    ) -> None:
        self._conversation = conversation
        first, *others = questions
        beside = [_Beside(asked, conversation, connection) for asked in others]
        self._lead = _Lead(first, conversation, connection, beside, self._start)
        self.answers: tuple[Answer, ...] = (self._lead, *beside)
        self.errors: list[BaseException | None] = [None] * len(self.answers)
        self._tell: Tell = lambda _number, _event: None

    def ask(self, tell: Tell = lambda _number, _event: None) -> None:
        """Ask all, and return when they have ended; none of their errors is raised.

        `tell` is called in the thread of each answer. An interrupt stops all, keeps
        what came, and is raised.
        """
        self._tell = tell
        ended = self._start(self._lead)
        try:
            while not ended.wait(_TICK):
                pass
        except KeyboardInterrupt:
            self._lead.stop()
            ended.wait(_FAREWELL)
            raise

    def use(self, model: str) -> Turn:
        """Let the conversation go on with a model's answer, and return its turn.

        A ConfigurationError if it has none.
        """
        found = [a.turn for a in self.answers if a.question.model == model]
        turn = next((turn for turn in found if turn is not None), None)
        if turn is None or turn.status != "complete":
            raise ConfigurationError(
                f"{model} has no complete answer that the conversation could go on with"
            )
        return use_version(self._conversation, self._lead.question.thread, turn)

    def _start(self, answer: Answer) -> threading.Event:
        # Outputs find their cell by the context.
        ended, context = threading.Event(), contextvars.copy_context()
        threading.Thread(
            target=context.run,
            args=(self._read, answer, ended),
            name=f"h2o_magic answer of {answer.question.model}",
            daemon=True,
        ).start()
        return ended

    def _read(self, answer: Answer, ended: threading.Event) -> None:
        number = self.answers.index(answer)
        try:
            with closing(iter(answer)) as events:  # type: ignore[type-var]
                for event in events:
                    self._tell(number, event)
        except BaseException as error:
            self.errors[number] = error
        finally:
            if isinstance(answer, _Beside):
                answer.begun.set()
            self._tell(number, None)
            ended.set()


class _Beside(Answer):
    """An answer that waits for no other: it is asked in the place of one that did."""

    def __init__(
        self, question: Question, conversation: Conversation, connection: Connection
    ) -> None:
        super().__init__(question, conversation, connection)
        self._queue = FifoLock()
        self.begun = threading.Event()

    def _begin(self, prepared: Prepared) -> None:
        super()._begin(prepared)
        self.begun.set()


class _Lead(Answer):
    """The answer that holds the place of all in the queue of their thread.

    It begins last: what begins in a turn's place is that turn's answer.
    """

    def __init__(
        self,
        question: Question,
        conversation: Conversation,
        connection: Connection,
        others: Sequence[_Beside],
        start: Callable[[Answer], threading.Event],
    ) -> None:
        super().__init__(question, conversation, connection)
        self._others = others
        self._start = start
        self._ends: list[threading.Event] = []

    def stop(self) -> None:
        for other in self._others:
            other.stop()
        super().stop()

    def _begin_if_first(self) -> bool:
        begins = super()._begin_if_first()
        for other in reversed(self._others) if begins else ():
            other.question = replace(self.question, model=other.question.model)
            self._ends.append(self._start(other))
            other.begun.wait()
            if other.turn is not None:
                self.question = replace(self.question, replaces=other.turn.id)
        return begins

    def _leave_queue(self) -> None:
        for end in self._ends:
            end.wait()
        super()._leave_queue()


def earlier(
    conversation: Conversation, question: Question, models: Sequence[str]
) -> list[Turn]:
    """Return the answers that these models gave to a question in its cell's turn.

    The latest of each; none at all if one of them is not there, or is not complete.
    """
    turns = conversation.turns(question.thread) if question.cell is not None else ()
    turn = next((t for t in reversed(turns) if t.cell == question.cell), None)
    if turn is None:
        return []
    found = {
        version.model: version
        for version in conversation.versions(turn.number, question.thread).turns
        if version.status == "complete" and version.question == question.text
    }
    return [found[model] for model in models] if found.keys() >= {*models} else []


def use_version(conversation: Conversation, thread: str, turn: Turn) -> Turn:
    """Put a version of a turn in its place."""
    versions = conversation.versions(turn.number, thread).turns
    ids = [version.id for version in versions]
    return conversation.choose_version(turn.number, ids.index(turn.id) + 1, thread)
