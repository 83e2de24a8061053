"""From a question to the request that is sent: which model, and what context fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

from h2o_magic.backends.base import Backend, ChatRequest
from h2o_magic.chat.context import Chosen, choose, estimate, input_room
from h2o_magic.chat.continuation import continuing
from h2o_magic.chat.events import Event
from h2o_magic.chat.messages import Message, system
from h2o_magic.chat.tokens import tokens_in
from h2o_magic.chat.turns import Turn
from h2o_magic.config.parameters import DEFAULT_LENGTH
from h2o_magic.conversation.answering import Answering
from h2o_magic.conversation.fitting import WHOLE, Fitted, fit
from h2o_magic.conversation.pictures import images_of, unseen, with_pictures
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.store.turns import Place
from h2o_magic.errors import BackendError, MessagesError

#: Every model holds this much; for less no server is asked what its model holds.
_SMALLEST_CONTEXT = 512
#: Bytes per token that no text has more of: a question is refused by this only.
_MOST_BYTES = 6.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that is ready to be sent."""

    request: ChatRequest
    backend: Backend
    ask: Callable[[Backend, ChatRequest], Iterator[Event]]
    sent: int = 0
    earlier: int = 0
    unfinished: int = 0
    outdated: int = 0
    place: Place = None
    notes: tuple[str, ...] = ()


def prepare(question: Question, record: Record, answering: Answering) -> Prepared:
    """Choose model, system text and context, perhaps with the server's help.

    Raises
    ------
    MessagesError
        If the user's own words are more than the model holds.
    ConfigurationError
        If there are images, and the model is not known to take any.
    """
    with answering.lock:  # what is asked of the server first is asked once
        question, head = _settled(question, answering)
        context = _Context(question, head, record, answering)
        fitted = context.fitted()
        turns = fitted.chosen.turns
        history = [
            message
            for turn in turns
            for message in turn.messages(partial=question.send_partial)
        ]
        pictured = with_pictures(history, question, record, answering)
        request = ChatRequest(
            question.model,
            (*head, *pictured, fitted.message, *continuing(question.continues)),
            question.parameters,
            question.strict,
            question.grammar,
        )
        if fitted.excess:
            _refuse_too_long(request, context, answering)
        left_out = unseen(history, pictured, question, answering)
        notes = (*question.prompt.notes, *fitted.notes, *left_out)
        if question.continues:
            notes += ("continued",)
        if not question.history:
            return Prepared(request, answering.backend, answering.ask, notes=notes)
        earlier, outdated = record.counts_around(question.thread, context.place)
        return Prepared(
            request,
            answering.backend,
            answering.ask,
            sent=len(turns),
            earlier=0 if question.begins else earlier,
            unfinished=fitted.chosen.unfinished,
            outdated=outdated,
            place=context.place,
            notes=notes,
        )


def _settled(
    question: Question, answering: Answering
) -> tuple[Question, tuple[Message, ...]]:
    if not question.model_chosen:
        model = answering.current_model_name() or question.model
        question = replace(question, model=model)
    if question.system:
        return question, (system(question.told),)
    recommended = answering.recommended_system(question.model)
    if recommended and not question.system_chosen:
        question = replace(question, system=recommended)
    told = question.told
    # Without an empty one, our server would use the text that it recommends.
    return question, (system(told),) if told or recommended else ()


class _Context:
    """What the model holds, and what is to go into that."""

    def __init__(
        self,
        question: Question,
        head: tuple[Message, ...],
        record: Record,
        answering: Answering,
    ) -> None:
        self.question = question
        self.place: Place = question.replaces or question.cell
        if question.history and not question.replaces:
            self.place = record.place(question.thread, question.cell, question.text)
        self._answering = answering
        self._record = record
        self._rate = answering.rate(question.model)
        around = (*head, *continuing(question.continues))
        self._around = estimate(around, self._rate)
        self._images = images_of(question, record, answering)
        self._read: list[Turn] = []  # what was read of them is not read again
        self._unread: Iterator[Turn] = iter(())
        if question.history and not question.begins:
            self._unread = record.before(question.thread, self.place)

    @cached_property
    def holds(self) -> int:
        """The model's context, in tokens."""
        question = self.question
        return self._answering.context(question.model) or question.context

    @property
    def cut(self) -> int | None:
        return self._answering.cut

    @property
    def longest(self) -> int:
        """The longest answer, in tokens."""
        parameters = self.question.parameters
        return cast(int, parameters.get("max_new_tokens", DEFAULT_LENGTH))

    def fitted(self) -> Fitted:
        """Return what fits; ask for the model's context only if it matters."""
        prompt = self.question.prompt
        if not prompt.values and not self._images:
            small = self._fit(_SMALLEST_CONTEXT)
            if not small.chosen.full and not small.excess:
                return small
        return self._fit(self.holds)

    def _fit(self, context: int) -> Fitted:
        wanted, usual = self.question.budget, self._answering.value_budget
        budget = wanted or min(usual, context // 4)
        return fit(
            self.question.prompt,
            self._images,
            self._choose,
            room=self._room(context) - self._around,
            budget=budget,
            whole=wanted or max(budget, WHOLE),
            rate=self._rate,
        )

    def _room(self, context: int) -> int:
        return input_room(context, self.longest, self.cut)

    def _choose(self, room: int) -> Chosen:
        return choose(
            self._turns(),
            room=room,
            rate=self._rate,
            max_turns=self.question.max_turns,
            partial=self.question.send_partial,
        )

    def _turns(self) -> Iterator[Turn]:
        yield from self._read
        for turn in self._unread:
            self._read.append(turn)
            yield turn


def _refuse_too_long(
    request: ChatRequest, context: _Context, answering: Answering
) -> None:
    """Refuse a question that is surely too long; the server decides about others."""
    backend = answering.backend
    has = getattr(backend, "has", None)
    if has is not None and has(request):
        return  # it was answered before
    tokens = estimate(request.messages, _MOST_BYTES)
    most = min(context.holds, context.cut or context.holds)
    if context.cut is not None:  # in silence, and nothing counts
        tokens = sum(tokens_in(message.content) for message in request.messages)
    count = getattr(backend, "count_tokens", None)
    if count is not None:
        with suppress(BackendError):  # the question itself will show what is wrong
            tokens = count(request.model, request.messages) or tokens
    if tokens > most:
        raise MessagesError(
            f"the question has {tokens:,} tokens, and {request.model} takes "
            f"{most:,} at most: shorten it, or attach less"
        )
