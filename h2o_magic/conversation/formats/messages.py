"""Chat messages as any program writes them, read as questions with their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from h2o_magic.chat.turns import Turn, TurnStatus
from h2o_magic.conversation.formats import fields
from h2o_magic.conversation.formats.fields import within, wrong

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its answer, as messages."""

    where: str
    system: str
    question: str
    answer: str | None = None
    question_metadata: object = None
    answer_metadata: object = None


def read_pairs(messages: Sequence[object], where: str) -> list[Pair]:
    """Return chat messages as pairs of question and answer.

    A system text applies until the next one; successive ones are joined, with a blank
    line between them. ``developer`` is another word for ``system``. Content is text, or
    a list of text parts. Only the last question may lack its answer.
    """
    found: list[Pair] = []
    system, instructions = "", list[str]()
    asked: Pair | None = None
    place = where
    for number, value in enumerate(messages, 1):
        place = within(where, f"message {number}")
        message = fields.as_object(value, place, "a message")
        role = _role(message, place)
        text, metadata = (
            _content(message.get("content"), place),
            message.get("metadata"),
        )
        if asked is not None:
            if role != "assistant":
                raise wrong(
                    place,
                    "expected the assistant's answer to the message before it, got "
                    f"another {role} message: remove one of them, or join them",
                )
            found.append(replace(asked, answer=text, answer_metadata=metadata))
            asked = None
        elif role == "system":
            instructions.append(text)
        elif role == "user":
            if instructions:
                system, instructions = "\n\n".join(instructions), []
            asked = Pair(place, system, text, question_metadata=metadata)
        else:
            raise wrong(place, "expected a user message before it, got none: remove it")
    if instructions:
        raise wrong(
            place,
            "expected a user message after the system text, got none: remove it",
        )
    return found if asked is None else [*found, asked]


def foreign_turns(messages: list[Any], where: str) -> list[Turn]:
    """Return the turns of messages that another program wrote.

    An answer is complete, unless the message's metadata has another status. A question
    without an answer, at the end, becomes an incomplete turn.
    """
    if not messages:
        raise wrong(where, "expected at least one message, got an empty list")
    return [_foreign_turn(pair) for pair in read_pairs(messages, where)]


def _foreign_turn(pair: Pair) -> Turn:
    if not pair.question.strip():
        raise wrong(pair.where, "expected a question, got an empty message")
    if pair.answer is None:
        return Turn(pair.question, "", "incomplete", system=pair.system)
    metadata = pair.answer_metadata
    said = metadata.get("status") if isinstance(metadata, dict) else None
    status: TurnStatus = next(
        (s for s in get_args(TurnStatus) if s == said), "complete"
    )
    return Turn(pair.question, pair.answer, status, system=pair.system)


def _role(message: dict[str, Any], where: str) -> str:
    role = fields.as_text(message.get("role"), where, '"role"')
    if role not in _ROLES:
        raise wrong(
            where,
            "expected role 'system', 'user' or 'assistant', got "
            f"{fields.kind_of(role)}: remove other messages",
        )
    return _ROLES[role]


def _content(content: object, where: str) -> str:
    if isinstance(content, list):
        return "".join(_part(part, where) for part in content)
    return fields.as_text(content, where, '"content"')


def _part(part: object, where: str) -> str:
    found = fields.as_object(part, where, 'a part of "content"')
    if isinstance(found.get("text"), str):
        return str(found["text"])
    raise wrong(
        where,
        'expected parts of type "text" in "content", got '
        f"{fields.kind_of(found.get('type'))}: remove other parts",
    )
