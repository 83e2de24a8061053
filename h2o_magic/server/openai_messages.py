"""The ``messages`` of a chat completion: checked, and as a dialogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from h2o_magic.errors import MessagesError
from h2o_magic.server.counting import parse_dialogue
from h2o_magic.server.openai_errors import OpenAIError
from h2o_magic.server.prompts import Dialogue

__all__ = ["dialogue_of"]

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_KNOWN = ("role", "content", "name")


def dialogue_of(items: object) -> Dialogue:
    """Return the dialogue of ``messages``; the last one must be the user's question.

    ``developer`` is the newer word for ``system``; both come before the others. The
    content is text, or a list of parts of type ``text``, which are joined. A ``name``
    has no effect, since no template here has a place for it.

    Raises
    ------
    OpenAIError
        If it is no such list; the message says where.
    """
    if not isinstance(items, list):
        raise _error("a list of messages", items, "messages")
    messages = [_message(f"messages[{i}]", item) for i, item in enumerate(items)]
    try:
        return parse_dialogue(messages)
    except MessagesError as error:
        raise OpenAIError(str(error), param="messages") from error


def _message(place: str, item: object) -> dict[str, str]:
    if not isinstance(item, Mapping):
        raise _error('an object like {"role": "user", "content": "Hi"}', item, place)
    role = item.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise _error(f"one of {', '.join(_ROLES)}", role, f"{place}.role")
    for key, value in item.items():
        # What stands in an answer of the API may be sent back as it came: empty.
        if key not in _KNOWN and value not in (None, [], {}, ""):
            raise OpenAIError(
                f"{place}.{key} would change the answer and is not supported: "
                "leave it out",
                param=f"{place}.{key}",
            )
    if not isinstance(item.get("name"), str | None):
        raise _error("text", item["name"], f"{place}.name")
    return {"role": _ROLES[role], "content": _content(place, item.get("content"))}


def _content(place: str, content: object) -> str:
    place += ".content"
    if isinstance(content, list):
        parts = [_part(f"{place}[{i}]", part) for i, part in enumerate(content)]
        return "".join(parts)
    return _text(place, content)


def _part(place: str, part: object) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else part
    if not isinstance(part, Mapping) or kind != "text":
        raise _error(
            "a part of type 'text', since the models here read only text", kind, place
        )
    return _text(f"{place}.text", part.get("text"))


def _text(place: str, text: object) -> str:
    if not isinstance(text, str):
        raise _error("text", text, place)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise OpenAIError(
            f"expected {place} to be Unicode text, got half a surrogate pair",
            param=place,
        ) from error
    return text


def _error(expected: str, got: Any, place: str) -> OpenAIError:
    # A content is never repeated: errors may end up in somebody's log.
    shown = repr(got[:40]) if isinstance(got, str) else type(got).__name__
    return OpenAIError(f"expected {place} to be {expected}, got {shown}", param=place)
