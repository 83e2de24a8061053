"""The answer to a question: it sends the question when it is first read."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from h2o_magic.answers import AnswerRecord, Facts
from h2o_magic.autosave import Autosave
from h2o_magic.backends import Backend, ChatRequest
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    GenerationError,
    IncompleteAnswerError,
    MisuseError,
    StatusError,
)
from h2o_magic.events import Event, Notice
from h2o_magic.messages import Message
from h2o_magic.question import Question, Started
from h2o_magic.reasoning import thought_apart
from h2o_magic.turns import Turn, TurnStatus
from h2o_magic.uninterrupted import uninterrupted
from h2o_magic.waiting_line import Ticket, WaitingLine

__all__ = ["Answer", "Asker"]

#: What the servers of all dialects call a schema that they do not take.
_SCHEMA_WORDS = re.compile(r"response_format|json_schema|schema|grammar", re.IGNORECASE)


class Asker(Protocol):
    """What an answer needs of the session."""

    def line(self, question: Question) -> WaitingLine[Answer]:
        """Return where those wait who ask in the question's thread."""

    def waits(self, question: Question) -> None:
        """Tell that a question waits for others, or does so no more."""

    def prepare(self, question: Question) -> Started:
        """Choose the context."""

    def begin(self, question: Question, prepared: Started) -> Started:
        """Note the question in the record."""

    def grew(self, started: Started, answer: Answer) -> None:
        """Tell of an event of the answer."""

    def save(self, started: Started, text: str, facts: Facts) -> None:
        """Keep the text so far."""

    def end(
        self, started: Started, text: str, facts: Facts, *, unsent: bool = False
    ) -> None:
        """Keep the answer as it ended; `unsent` if the question was refused here."""


