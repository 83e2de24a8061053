"""Sends a question with the context that fits, and keeps what comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import tee
from typing import cast

from h2o_magic.answers import Facts
from h2o_magic.asking import Answer
from h2o_magic.backends import Backend, ChatRequest
from h2o_magic.context import Chosen, choose, estimate, input_room
from h2o_magic.feed import Began, Changed, Ended, Feed, Grew, Waits
from h2o_magic.limits import ModelLimits
from h2o_magic.messages import Message, system, user
from h2o_magic.parameters import DEFAULT_LENGTH, PARAMETERS
from h2o_magic.question import Question, Started
from h2o_magic.record import Record
from h2o_magic.turns import Turn
from h2o_magic.waiting_line import WaitingLine

__all__ = ["Exchange"]

#: Every model holds this much; for less no server is asked what its model holds.
_SMALLEST_CONTEXT = 512


class Exchange:
    """Questions out, answers into the record.

    Attributes
    ----------
    feed : Feed
        Tells of each question and answer.

    Parameters
    ----------
    record
        Where the turns are kept; it may be replaced.
    connect
        Returns the backend; called when one is first needed.
    model
        Returns the model to ask where the user has chosen none.
    recommended
        Returns the system text that is recommended for a model; may be empty.
    backend
        The backend to begin with, if there is one.
    """

    def __init__(
        self,
        record: Record,
        connect: Callable[[], Backend],
        model: Callable[[], str],
        backend: Backend | None = None,
        recommended: Callable[[str], str] = lambda _: "",
    ) -> None:
        self.record = record
        self.feed = Feed()
        self._connect = connect
        self._model = model
        self._recommended = recommended
        self._backend = backend
        self._limits: ModelLimits | None = None
        self._lines: dict[str, WaitingLine[Answer]] = {}
        self._lock = threading.RLock()
        self._demo_told = False

    @property
    def backend(self) -> Backend:
        """The server that answers."""
        if self._backend is None:
            self._backend = self._connect()
        return self._backend

    @backend.setter
    def backend(self, backend: Backend) -> None:
        self._backend = backend
        self._limits = None

    def disconnect(self) -> None:
        """Give the backend back; the next question connects anew."""
        backend, self._backend = self._backend, None
        self._limits = None
        if backend is not None:
            backend.close()

    def line(self, question: Question) -> WaitingLine[Answer]:
        """Return where those wait who ask in a thread; outside of it nobody does."""
        if not question.history:
            return WaitingLine()
        return self._lines.setdefault(question.thread, WaitingLine())

    def coming(self, thread: str) -> tuple[Answer, ...]:
        """Return the answers of a thread that are being asked for, in their order."""
        line = self._lines.get(thread)
        return line.holders if line else ()

    def coming_threads(self) -> tuple[str, ...]:
        """Return the threads in which answers are being asked for."""
        return tuple(name for name, line in tuple(self._lines.items()) if line.holders)

    def waits(self, question: Question) -> None:
        """Tell that other questions wait in a thread than before."""
        self.feed.tell(Waits(question.thread))

    def begin(self, question: Question, prepared: Started) -> Started:
        """Note a question in the record."""
        thread = question.thread
        if question.history:
            turn = _turn(question, prepared.request.model)
            record = self.record
            turn = record.begin(thread, turn, _place(question))
            self.feed.tell(Began(thread, turn))
            return replace(prepared, turn=turn, record=record, thread=thread)
        if question.cell is not None and self.record.drop_cell(thread, question.cell):
            self.feed.tell(Changed(thread))
        return prepared

    def prepare(self, question: Question) -> Started:
        """Choose the context of a question; nothing is noted, nothing sent."""
        with self._lock:  # what is asked of the server first is asked once
            return self._prepared(question)

    def _prepared(self, question: Question) -> Started:
        question = self._settled(question)
        head = (system(question.told),) if question.told else ()
        if not head and question.system_chosen and self._recommended(question.model):
            head = (system(""),)  # or the local server would take the recommended one
        if not question.history:
            messages = (*head, user(question.text))
            return Started(
                _request(question, messages),
                self.backend,
                demo_told=self._demo_told,
            )
        record, thread, place = self.record, question.thread, _place(question)
        chosen, earlier = Chosen(), 0
        if not question.begins:
            chosen = self._choose(question, record.before(thread, place), head)
            earlier = record.count_since_start(thread, place)
        history = [
            message
            for turn in chosen.turns
            for message in turn.messages(partial=question.send_partial)
        ]
        return Started(
            _request(question, (*head, *history, user(question.text))),
            self.backend,
            sent=len(chosen.turns),
            earlier=earlier,
            unfinished=chosen.unfinished,
            outdated=record.count_outdated_by(thread, place),
            demo_told=self._demo_told,
        )

    def save(self, started: Started, text: str, facts: Facts) -> None:
        """Keep the text of an answer that is still coming."""
        if started.turn is not None and started.record is not None:
            started.record.update(
                started.turn.id,
                answer=text,
                status="incomplete",
                facts=replace(facts, status="incomplete").as_metadata(),
            )

    def grew(self, started: Started, answer: Answer) -> None:
        """Tell that more of an answer is there."""
        if started.turn is not None:
            self.feed.tell(Grew(started.thread, started.turn.id, answer))

    def end(
        self, started: Started, text: str, facts: Facts, *, unsent: bool = False
    ) -> None:
        """Keep an answer as it ended, and tell of it.

        A question that was not sent is not kept. One of which nothing came takes no
        answer away: the turn that it replaced stands there again.
        """
        request, turn = started.request, started.turn
        self._demo_told = self._demo_told or facts.demo
        if turn is not None and started.record is not None:
            turn = replace(
                turn, answer=text, status=facts.status, facts=facts.as_metadata()
            )
            kept = True
            try:
                kept = _keep(started.record, turn, unsent)
            finally:
                self.feed.tell(Ended(started.thread, turn))
                if not kept:
                    self.feed.tell(Changed(started.thread))
        whole = not facts.dropped_turns and not facts.cut_tokens
        if whole and facts.prompt_tokens and self._limits is not None:
            self._limits.learn(request.model, request.messages, facts.prompt_tokens)

    def _settled(self, question: Question) -> Question:
        """Return a question with a model and a system text.

        The server may have to say which model it has, and what suits it.
        """
        if not question.model_chosen:
            question = replace(question, model=self._model(), model_chosen=True)
        if not (question.system or question.system_chosen):
            question = replace(question, system=self._recommended(question.model))
        return question

    def _choose(
        self,
        question: Question,
        before: Iterable[Turn],
        head: tuple[Message, ...],
    ) -> Chosen:
        """Choose the turns to send; ask for the model's context only if it counts."""
        limits = self._model_limits()
        rate = limits.rate(question.model)
        given = estimate((*head, user(question.text)), rate)

        dialect = getattr(self.backend, "dialect", "gpt-gm")

        def within(context: int, turns: Iterable[Turn]) -> Chosen:
            return choose(
                turns,
                room=_input_room(question, context, dialect) - given,
                rate=rate,
                max_turns=question.max_turns,
                partial=question.send_partial,
            )

        first, again = tee(before)  # what the first has read is not read again
        chosen = within(_SMALLEST_CONTEXT, first)
        if not chosen.full:
            return chosen
        return within(limits.context(question.model) or question.context, again)

    def _model_limits(self) -> ModelLimits:
        if self._limits is None:
            self._limits = ModelLimits(self.backend)
        return self._limits


