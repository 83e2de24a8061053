"""Chat messages as any program writes them, read as questions with their answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

from h2o_magic.chat.turns import Turn, TurnStatus
from h2o_magic.conversation.formats.checks import (
    as_object,
    as_text,
    kind_of,
    within,
    wrong,
)

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


def read_pairs(messages: Iterable[object], where: str) -> list[Pair]:
    """Return what chat messages say, as pairs of question and answer.

    A system text holds until the next one; several in a row are one, with a blank line
    between them. ``developer`` is another word for ``system``. Content is text, or a
    list of text parts. Only the last question may lack its answer.
    """
    walk = _Walk(where)
    for message in messages:
        walk.take(message)
    return walk.end()


def foreign_turns(messages: list[Any], where: str) -> list[Turn]:
    """Return the turns of messages that some other program wrote.

    What has an answer counts as complete, unless the message's metadata has another
    status. A question without an answer, at the end, is kept as an incomplete turn.
    """
    if not messages:
        raise wrong(where, "expected at least one message, got an empty list")
    return [_foreign_turn(pair) for pair in read_pairs(messages, where)]


def _foreign_turn(pair: Pair) -> Turn:
    if not pair.question.strip():
        raise wrong(pair.where, "expected a question, got an empty message")
    if pair.answer is None:
        return Turn(pair.question, "", "incomplete", system=pair.system)
    status = _status(pair.answer_metadata)
    return Turn(pair.question, pair.answer, status, system=pair.system)


def _status(metadata: object) -> TurnStatus:
    """Return how an answer ended, if its metadata says so; else it is complete."""
    said = metadata.get("status") if isinstance(metadata, dict) else None
    return next((s for s in get_args(TurnStatus) if s == said), "complete")


class _Walk:
    """Goes through messages in their order and collects the pairs."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._count = 0
        self._found: list[Pair] = []
        self._system = ""
        self._instructions: list[str] = []  # system texts since the last answer
        self._asked: Pair | None = None

    def take(self, value: object) -> None:
        self._count += 1
        where = within(self._where, f"message {self._count}")
        message = as_object(value, where, "a message")
        role = _role(message, where)
        text = _content(message.get("content"), where)
        if self._asked is not None:
            self._answer(role, text, message.get("metadata"), where)
        elif role == "system":
            self._instructions.append(text)
        elif role == "user":
            self._ask(text, message.get("metadata"), where)
        else:
            raise wrong(
                where, "expected a user message before it, got none: take it out"
            )

    def end(self) -> list[Pair]:
        if self._instructions:
            raise wrong(
                within(self._where, f"message {self._count}"),
                "expected a user message after the system text, got none: take it out",
            )
        return self._found if self._asked is None else [*self._found, self._asked]

    def _ask(self, text: str, metadata: object, where: str) -> None:
        if self._instructions:
            self._system = "\n\n".join(self._instructions)
            self._instructions = []
        self._asked = Pair(where, self._system, text, question_metadata=metadata)

    def _answer(self, role: str, text: str, metadata: object, where: str) -> None:
        asked = self._asked
        if asked is None or role != "assistant":
            raise wrong(
                where,
                "expected the assistant's answer to the message before it, got "
                f"another {role} message: take one of them out, or make them one",
            )
        self._found.append(
            Pair(
                asked.where,
                asked.system,
                asked.question,
                text,
                asked.question_metadata,
                metadata,
            )
        )
        self._asked = None


def _role(message: dict[str, Any], where: str) -> str:
    role = as_text(message.get("role"), where, '"role"')
    if role not in _ROLES:
        raise wrong(
            where,
            f"expected role 'system', 'user' or 'assistant', got {kind_of(role)}: "
            "only questions and answers can be kept, take other messages out",
        )
    return _ROLES[role]


def _content(content: object, where: str) -> str:
    if isinstance(content, list):
        return "".join(_part(part, where) for part in content)
    return as_text(content, where, '"content"')


def _part(part: object, where: str) -> str:
    found = as_object(part, where, 'a part of "content"')
    if isinstance(found.get("text"), str):
        return str(found["text"])
    raise wrong(
        where,
        f'expected parts of type "text" in "content", got {kind_of(found.get("type"))}:'
        " only text can be kept",
    )
