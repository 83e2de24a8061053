"""Sessions and their conversations, in memory and bounded."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from h2o_magic.messages import Message, assistant, user
from h2o_magic.server.stopping import Stopping

__all__ = ["Conversation", "Conversations", "Sessions"]

_MOST_CONVERSATIONS = 1000
_MOST_SESSIONS = 1000


@dataclass(frozen=True, slots=True)
class _Stored:
    """A message under its id."""

    id: str
    message: Message


@dataclass(eq=False)
class Conversation:
    """One chat: what was said, and the answers being written for it.

    Attributes
    ----------
    id : str
        24 hexadecimal digits.
    session : str
        The session that it belongs to.
    model : str
        The model's name, as it was asked for.
    system : str
        System text; may be empty.
    turn : asyncio.Lock
        Held while an answer is written: one at a time, in order of arrival.
    stopping : Stopping
        Ends the answer being written, and those waiting for their turn.
    """

    id: str
    session: str
    model: str
    system: str = ""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    stopping: Stopping = field(default_factory=Stopping)
    _messages: list[_Stored] = field(default_factory=list)

    def fill(self, messages: Sequence[Message]) -> None:
        """Take over a history that was made elsewhere."""
        self._messages = [_Stored(str(uuid4()), message) for message in messages]

    def history(self, retried: str | None = None) -> tuple[Message, ...]:
        """Return what was said, up to but without the message of id `retried`.

        An unknown id means all of it.
        """
        return tuple(stored.message for stored in self._messages[: self._cut(retried)])

    def store(
        self,
        question: str,
        answer: str,
        *,
        question_id: str | None = None,
        answer_id: str | None = None,
        retried: str | None = None,
    ) -> None:
        """Keep a finished turn, in place of `retried` and all that came after it."""
        self._messages[self._cut(retried) :] = [
            _Stored(question_id or str(uuid4()), user(question)),
            _Stored(answer_id or str(uuid4()), assistant(answer)),
        ]

    def _cut(self, retried: str | None) -> int:
        places = (i for i, stored in enumerate(self._messages) if stored.id == retried)
        return next(places, len(self._messages))


class Conversations:
    """The conversations of all sessions; past a thousand, old ones are forgotten."""

    def __init__(self, most: int = _MOST_CONVERSATIONS) -> None:
        self._most = most
        self._by_id: OrderedDict[str, Conversation] = OrderedDict()

    def create(self, session: str, model: str) -> Conversation:
        """Begin a conversation."""
        conversation = Conversation(secrets.token_hex(12), session, model)
        self._by_id[conversation.id] = conversation
        while len(self._by_id) > self._most:
            self._by_id.popitem(last=False)
        return conversation

    def find(self, session: str, conversation_id: str) -> Conversation | None:
        """Return a session's own conversation, or None; its age counts from now."""
        found = self._by_id.get(conversation_id)
        if found is None or found.session != session:
            return None
        self._by_id.move_to_end(conversation_id)
        return found

    def delete(self, conversation: Conversation) -> None:
        """Stop and forget a conversation."""
        conversation.stopping.stop()
        self._by_id.pop(conversation.id, None)

    def stop_all(self) -> None:
        """Stop every answer being written."""
        for conversation in self._by_id.values():
            conversation.stopping.stop()


class Sessions:
    """The sessions that accepted the terms; past a thousand, old ones are forgotten."""

    def __init__(self, most: int = _MOST_SESSIONS) -> None:
        self._most = most
        self._accepted: OrderedDict[str, None] = OrderedDict()

    def accept(self, session: str) -> None:
        """Remember that a session accepted the terms."""
        self._accepted[session] = None
        while len(self._accepted) > self._most:
            self._accepted.popitem(last=False)

    def has_accepted(self, session: str) -> bool:
        """Whether a session accepted the terms; its age counts from now."""
        if session not in self._accepted:
            return False
        self._accepted.move_to_end(session)
        return True
