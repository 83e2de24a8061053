"""The reasoning that some models write in tags before the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from h2o_magic.chat.events import Event, Finished, ReasoningDelta, Replaced, TextDelta

_OPENERS = ("<think>", "<thinking>", "<thought>")  # the last one is Gemini's
_CLOSER = re.compile(r"</(?:think(?:ing)?|thought)>")
_LONGEST = len("</thinking>")


class ThinkSplitter:
    """Splits a stream of text into reasoning and answer, however it is cut.

    Only a tag at the very beginning opens reasoning: an answer may mention the tag.
    """

    def __init__(self) -> None:
        self._state: Literal["begin", "reasoning", "after", "text"] = "begin"
        self._held = ""

    def feed(self, text: str, *, end: bool = False) -> tuple[str, str]:
        """Take more text, and return the new reasoning and answer.

        The beginning of a possible tag is held back until the `end`.
        """
        held, reasoning, answer = self._held + text, "", ""
        if self._state == "begin":
            start = held.lstrip()
            opener = next((o for o in _OPENERS if start.startswith(o)), "")
            if opener:
                self._state, held = "reasoning", start[len(opener) :]
            elif end or (start and not any(o.startswith(start) for o in _OPENERS)):
                self._state = "text"
        if self._state == "reasoning":
            found = _CLOSER.search(held)
            if found is not None:
                reasoning, held = held[: found.start()], held[found.end() :]
                self._state = "after"
            else:
                tag = held.rfind("<", max(len(held) - _LONGEST, 0))
                sure = len(held) if end or tag < 0 else tag
                reasoning, held = held[:sure], held[sure:]
        if self._state == "after":
            held = held.lstrip()
            self._state = "text" if held else "after"
        if self._state == "text":
            answer, held = held, ""
        self._held = held
        return reasoning, answer


def split_reasoning(events: Iterator[Event]) -> Iterator[Event]:
    """Yield an answer's events, with the reasoning as separate events."""
    splitter = ThinkSplitter()
    for event in events:
        match event:
            case TextDelta(text):
                yield from _deltas(*splitter.feed(text))
            case Replaced(text):
                splitter = ThinkSplitter()
                yield Replaced("")
                yield from _deltas(*splitter.feed(text))
            case Finished(text, reason):
                yield from _deltas(*splitter.feed("", end=True))
                _, answer = ThinkSplitter().feed(text, end=True)
                yield Finished(answer, reason)
            case _:
                yield event


def _deltas(reasoning: str, text: str) -> Iterator[Event]:
    if reasoning:
        yield ReasoningDelta(reasoning)
    if text:
        yield TextDelta(text)
