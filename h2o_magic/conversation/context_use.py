"""How full the model's context would be, before a question is asked: an estimate.

Unlike `prepare`, this asks no server, and reads no value: it is told while people type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from h2o_magic.chat.context import choose, estimate, input_room
from h2o_magic.chat.messages import system, user
from h2o_magic.chat.tokens import tokens_in
from h2o_magic.config.parameters import DEFAULT_LENGTH
from h2o_magic.conversation.connection import Connection
from h2o_magic.conversation.question import Question
from h2o_magic.conversation.record import Record


@dataclass(frozen=True, slots=True)
class ContextUse:
    """About how many tokens the next request would have, and how many there may be.

    `question`, `system` and `turns` are the request's parts: `sent` of `earlier` turns
    go along. `holds` is what the model holds, `answer` of it for the answer; `known`
    says whether that is what a server said, or the setting ``context``. `full` is True
    if earlier turns have no room.
    """

    question: int
    system: int
    turns: int
    sent: int
    earlier: int
    holds: int
    answer: int
    known: bool
    full: bool

    @property
    def used(self) -> int:
        return self.question + self.system + self.turns


def context_use(
    text: str, more: int, question: Question, record: Record, connection: Connection
) -> ContextUse:
    """Return what a text would use that is asked as a question is.

    `more` tokens are of its values and files.
    """
    model = connection.known(question.model)
    holds = model.context or question.context
    longest = question.parameters.get("max_new_tokens", DEFAULT_LENGTH)
    room = input_room(holds, cast(int, longest), model.cut)
    told = question.told or ("" if question.system_chosen else model.system)
    head = estimate([system(told)] if told else [], model.rate)
    words = estimate([user(text)] if text else [], model.rate)
    asked = max(words, tokens_in(text)) + more
    place = question.replaces or None
    chosen = choose(
        record.before(question.thread, place),
        room=room - head - asked,
        rate=model.rate,
        max_turns=question.max_turns,
        partial=question.send_partial,
    )
    sent = [m for t in chosen.turns for m in t.messages(partial=question.send_partial)]
    return ContextUse(
        question=asked,
        system=head,
        turns=estimate(sent, model.rate),
        sent=len(chosen.turns),
        earlier=record.counts_around(question.thread, place)[0],
        holds=holds,
        answer=holds - room,
        known=model.context is not None,
        full=chosen.full,
    )
