"""From a question to the request that is sent: which model, and what context fits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import tee
from typing import cast

from h2o_magic.backends.base import Backend, ChatRequest
from h2o_magic.chat.context import Chosen, choose, estimate, input_room
from h2o_magic.chat.messages import Message, system, user
from h2o_magic.chat.turns import Turn
from h2o_magic.config.parameters import DEFAULT_LENGTH, PARAMETERS
from h2o_magic.conversation.connection import Connection
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.record import Record

#: Every model holds this much; for less no server is asked what its model holds.
_SMALLEST_CONTEXT = 512


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that is ready to be sent."""

    request: ChatRequest
    backend: Backend
    sent: int = 0
    earlier: int = 0
    unfinished: int = 0
    outdated: int = 0


def prepare(question: Question, record: Record, connection: Connection) -> Prepared:
    """Choose model, system text and context, perhaps with the server's help."""
    with connection.lock:  # what is asked of the server first is asked once
        question, head = _settled(question, connection)
        request = ChatRequest(
            question.model,
            (*head, user(question.text)),
            question.parameters,
            question.strict,
            question.grammar,
        )
        if not question.history:
            return Prepared(request, connection.backend)
        thread, place = question.thread, question.replaces or question.cell
        chosen = Chosen()
        earlier, outdated = record.counts_around(thread, place)
        if not question.begins:
            before = record.before(thread, place)
            chosen = _chosen(question, before, request.messages, connection)
        history = [
            message
            for turn in chosen.turns
            for message in turn.messages(partial=question.send_partial)
        ]
        return Prepared(
            replace(request, messages=(*head, *history, request.messages[-1])),
            connection.backend,
            sent=len(chosen.turns),
            earlier=0 if question.begins else earlier,
            unfinished=chosen.unfinished,
            outdated=outdated,
        )


def _settled(
    question: Question, connection: Connection
) -> tuple[Question, tuple[Message, ...]]:
    if not question.model_chosen:
        question = replace(question, model=connection.current_model_name())
    if question.system:
        return question, (system(question.told),)
    recommended = connection.recommended_system(question.model)
    if recommended and not question.system_chosen:
        question = replace(question, system=recommended)
    told = question.told
    # Without an empty one, our server would use the text that it recommends.
    return question, (system(told),) if told or recommended else ()


def _chosen(
    question: Question,
    before: Iterable[Turn],
    given: tuple[Message, ...],
    connection: Connection,
) -> Chosen:
    """Choose the turns to send; ask for the model's context only if it matters."""
    limits, dialect = connection.limits, getattr(connection.backend, "dialect", "")
    rate = limits.rate(question.model)
    longest = cast(int, question.parameters.get("max_new_tokens", DEFAULT_LENGTH))
    truncate = PARAMETERS["truncate"].service_default if dialect == "gpt-gm" else None
    first, again = tee(before)  # what was read is not read again
    chosen = Chosen()
    for turns in (first, again):
        context = _SMALLEST_CONTEXT
        if turns is again:
            context = limits.context(question.model) or question.context
        room = input_room(context, longest, cast("int | None", truncate))
        chosen = choose(
            turns,
            room=room - estimate(given, rate),
            rate=rate,
            max_turns=question.max_turns,
            partial=question.send_partial,
        )
        if not chosen.full:
            break
    return chosen
