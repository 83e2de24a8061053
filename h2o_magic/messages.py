"""Chat messages, turns and conversations: frozen values, equal when their content is.

A :class:`Message` is what travels to a server. A :class:`Turn` is one question with
its answer, as the notebook keeps it. A :class:`Conversation` is an ordered tuple of
turns; "changing" one makes a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

from h2o_magic.errors import MessagesError

__all__ = [
    "Conversation",
    "Message",
    "Role",
    "Turn",
    "TurnStatus",
    "assistant",
    "parse_messages",
    "system",
    "user",
]

Role = Literal["system", "user", "assistant"]
TurnStatus = Literal["complete", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message.

    Attributes
    ----------
    role : {"system", "user", "assistant"}
        Who speaks.
    content : str
        The text.
    """

    role: Role
    content: str


def system(content: str) -> Message:
    """Make a message that instructs the model."""
    return Message("system", content)


def user(content: str) -> Message:
    """Make a message of the person asking."""
    return Message("user", content)


def assistant(content: str) -> Message:
    """Make a message of the model."""
    return Message("assistant", content)


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and what came of it.

    Attributes
    ----------
    question : str
        The user's text.
    answer : str
        The answer's text so far; may be partial, see `status`.
    status : {"complete", "stopped", "failed"}
        How the answer ended. Only complete turns are sent as context.
    cell : str or None
        Id of the notebook cell that asked; None where the front end has no ids.
    system : str
        The system text the question was asked under.
    """

    question: str
    answer: str
    status: TurnStatus = "complete"
    cell: str | None = None
    system: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """An ordered tuple of turns, at most one for each cell."""

    turns: tuple[Turn, ...] = ()

    def before(self, cell: str | None) -> Conversation:
        """Return the turns that a question of `cell` is asked after.

        A cell that has no turn yet asks after all of them; one that has asks again
        from its own place.
        """
        place = self._place(cell)
        return self if place is None else replace(self, turns=self.turns[:place])

    def with_turn(self, turn: Turn) -> Conversation:
        """Return a conversation in which `turn` took its cell's place, or was added."""
        place = self._place(turn.cell)
        if place is None:
            return replace(self, turns=(*self.turns, turn))
        turns = (*self.turns[:place], turn, *self.turns[place + 1 :])
        return replace(self, turns=turns)

    def messages(self) -> tuple[Message, ...]:
        """Return the complete turns as alternating user and assistant messages."""
        return tuple(
            message
            for turn in self.turns
            if turn.status == "complete" and turn.answer
            for message in (user(turn.question), assistant(turn.answer))
        )

    def _place(self, cell: str | None) -> int | None:
        if cell is None:
            return None
        return next((i for i, t in enumerate(self.turns) if t.cell == cell), None)


def parse_messages(items: Iterable[Message | Mapping[str, Any]]) -> tuple[Message, ...]:
    """Check chat messages given by a caller, and return them as values.

    Parameters
    ----------
    items
        Messages, or mappings with ``role`` and ``content``. ``content`` is text or a
        list of OpenAI-style parts of type ``text``, which are joined. The caller's
        objects are not changed.

    Returns
    -------
    tuple of Message
        At least one; the last one is the user's and has more than white space.

    Raises
    ------
    MessagesError
        If the list is empty, a role is unknown, a content is not text, a system
        message comes after the others, or the last message is not a question.
    """
    if isinstance(items, str | bytes | Mapping):
        raise MessagesError(
            "expected a list of messages like "
            f'[{{"role": "user", "content": "Hi"}}], got {type(items).__name__}'
        )
    messages = tuple(_parse_message(i, item) for i, item in enumerate(items))
    if not messages:
        raise MessagesError("expected at least one message, got an empty list")
    roles = [message.role for message in messages]
    if "system" in roles[roles.count("system") :]:
        raise MessagesError(
            "expected system messages before all others, got one after a message "
            "of another role: move it to the beginning"
        )
    last = messages[-1]
    if last.role != "user":
        raise MessagesError(
            f"expected the last message to be the user's question, got one of role "
            f"{last.role!r}: add a user message"
        )
    if not last.content.strip():
        raise MessagesError("expected a question, got an empty message: write one")
    return messages


def _parse_message(index: int, item: Message | Mapping[str, Any]) -> Message:
    if isinstance(item, Message):
        return item
    if not isinstance(item, Mapping):
        raise MessagesError(
            f"message {index}: expected a mapping with 'role' and 'content', "
            f"got {type(item).__name__}"
        )
    role = item.get("role")
    if role not in get_args(Role):
        raise MessagesError(
            f"message {index}: expected role {', '.join(get_args(Role))}, got {role!r}"
        )
    return Message(cast(Role, role), _parse_content(index, item.get("content")))


def _parse_content(index: int, content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list | tuple):
        return "".join(_parse_part(index, part) for part in content)
    raise MessagesError(
        f"message {index}: expected text as content, got {type(content).__name__}"
    )


def _parse_part(index: int, part: object) -> str:
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return cast(str, part["text"])
    kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
    raise MessagesError(
        f"message {index}: expected parts of type 'text', got {kind!r}: "
        "this server takes text only"
    )
