"""The gpt-gm protocol's conversations: in memory, bounded, and ended after minutes."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from h2o_magic.chat.messages import Message, assistant, user
from h2o_magic.server.stopping import Stopping

#: Bytes of all conversations together, and seconds after which an unused one ends.
_MAX_BYTES = 64 * 2**20
_MAX_AGE = 3600.0
#: Bytes that a conversation takes beside its texts, and each text beside itself.
_OVERHEAD, _OF_TEXT = 2048, 64


@dataclass(eq=False)
class Conversation:
    """One chat. `turn` is held while an answer is written; `stopping` ends answers.

    `size` is about how many bytes it takes, when that was last measured.
    """

    model: str
    system: str = ""
    brought: tuple[Message, ...] = ()
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    stopping: Stopping = field(default_factory=Stopping)
    used: float = field(default_factory=time.monotonic)
    size: int = _OVERHEAD
    _turns: list[tuple[str, str, str]] = field(default_factory=list)

    def measure(self) -> None:
        texts = [self.system, *(message.content for message in self.brought)]
        texts += [text for turn in self._turns for text in turn]
        size = sum(map(sys.getsizeof, texts)) + _OF_TEXT * len(texts)
        self.size = _OVERHEAD + size

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
        self.note_change(conversation)

    def note_change(self, conversation: Conversation) -> None:
        """Measure it; end what is old or too much, but not what was used last."""
        conversation.measure()
        total = sum(known.size for known in self._by_id.values())
        oldest = time.monotonic() - _MAX_AGE
        while len(self._by_id) > 1:
            known = next(iter(self._by_id.values()))
            if total <= self._most and known.used >= oldest:
                return
            total -= known.size
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
