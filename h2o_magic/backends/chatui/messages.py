"""What a chat-ui server says about a conversation: its tree of messages.

Pure. A conversation is a tree since February 2024: each message knows its ancestors,
the root is a system message. It comes as superjson from ``/api/v2`` (since June 2025)
and with a new conversation, and as a plain list, without ancestors, from ``/api``
(tests/recordings/chat-ui, ``api-v2-conversation-two-turns``, ``api-conversation``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from h2o_magic.errors import ProtocolError

__all__ = ["Asked", "Stored", "StoredTree", "answer_id", "created_root", "stored_tree"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it was sent.

    Attributes
    ----------
    parent : str
        Id of the message that it was put under.
    inputs : str
        Its text.
    generation : str
        The UUID sent along; servers since 2026 keep it with the answer.
    """

    parent: str
    inputs: str
    generation: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A message that the server has; its parent and generation where it says them."""

    id: str
    role: str
    content: str
    parent: str | None = None
    generation: str | None = None


@dataclass(frozen=True, slots=True)
class StoredTree:
    """The messages of a conversation, in the order in which they were made."""

    root: str
    messages: tuple[Stored, ...]


def stored_tree(document: object) -> StoredTree:
    """Return the messages in what the server says about a conversation.

    Raises
    ------
    ProtocolError
        If it has none. So it is before February 2024, when there was no tree.
    """
    if isinstance(document, dict) and isinstance(document.get("json"), dict):
        document = document["json"]  # superjson; its "meta" only tells types
    found = document if isinstance(document, dict) else {}
    listed = found.get("messages")
    messages = tuple(
        _stored(entry)
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    )
    root = found.get("rootMessageId")
    if not isinstance(root, str):
        root = next((m.id for m in messages if m.role == "system"), None)
    if root is None:
        raise ProtocolError(
            "expected a conversation with a root message, as chat-ui has since "
            f"February 2024, got {document!r:.200}"
        )
    return StoredTree(root, messages)


def created_root(answer: object) -> str | None:
    """Return the root message's id in the answer to a new conversation, if it is there.

    Servers before June 2025 give the conversation's id alone.
    """
    text = answer.get("conversation") if isinstance(answer, dict) else None
    try:
        return stored_tree(json.loads(text)).root if isinstance(text, str) else None
    except (ValueError, RecursionError, ProtocolError):
        return None


def answer_id(tree: StoredTree, asked: Asked) -> str | None:
    """Return the id of the answer to a question; None if the server has none.

    Where the server keeps the generation, that tells. Elsewhere it is the newest
    answer to a question of that text under that parent.
    """
    messages = tree.messages
    answers = [m for m in messages if m.role == "assistant"]
    for answer in answers:
        if answer.generation == asked.generation:
            return answer.id
    found = None
    for answer in answers:
        question = _question_of(answer, messages)
        if question is not None and answer.generation is None:
            same = _plain(question.content) == _plain(asked.inputs)
            if same and question.parent in (None, asked.parent):
                found = answer.id
    return found


def _question_of(answer: Stored, messages: Sequence[Stored]) -> Stored | None:
    if answer.parent is not None:
        return next((m for m in messages if m.id == answer.parent), None)
    place = messages.index(answer)  # a plain list has the question before its answer
    before = messages[place - 1] if place else None
    return before if before is not None and before.role == "user" else None


def _stored(entry: dict[str, object]) -> Stored:
    ancestors = entry.get("ancestors")
    parents = ancestors if isinstance(ancestors, list) else []
    parent = parents[-1] if parents else None
    return Stored(
        id=str(entry["id"]),
        role=str(entry.get("from")),
        content=str(entry.get("content")),
        parent=parent if isinstance(parent, str) else None,
        generation=_text_or_none(entry.get("generationId")),
    )


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _plain(text: str) -> str:
    """Return a text as the server keeps it: with one kind of line end."""
    return text.replace("\r\n", "\n").strip()