class Answer:
    """An answer that comes: iterate it once, or read it, then look at text and facts.

    Nothing is sent before. Whatever ends the iteration, the text so far is kept as a
    turn of the session: complete, ``stopped`` (the iterator was closed or interrupted,
    or :meth:`stop` called) or ``failed``. Answers of one thread of the conversation
    come one after the other, in the order in which they were asked for, whoever asks.
    """

    def __init__(self, asker: Asker, question: Question) -> None:
        self.question = question
        self._asker = asker
        self._record = AnswerRecord(question.model, parameters=question.parameters)
        self._started: Started | None = None
        self._events: Iterator[Event] | None = None
        self._server = ""
        self._ticket = Ticket(asker.line(question), self)
        self._iterated = False
        self._stopping = False

    @property
    def turn(self) -> Turn | None:
        """The turn that stands for it, as it is now; None before it is asked.

        Also None outside the conversation.
        """
        if self._started is None or self._started.turn is None:
            return None
        status = self.facts.status if self._record.ended else "incomplete"
        return replace(
            self._started.turn,
            answer=self.text,
            status=status,
            facts=replace(self.facts, status=status).as_metadata(),
        )

    @property
    def text(self) -> str:
        """The answer's text so far."""
        return self._record.text

    @property
    def reasoning(self) -> str:
        """What the model has written of its reasoning, apart from the answer."""
        return self._record.reasoning

    @property
    def notice(self) -> str:
        """What the server is doing before the first text; empty if it did not say."""
        return self._record.notice

    @property
    def messages(self) -> tuple[Message, ...]:
        """What was sent; empty before."""
        return self._started.request.messages if self._started else ()

    @property
    def facts(self) -> Facts:
        """What is known about the answer so far."""
        started = self._started
        told = started is not None and started.demo_told
        facts = replace(self._record.facts, server=self._server, demo_told=told)
        if started is None or started.turn is None:
            return replace(facts, history=self.question.history)
        return replace(
            facts,
            thread=self.question.thread,
            sent_turns=max(started.sent - facts.dropped_turns, 0),
            earlier_turns=started.earlier,
            unfinished_turns=started.unfinished,
            outdated_turns=started.outdated,
        )

    def read(self) -> str:
        """Ask, wait for the end, and return the whole text.

        Raises
        ------
        BackendError
            If the answer does not come or breaks off.
        MisuseError
            If it was asked before.
        """
        for _ in self:
            pass
        return self.text

    def stop(self) -> None:
        """Stop the answer, from any thread; what came of it is kept.

        One that waits for another to end, or is not yet iterated, is then not asked.
        """
        self._stopping = True
        self._ticket.give_up()
        close = getattr(self._events, "close", None)
        if close is not None:
            with contextlib.suppress(ValueError):  # another thread is waiting in it
                close()

    def __iter__(self) -> Iterator[Event]:
        """Send the question and yield the answer's events.

        Raises
        ------
        BackendError
            If the answer does not come or breaks off.
        MisuseError
            If it was iterated before: that would ask again. Or if an answer of the same
            thread of the conversation is still being iterated by this one of Python.
        """
        if self._iterated:
            raise MisuseError("an answer can be iterated once: ask again for another")
        self._iterated = True
        waited = False
        try:
            self.line_up()
            if not self._ticket.served:
                waited = True
                self._asker.waits(self.question)
                yield Notice(
                    f"Waiting for the answer before it in {self.question.thread} …"
                )
                self._ticket.wait()
            if self._stopping:
                self._record.end("stopped")
            else:
                yield from self._asked()
        finally:
            self._ticket.leave()
            if waited and self._started is None:
                self._asker.waits(self.question)

    def line_up(self) -> None:
        """Take its place among the answers of its thread, if it has none yet.

        Iterating does so. Who does it before must iterate, in the same thread of
        Python: the others wait for that.

        Raises
        ------
        MisuseError
            As iterating does.
        """
        if not self._ticket.taken:
            self._ticket.take()

    def _asked(self) -> Iterator[Event]:
        """Ask now that it is its turn, and leave the line when the answer is kept."""
        prepared = self._asker.prepare(self.question)
        status: TurnStatus = "failed"
        unsent = False
        autosave = Autosave(self._save)
        try:
            with uninterrupted():
                self._begin(prepared)
            with _closing(self._stream(prepared)) as events:
                for event in thought_apart(events):
                    self._server = self._server or prepared.backend.url
                    self._record.add(event)
                    autosave.touch()
                    self._tell()
                    yield event
                    if self._stopping:
                        break
            if self._stopping:
                status = "stopped"
            elif not self._record.ended:
                raise IncompleteAnswerError(
                    "the answer ended without its final event", partial=self.text
                )
        except (GeneratorExit, KeyboardInterrupt):
            status = "stopped"
            raise
        except BackendError:
            if not self._stopping:
                raise
            status = "stopped"  # what a server says to that is no matter
        except ConfigurationError:
            unsent = True
            raise
        finally:
            with uninterrupted():
                self._record.end(status)
                self._end(autosave, unsent)

    def __repr__(self) -> str:
        """Say how far it is; the text itself may be long."""
        if self._started is None:
            how = "waiting" if self._iterated else "iterate it or call read()"
            return f"<Answer: not asked yet, {how}>"
        return f"<Answer: {self.facts.status}, {len(self.text)} characters>"

    def _stream(self, started: Started) -> Iterator[Event]:
        """Yield an answer's events; without the schema if the server cannot hold to it.

        The model was told of the schema in words, too.
        """
        backend, request = started.backend, started.request
        try:
            yield from self._sent(backend, request)
        except (StatusError, GenerationError) as error:
            if request.schema is None or error.partial or not _refuses_schema(error):
                raise
            yield from self._sent(backend, replace(request, schema=None))

    def _sent(self, backend: Backend, request: ChatRequest) -> Iterator[Event]:
        with _closing(backend.stream(request)) as self._events:
            if not self._stopping:  # else nobody would close it
                yield from self._events

    def _begin(self, prepared: Started) -> None:
        self._started = started = self._asker.begin(self.question, prepared)
        self._record = AnswerRecord(
            started.request.model, parameters=self.question.parameters
        )

    def _tell(self) -> None:
        if self._started is not None:
            self._asker.grew(self._started, self)

    def _end(self, autosave: Autosave, unsent: bool) -> None:
        try:
            autosave.close()
            if self._started is not None:
                self._asker.end(self._started, self.text, self.facts, unsent=unsent)
        finally:
            self._ticket.leave()

    def _save(self) -> None:
        if self._started is not None:
            self._asker.save(self._started, self.text, self.facts)


def _refuses_schema(error: StatusError | GenerationError) -> bool:
    if isinstance(error, StatusError):
        # 500: llama_cpp.server's status for a field that it does not know.
        named = _SCHEMA_WORDS.search(error.server_message) is not None
        return error.status == 422 or (error.status in (400, 500) and named)
    return error.error_type == "validation" or bool(_SCHEMA_WORDS.search(str(error)))


@contextmanager
def _closing(events: Iterator[Event]) -> Iterator[Iterator[Event]]:
    """Close the iterator, if it can be: that stops the server's work on an answer."""
    try:
        yield events
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