def _keep(record: Record, turn: Turn, unsent: bool) -> bool:
    """Keep a turn whose answer has ended; return whether it stays."""
    nothing = not turn.answer and turn.status in ("failed", "stopped")
    if nothing and record.withdraw(turn.id, if_replaced=not unsent):
        return False
    record.update(turn.id, answer=turn.answer, status=turn.status, facts=turn.facts)
    return True


def _place(question: Question) -> str | int | None:
    """Return what the question's turn is found by, if it has been asked before."""
    return question.replaces or question.cell


def _input_room(question: Question, context: int, dialect: str) -> int:
    most = question.parameters.get("max_new_tokens", DEFAULT_LENGTH)
    truncate = PARAMETERS["truncate"].service_default if dialect == "gpt-gm" else None
    return input_room(context, cast(int, most), cast("int | None", truncate))


def _request(question: Question, messages: tuple[Message, ...]) -> ChatRequest:
    return ChatRequest(
        model=question.model,
        messages=messages,
        parameters=question.parameters,
        strict=question.strict,
        schema=question.grammar,
    )


def _turn(question: Question, model: str) -> Turn:
    return Turn(
        question.text,
        status="incomplete",
        cell=question.cell,
        system=question.system,
        model=model,
        begins=question.begins,
        asked_at=time.time(),
    )
