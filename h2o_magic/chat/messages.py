"""Chat messages, as they are sent to a server: frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from h2o_magic.chat.images import Image
from h2o_magic.errors import MessagesError

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; its images follow its text, and each has its `data`."""

    role: Role
    content: str
    images: tuple[Image, ...] = ()


def system(content: str) -> Message:
    """Make a message with instructions for the model."""
    return Message("system", content)


def user(content: str, images: tuple[Image, ...] = ()) -> Message:
    """Make a message of the user."""
    return Message("user", content, images)


def assistant(content: str) -> Message:
    """Make a message of the model."""
    return Message("assistant", content)


def parse_messages(items: Iterable[Message | Mapping[str, Any]]) -> tuple[Message, ...]:
    """Check messages given by a caller, and return them; the last one is a question.

    Parameters
    ----------
    items
        Messages, or mappings with ``role`` and ``content``. ``content`` is text or a
        list of OpenAI-style parts of type ``text``, which are joined.

    Raises
    ------
    MessagesError
        If the list is empty, a role is unknown, a content is not text, a system
        message follows another one, or the last message is not the user's, or blank.
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
