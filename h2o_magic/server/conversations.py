"""The gpt-gm protocol's conversations, in memory and bounded."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from h2o_magic.chat.messages import Message, assistant, user
from h2o_magic.server.line import Stopping

_MAX_CONVERSATIONS = 1000


@dataclass(eq=False)
class Conversation:
    """One chat. `turn` is held while an answer is written; `stopping` ends answers."""

    model: str
    system: str = ""
    brought: tuple[Message, ...] = ()
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    stopping: Stopping = field(default_factory=Stopping)
    _turns: list[tuple[str, str, str]] = field(default_factory=list)

    def history(self, retried: str = "") -> tuple[Message, ...]:
        """Return the messages before the turn of id `retried`, if that is there."""
        kept = self._turns[: self._cut(retried)]
        asked = (
            m for _, question, text in kept for m in (user(question), assistant(text))
        )
        return (*self.brought, *asked)

    def store(self, turn_id: str, question: str, text: str, retried: str = "") -> None:
        """Keep a finished turn in place of `retried` and all later ones."""
        self._turns[self._cut(retried) :] = [(turn_id, question, text)]

    def _cut(self, retried: str) -> int:
        ids = [turn_id for turn_id, _, _ in self._turns]
        return ids.index(retried) if retried and retried in ids else len(ids)


class Conversations:
    """The conversations by id: the `most` that were used last."""

    def __init__(self, most: int = _MAX_CONVERSATIONS) -> None:
        self._most = most
        self._by_id: OrderedDict[str, Conversation] = OrderedDict()

    def add(self, conversation: Conversation) -> None:
        self._by_id[conversation.id] = conversation
        while len(self._by_id) > self._most:
            self._by_id.popitem(last=False)

    def find(self, conversation_id: str) -> Conversation | None:
        found = self._by_id.get(conversation_id)
        if found is not None:
            self._by_id.move_to_end(conversation_id)
        return found

    def delete(self, conversation: Conversation) -> None:
        conversation.stopping.stop()
        self._by_id.pop(conversation.id, None)

    def stop_all(self) -> None:
        for conversation in self._by_id.values():
            conversation.stopping.stop()
