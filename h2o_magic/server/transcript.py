"""Turns the engine's chunks into the old engine's token events. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from h2o_magic.server.engine_stream import Chunk
from h2o_magic.server.tgi import TokenEvent
from h2o_magic.weights.gguf import Header

FinishReason: TypeAlias = Literal["eos_token", "length", "stop_sequence"]


@dataclass(frozen=True, slots=True)
class _Cut:
    end: int
    reason: FinishReason


class Transcript:
    """An answer of at most `length` tokens while it is written.

    `reason` is why it ended, None while it goes on. `stop` texts end it and stay, as in
    the old engine; `turn_markers`, which begin another turn, are cut off.
    """

    def __init__(
        self,
        header: Header,
        length: int,
        *,
        stop: Iterable[str] = (),
        turn_markers: Iterable[str] = (),
    ) -> None:
        self.text = ""
        self.count = 0
        self.seconds = 0.0
        self.reason: FinishReason | None = None
        self._header = header
        self._length = length
        self._stop = tuple(stop)
        self._turn_markers = tuple(turn_markers)
        self._held: TokenEvent | None = None

    @property
    def answer(self) -> str:
        """The text to remember: without the stop text and trailing blanks."""
        text = self.text
        for stop in self._stop if self.reason == "stop_sequence" else ():
            if text.endswith(stop):
                return text.removesuffix(stop).rstrip()
        return text.rstrip()

    def add(self, chunk: Chunk) -> list[TokenEvent]:
        """Return the events that are due after `chunk`: the last once `reason` is set.

        A token that may be the last one is held back, since the last event has both its
        token and the whole answer.
        """
        self.count = chunk.count
        self.seconds = chunk.seconds
        if chunk.finish:
            self.reason = "length" if chunk.finish == "length" else "eos_token"
            nothing = TokenEvent(self._header.end_id, chunk.text, None, special=False)
            self.text += chunk.text
            return [self._held or nothing]
        due = [self._held] if self._held else []
        self._held = None
        event = self._event(chunk)
        may_be_last = event.special or chunk.count >= self._length
        if may_be_last and self.reason is None:
            self._held = event
            return due
        return [*due, event]

    def _event(self, chunk: Chunk) -> TokenEvent:
        special = chunk.token_id in self._header.control_ids and not chunk.text
        text = self._header.tokens[chunk.token_id] if special else chunk.text
        event = TokenEvent(
            chunk.token_id, text, chunk.logprob, special, more=chunk.more
        )
        if special:
            if text in self._turn_markers:
                self.reason = "eos_token"
            return event
        before = len(self.text)
        self.text += chunk.text
        cut = self._find_cut(before)
        if cut is None:
            return event
        self.text, self.reason = self.text[: cut.end], cut.reason
        return replace(event, text=self.text[before:])

    def _find_cut(self, before: int) -> _Cut | None:
        cuts = [
            _Cut(place + len(stop), "stop_sequence")
            for stop in self._stop
            if (place := self.text.find(stop, max(0, before - len(stop) + 1))) >= 0
        ]
        cuts += [
            _Cut(place, "eos_token")
            for marker in self._turn_markers
            if (place := self.text.find(marker, max(0, before - len(marker) + 1))) >= 0
        ]
        return min(cuts, key=lambda cut: cut.end, default=None)


class HeldText:
    """Passes a growing text on, except an end that may begin one of the `marks`."""

    def __init__(self, marks: Iterable[str]) -> None:
        self._marks = tuple(mark for mark in marks if mark)
        self._longest = max(map(len, self._marks), default=0)
        self._first = {mark[0] for mark in self._marks}
        self._held = ""
        self.passed = 0

    def add(self, piece: str) -> str:
        """Return the text that can be passed on after `piece`.

        >>> held = HeldText(["END"])
        >>> held.add("an E"), held.add("N"), held.add("T")
        ('an ', '', 'ENT')
        """
        text = self._held + piece
        sure = len(text) - self._uncertain(text)
        self._held = text[sure:]
        self.passed += sure
        return text[:sure]

    def rest(self, whole: str) -> str:
        return whole[self.passed :]

    def _uncertain(self, text: str) -> int:
        """Return the length of the longest end of `text` that begins a mark."""
        if self._first.isdisjoint(text[-self._longest :]):
            return 0
        for length in range(min(self._longest, len(text)), 0, -1):
            end = text[-length:]
            if any(mark.startswith(end) for mark in self._marks):
                return length
        return 0
