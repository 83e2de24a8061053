"""Several models asked the same at once: each answer is a version of one turn."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

from h2o_magic.chat.events import Event
from h2o_magic.chat.facts import Facts
from h2o_magic.chat.turns import Turn
from h2o_magic.conversation.answer import Answer
from h2o_magic.conversation.connection import Connection
from h2o_magic.conversation.prepare import Prepared, prepare
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.queue import FifoLock
from h2o_magic.conversation.threads import Conversation
from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.prompt import Prompt

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
        self._conversation, self._connection = conversation, connection
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
        found = (a.turn for a in self.answers if a.question.model == model and a.text)
        turn = next(found, None)
        if turn is None or turn.status != "complete":
            raise ConfigurationError(
                f"{model} has no complete answer that the conversation could go on with"
            )
        return self.go_on_with(turn)

    def go_on_with(self, turn: Turn) -> Turn:
        """Put a version of the turn in its place."""
        thread = self._lead.question.thread
        versions = self._conversation.versions(turn.number, thread).turns
        number = [version.id for version in versions].index(turn.id) + 1
        return self._conversation.choose_version(turn.number, number, thread)

    def earlier(self) -> list[Turn]:
        """Return the answers that the cell has to what it would ask now.

        The latest of each model; none at all if one of them is not there.
        """
        asked = self._lead.question
        turns = self._conversation.turns(asked.thread) if asked.cell is not None else ()
        turn = next((t for t in reversed(turns) if t.cell == asked.cell), None)
        if turn is None or turn.outdated:
            return []
        versions = self._conversation.versions(turn.number, asked.thread).turns
        found = [
            next((v for v in reversed(versions) if self._answers(v, a.question)), None)
            for a in self.answers
        ]
        return [] if None in found else [each for each in found if each is not None]

    def _answers(self, turn: Turn, question: Question) -> bool:
        """Return whether a turn has the whole answer to a question as it is now."""
        parameters = Facts("", parameters=question.parameters).as_metadata()
        if (
            (turn.status, turn.model) != ("complete", question.model)
            or (turn.question, turn.system) != (question.text, question.system)
            or turn.facts.get("parameters") != parameters["parameters"]
        ):
            return False
        if question.prompt == Prompt.of(question.text):
            return True
        answering = self._connection.answering(question)
        prepared = prepare(question, self._conversation.record, answering)
        sent = prepared.request.messages[-1]
        return (turn.sent or turn.question, turn.images) == (sent.content, sent.images)

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

    @property
    def turn(self) -> Turn | None:
        """The turn as it stands; that of another where this one failed."""
        own = super().turn
        if own is None or self.text or not self._progress.ended:
            return own
        turns = (other.turn for other in self._others)
        there = (t for t in turns if t is not None and self._kept_in.is_there(t.id))
        return next(there, None)

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
