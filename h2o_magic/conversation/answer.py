"""The answer to a question: it sends the question when it is first read."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from h2o_magic.chat.continuation import continuing
from h2o_magic.chat.events import Event, Notice
from h2o_magic.chat.facts import AnswerRecord, Facts, failure_facts
from h2o_magic.chat.messages import Message
from h2o_magic.chat.reasoning import split_reasoning
from h2o_magic.chat.turns import Turn, TurnStatus
from h2o_magic.config.forks import in_child
from h2o_magic.conversation.autosave import Autosave
from h2o_magic.conversation.connection import Connection
from h2o_magic.conversation.interrupts import uninterrupted
from h2o_magic.conversation.notifications import (
    AnswerEnded,
    AnswerGrew,
    AnswerStarted,
    ComingAnswer,
    QueueChanged,
    ThreadChanged,
)
from h2o_magic.conversation.prepare import Prepared, prepare
from h2o_magic.conversation.question import Question, asked_with
from h2o_magic.conversation.queue import FifoLock
from h2o_magic.conversation.threads import Conversation
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    IncompleteAnswerError,
    MisuseError,
    StatusError,
)
from h2o_magic.prompts.prompt import Prompt

if TYPE_CHECKING:
    from h2o_magic.conversation.answer_value import AnswerValue


class Answer:
    """An answer to come: iterate it once, or read it, then look at text and facts.

    Nothing is sent before. Whatever ends the iteration, the text so far is kept as a
    turn of the conversation: complete, ``stopped`` (the iterator was closed or
    interrupted, or :meth:`stop` called) or ``failed``. The answers of one thread come
    one after the other, in the order in which they were asked for, whoever asks.
    """

    def __init__(
        self, question: Question, conversation: Conversation, connection: Connection
    ) -> None:
        self.question = question
        self._conversation = conversation
        self._connection = connection
        self._kept_in = conversation.record  # whatever the conversation's is later
        # Questions outside the conversation wait for nobody.
        self._queue: FifoLock[ComingAnswer] = FifoLock()
        if question.history:
            self._queue = conversation.queue(question.thread)
        self._progress = AnswerRecord(question.model, parameters=question.parameters)
        self._prepared: Prepared | None = None
        self._turn: Turn | None = None
        self._demo_told = False
        #: Whether the turn before had this stored answer already, and stays.
        self.replaces_same = False
        self._events: Iterator[Event] | None = None
        self._server = ""
        self._iterated = False
        self._stopping = False
        self._begun = False  # what is asked does not change any more
        self._beginning = threading.Lock()  # held while that is decided
        self._withdrawn = False
        self._failure: BackendError | None = None
        self._inherited = False  # True in a fork, where its turn is the parent's
        in_child(self._renew)

    def _renew(self) -> None:
        self._inherited = self._iterated
        self._beginning = threading.Lock()

    @property
    def turn(self) -> Turn | None:
        """The turn of this answer now; None before it, and outside the conversation."""
        if self._turn is None:
            return None
        status = self.facts.status if self._progress.ended else "incomplete"
        facts = replace(self.facts, status=status).as_metadata()
        return replace(self._turn, answer=self.text, status=status, facts=facts)

    @property
    def text(self) -> str:
        """The answer's text so far."""
        return self._progress.text

    @property
    def reasoning(self) -> str:
        """The model's reasoning so far, which is not part of the answer."""
        return self._progress.reasoning

    @property
    def notice(self) -> str:
        """What the server is doing before the first text; empty if it did not say."""
        return self._progress.notice

    @property
    def waited(self) -> float:
        """Seconds since the server began to do what `notice` says."""
        return self._progress.waited

    @property
    def messages(self) -> tuple[Message, ...]:
        """What was sent; empty before."""
        return self._prepared.request.messages if self._prepared else ()

    @property
    def facts(self) -> Facts:
        """What is known about the answer so far."""
        facts = replace(
            self._progress.facts,
            model_chosen=self.question.model_chosen,
            server=self._server,
            files=self.question.prompt.file_names,
            demo_told=self._demo_told,
        )
        if self._failure is not None:
            facts = replace(facts, **failure_facts(self._failure))
        prepared = self._prepared
        if prepared is not None:
            facts = replace(facts, notes=(*prepared.notes, *facts.notes))
        if prepared is None or self._turn is None:
            return replace(facts, history=self.question.history)
        return replace(
            facts,
            thread=self.question.thread,
            sent_turns=max(prepared.sent - facts.dropped_turns, 0),
            earlier_turns=prepared.earlier,
            unfinished_turns=prepared.unfinished,
            outdated_turns=0 if self.replaces_same else prepared.outdated,
        )

    def read(self) -> str:
        """Ask, wait for the end, return the whole text; raises as iterating does."""
        for _ in self:
            pass
        return self.text

    def value(self) -> object:
        """Return what was asked for; an answer that was not read is read before.

        Returns
        -------
        object
            With a ``schema``, an object of its type: a dataclass's or pydantic model's
            instance, for a TypedDict or a JSON schema the JSON value. With ``format``
            ``json`` the JSON value, with ``table`` a DataFrame if pandas is installed.
            Else the text, as a str with the facts about it.

        Raises
        ------
        AnswerFormatError
            If the answer does not fit, or is not complete.
        ConfigurationError
            If the schema is not valid.
        BackendError
            As iterating does.
        """
        if not self._iterated:
            self.read()
        return self.as_value.value

    @cached_property
    def as_value(self) -> AnswerValue:
        """The ended answer, read as its question asked for it."""
        from h2o_magic.conversation.answer_value import AnswerValue  # noqa: PLC0415 - the text comes first

        return AnswerValue(self)

    def stop(self) -> None:
        """Stop the answer, from any thread; the text so far is kept.

        One that waits for another to end, or is not yet iterated, is not asked.
        """
        self._stopping = True
        self._queue.wake(self)
        close = getattr(self._events, "close", None)
        if close is not None:
            with contextlib.suppress(ValueError):  # another thread is waiting in it
                close()

    @property
    def waits(self) -> bool:
        """Whether it waits for the answers before it, and so can be changed."""
        return not (self._begun or self._stopping)

    @property
    def withdrawn(self) -> bool:
        """Whether :meth:`withdraw` took it out of the queue."""
        return self._withdrawn

    def change(self, question: str | Prompt) -> None:
        """Ask something else in its place, under the same settings; from any thread.

        A MisuseError if it is being answered already, or was stopped; a MessagesError
        if the question is empty.
        """
        with self._waiting():
            self.question = replace(self.question, prompt=asked_with(question))
        self._tell_queue()

    def move(self, place: int) -> None:
        """Go to a place among those that wait in its thread, from 1; else as `change`.

        From 1 on, they are asked in this order.
        """
        with self._waiting():
            self._queue.move(self, place)
        self._tell_queue()

    @property
    def held(self) -> bool:
        """Whether :meth:`hold` lets those behind it go first."""
        return self._queue.is_held(self)

    def hold(self) -> None:
        """Let those behind it go first until :meth:`let_go`; errors as of `change`."""
        with self._waiting():
            self._queue.hold(self)
        self._tell_queue()

    def let_go(self) -> None:
        """Wait for those before it only."""
        self._queue.let_go(self)
        self._tell_queue()

    def withdraw(self) -> None:
        """Leave the queue, so that it is not asked; errors as of `change`."""
        with self._waiting():
            self._withdrawn = self._stopping = True
        self._queue.wake(self)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        with self._beginning:
            if self._begun:
                raise MisuseError("it is being answered already")
            if self._stopping:
                raise MisuseError("it is no longer in the queue: ask it again")
            yield

    def _begin_if_first(self) -> bool:
        with self._beginning:
            self._begun = self._queue.owner is self and not self._stopping
            return self._begun

    def _tell_queue(self) -> None:
        self._conversation.notifications.send(QueueChanged(self.question.thread))

    def enter_queue(self) -> bool:
        """Take a place in the queue of its thread; return whether it is first.

        Iterating does so. Whoever calls it before must iterate, in the same thread of
        Python, since later answers wait for that.
        """
        return self._queue.enter(self)

    def __iter__(self) -> Iterator[Event]:
        """Send the question and yield the answer's events.

        Raises
        ------
        BackendError
            If the answer does not come or breaks off.
        MisuseError
            If it was iterated before: that would ask again. Or if an answer of the same
            thread of the conversation is still being iterated by this thread of Python.
        """
        if self._iterated:
            raise MisuseError("an answer can be iterated once: ask again for another")
        self._iterated = True
        waited, thread = False, self.question.thread
        try:
            if not self.enter_queue() and not self._stopping:
                waited = True
                self._tell_queue()
                yield Notice(f"Waiting for the answer before it in {thread} …")
            while not (self._stopping or self._begin_if_first()):
                self._queue.wait(self)
            if not self._begun:
                self._progress.end("stopped")
                return
            self._kept_in = self._conversation.record
            answering = self._connection.answering(self.question)
            prepared = prepare(self.question, self._kept_in, answering)
            if (other := answering.instead(prepared.request)) is not None:
                prepared = prepare(self.question, self._kept_in, other)
            yield from self._ask(prepared)
        finally:
            self._leave_queue()
            if waited and self._prepared is None:
                self._tell_queue()

    def _ask(self, prepared: Prepared) -> Iterator[Event]:
        status: TurnStatus = "failed"
        unsent = False
        autosave = Autosave(self._save)
        try:
            with uninterrupted():
                self._begin(prepared)
            with _closing(self._stream(prepared)) as events:
                for event in split_reasoning(events):
                    self._server = self._server or prepared.backend.url
                    self._progress.add(event)
                    autosave.touch()
                    self._tell_growth()
                    yield event
                    if self._stopping:
                        break
            if self._stopping:
                status = "stopped"
            elif not self._progress.ended:
                raise IncompleteAnswerError(
                    "the answer ended without its final event", partial=self.text
                )
        except (GeneratorExit, KeyboardInterrupt):
            status = "stopped"
            raise
        except BackendError as error:
            if not self._stopping:
                self._note_failure(error, prepared)
                raise
            status = "stopped"  # what a server says to that does not matter
        except ConfigurationError:
            unsent = True
            raise
        finally:
            with uninterrupted():
                self._progress.end(status)
                try:
                    if not self._inherited:
                        autosave.close()
                        self._end(prepared, unsent)
                finally:
                    self._leave_queue()

    def _leave_queue(self) -> None:
        self._queue.leave(self)

    def _note_failure(self, error: BackendError, prepared: Prepared) -> None:
        self._failure = error
        if isinstance(error, StatusError):  # so it has an address
            self._server = self._server or prepared.backend.url

    def _tell_growth(self) -> None:
        if self._turn is not None:
            self._conversation.notifications.send(
                AnswerGrew(self.question.thread, self._turn.id, self)
            )

    def __repr__(self) -> str:
        if self._prepared is None:
            how = "waiting" if self._iterated else "iterate it or call read()"
            return f"<Answer: not asked yet, {how}>"
        return f"<Answer: {self.facts.status}, {len(self.text)} characters>"

    def _stream(self, prepared: Prepared) -> Iterator[Event]:
        events = prepared.ask(prepared.backend, prepared.request)
        with _closing(events) as self._events:
            if not self._stopping:  # else nobody would close it
                yield from self._events

    def _begin(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._demo_told = self._conversation.demo_told
        asked, thread = self.question, self.question.thread
        model = prepared.request.model
        self._progress = AnswerRecord(
            model, parameters=asked.parameters, continues=asked.continues
        )
        if asked.history:
            place = -1 - len(continuing(asked.continues))
            sent = prepared.request.messages[place]
            turn = Turn(
                asked.text,
                sent="" if sent.content == asked.text else sent.content,
                images=sent.images,
                status="incomplete",
                cell=asked.cell,
                system=asked.system,
                model=model,
                begins=asked.begins,
                asked_at=time.time(),
                facts={"files": list(asked.prompt.file_names)},
            )
            self._conversation.keep_settings()
            self._turn = self._kept_in.begin(thread, turn, prepared.place)
            self._conversation.notifications.send(AnswerStarted(thread, self._turn))
        elif asked.cell is not None and self._kept_in.drop_cell(thread, asked.cell):
            self._conversation.notifications.send(ThreadChanged(thread))

    def _is_same(self, turn: Turn) -> bool:
        """Return whether a replayed turn is the one before it, which then stays."""
        before = self._kept_in.keep_before(turn.id, self.text)
        if before is None:
            return False
        thread, self._turn, self.replaces_same = self.question.thread, before, True
        self._conversation.notifications.send(
            AnswerEnded(thread, replace(before, id=turn.id))
        )
        self._conversation.notifications.send(ThreadChanged(thread))
        return True

    def _save(self) -> None:
        if self._turn is not None:
            facts = replace(self.facts, status="incomplete").as_metadata()
            self._kept_in.update(
                self._turn.id, answer=self.text, status="incomplete", facts=facts
            )

    def _end(self, prepared: Prepared, unsent: bool) -> None:
        """Keep the answer as it ended; one without text restores the turn before it."""
        facts, turn = self.facts, self._turn
        self._conversation.demo_told = self._conversation.demo_told or facts.demo
        replayed = facts.first_answered and facts.status == "complete"
        if turn is not None and replayed and self._is_same(turn):
            turn = None
        if turn is not None:
            thread, text, kept = self.question.thread, self.text, True
            metadata = facts.as_metadata()
            nothing = not self._progress.added
            nothing = nothing and facts.status in ("failed", "stopped")
            try:
                kept = not nothing or not self._kept_in.withdraw(
                    turn.id, if_replaced=not unsent
                )
                if kept:
                    self._kept_in.update(
                        turn.id, answer=text, status=facts.status, facts=metadata
                    )
            finally:
                turn = replace(turn, answer=text, status=facts.status, facts=metadata)
                self._conversation.notifications.send(AnswerEnded(thread, turn))
                if not kept:
                    self._conversation.notifications.send(ThreadChanged(thread))
        whole = not facts.dropped_turns and not facts.cut_tokens
        if facts.status == "complete":
            tokens = facts.prompt_tokens if whole else None
            self._connection.learn(prepared.request, tokens)


@contextmanager
def _closing(events: Iterator[Event]) -> Iterator[Iterator[Event]]:
    """Close the iterator, if it can be: that stops the server's work on an answer."""
    try:
        yield events
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
