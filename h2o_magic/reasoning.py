"""A model's reasoning, which some write in tags before the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from h2o_magic.events import Event, Finished, ReasoningDelta, Replaced, TextDelta

#: What a piece of text belongs to, and the piece.
Part: TypeAlias = tuple[Literal["text", "reasoning"], str]

_OPENERS = ("<think>", "<thinking>")
_CLOSER = re.compile(r"</think(?:ing)?>")
_LONGEST = len("</thinking>")


class ThinkSplitter:
    """Splits an answer that comes in pieces into reasoning and text.

    Only a tag at the very beginning opens reasoning: a text may well speak of the tag.
    However the stream is cut, the parts are the same when joined.
    """

    def __init__(self) -> None:
        self._state: Literal["begin", "reasoning", "after", "text"] = "begin"
        self._held = ""

    def feed(self, text: str) -> list[Part]:
        """Take more text, and return what is known of it now."""
        self._held += text
        parts: list[Part] = []
        while (part := self._next()) is not None:
            parts.append(part)
        return [part for part in parts if part[1]]

    def end(self) -> list[Part]:
        """Return what was held back: the answer has ended."""
        held, self._held = self._held, ""
        kind: Literal["text", "reasoning"]
        kind = "reasoning" if self._state == "reasoning" else "text"
        if self._state == "after":
            held = held.lstrip()
        return [(kind, held)] if held else []

    def _next(self) -> Part | None:
        """Return the next part that is sure, perhaps an empty one; None if none is."""
        return {
            "begin": self._begin,
            "reasoning": self._reason,
            "after": self._after,
            "text": self._text,
        }[self._state]()

    def _begin(self) -> Part | None:
        start = self._held.lstrip()
        perhaps = not start or any(o.startswith(start) for o in _OPENERS)
        if perhaps and start not in _OPENERS:
            return None
        for opener in _OPENERS:
            if start.startswith(opener):
                self._held = start[len(opener) :]
                self._state = "reasoning"
                return "reasoning", ""
        self._state = "text"
        return "text", ""

    def _reason(self) -> Part | None:
        found = _CLOSER.search(self._held)
        if found is not None:
            part = self._held[: found.start()]
            self._held = self._held[found.end() :]
            self._state = "after"
            return "reasoning", part
        sure = self._held.rfind("<", max(len(self._held) - _LONGEST, 0))
        end = len(self._held) if sure < 0 else sure
        part, self._held = self._held[:end], self._held[end:]
        return ("reasoning", part) if part else None

    def _after(self) -> Part | None:
        self._held = self._held.lstrip()
        if not self._held:
            return None
        self._state = "text"
        return "text", ""

    def _text(self) -> Part | None:
        part, self._held = self._held, ""
        return ("text", part) if part else None


def apart(text: str) -> tuple[str, str]:
    """Return the reasoning and the answer of a whole text."""
    splitter = ThinkSplitter()
    parts = [*splitter.feed(text), *splitter.end()]
    reasoning = "".join(piece for kind, piece in parts if kind == "reasoning")
    return reasoning, "".join(piece for kind, piece in parts if kind == "text")


def thought_apart(events: Iterator[Event]) -> Iterator[Event]:
    """Yield an answer's events, the reasoning in their texts as events of its own."""
    splitter = ThinkSplitter()
    for event in events:
        match event:
            case TextDelta(text):
                yield from map(_delta, splitter.feed(text))
            case Replaced(text):
                splitter = ThinkSplitter()
                yield Replaced("")
                yield from map(_delta, splitter.feed(text))
            case Finished(text, reason):
                yield from map(_delta, splitter.end())
                yield Finished(apart(text)[1], reason)
            case _:
                yield event


def _delta(part: Part) -> Event:
    kind, text = part
    return TextDelta(text) if kind == "text" else ReasoningDelta(text)
