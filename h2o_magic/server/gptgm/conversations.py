"""The gpt-gm protocol's conversations: in memory, bounded, and ended after minutes."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from h2o_magic.chat.messages import Message, assistant, user
from h2o_magic.server.stopping import Stopping

#: Bytes of all conversations together, and seconds after which an unused one ends.
_MAX_BYTES = 64 * 2**20
_MAX_AGE = 3600.0
#: Bytes that a conversation takes beside its texts.
_OVERHEAD = 2048


@dataclass(eq=False)
class Conversation:
    """One chat. `turn` is held while an answer is written; `stopping` ends answers."""

    model: str
    system: str = ""
    brought: tuple[Message, ...] = ()
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    stopping: Stopping = field(default_factory=Stopping)
    used: float = field(default_factory=time.monotonic)
    _turns: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        brought = (message.content for message in self.brought)
        turns = (text for turn in self._turns for text in turn)
        return _OVERHEAD + sum(map(len, (self.system, *brought, *turns)))

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
    """The conversations by id: those used last, within `most` bytes."""

    def __init__(self, most: int = _MAX_BYTES) -> None:
        self._most = most
        self._by_id: OrderedDict[str, Conversation] = OrderedDict()

    def add(self, conversation: Conversation) -> None:
        self._by_id[conversation.id] = conversation
        self.shrink()

    def shrink(self) -> None:
        """End what is old or too much; the conversation used last stays."""
        sizes = {key: known.size for key, known in self._by_id.items()}
        total, oldest = sum(sizes.values()), time.monotonic() - _MAX_AGE
        while len(self._by_id) > 1:
            key, known = next(iter(self._by_id.items()))
            if total <= self._most and known.used >= oldest:
                return
            total -= sizes[key]
            self.delete(known)

    def find(self, conversation_id: str) -> Conversation | None:
        found = self._by_id.get(conversation_id)
        if found is not None:
            self._by_id.move_to_end(conversation_id)
            found.used = time.monotonic()
        return found

    def delete(self, conversation: Conversation) -> None:
        conversation.stopping.stop()
        self._by_id.pop(conversation.id, None)
