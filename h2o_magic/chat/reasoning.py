"""The reasoning that some models write in tags before the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from h2o_magic.chat.events import Event, Finished, ReasoningDelta, Replaced, TextDelta

_END = "</think>"
#: What may begin an answer, in lower case, with what closes it.
_TAGS = {
    "<think>": (_END, "</thinking>"),
    "<thinking>": (_END, "</thinking>"),
    "<thought>": ("</thought>",),  # Gemini
    "<reasoning>": ("</reasoning>",),
    "<seed:think>": ("</seed:think>",),
    "[think]": ("[/think]",),  # Magistral
    "◁think▷": ("◁/think▷",),  # Kimi
    "<|start_thinking|>": ("<|end_thinking|>",),  # Command
    "<|begin_of_thought|>": ("<|end_of_thought|>",),
    "<|channel|>analysis<|message|>": (  # gpt-oss
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
}
_OPENER = re.compile("|".join(map(re.escape, _TAGS)), re.IGNORECASE)


class ThinkSplitter:
    """Splits a stream of text into reasoning and answer, however it is cut.

    Only a tag at the very beginning opens reasoning: an answer may mention the tag.
    """

    def __init__(self) -> None:
        self._state: Literal["begin", "reasoning", "after", "text"] = "begin"
        self._held = ""
        self._closers: tuple[str, ...] = ()
        self._space: list[str] = []  # before the first word: it may be long

    def feed(self, text: str, *, end: bool = False) -> tuple[str, str]:
        """Take more text, and return the new reasoning and answer.

        The beginning of a possible tag is held back until the `end`.
        """
        if self._state == "begin" and not (self._held or end or text.strip()):
            self._space.append(text)
            return "", ""
        held, reasoning, answer = "".join([*self._space, self._held, text]), "", ""
        self._space.clear()
        if self._state == "begin":
            start = held.lstrip()
            if opener := _OPENER.match(start):
                self._closers = _TAGS[opener[0].lower()]
                self._state, held = "reasoning", start[opener.end() :]
            elif end or (start and not any(o.startswith(start.lower()) for o in _TAGS)):
                self._state = "text"
        if self._state == "reasoning":
            reasoning, held = self._until_closed(held, end=end)
        if self._state == "after":
            held = held.lstrip()
            self._state = "text" if held else "after"
        if self._state == "text":
            answer, held = held, ""
        self._held = held
        return reasoning, answer

    def begin_answer(self, text: str) -> tuple[str, str]:
        """Take the first text after reasoning that was not opened here."""
        self._state = "after"
        return self.feed(text)

    def _until_closed(self, held: str, *, end: bool) -> tuple[str, str]:
        closer = re.search("|".join(map(re.escape, self._closers)), held, re.IGNORECASE)
        if closer is not None:
            self._state = "after"
            return held[: closer.start()], held[closer.end() :]
        sure = len(held) - (0 if end else _begun(held, self._closers))
        return held[:sure], held[sure:]


class _UnopenedReasoning:
    """Finds the end of reasoning whose beginning was in the model's template."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._tail = ""
        self._possible = True
        self.found = False

    def exclude(self) -> None:
        """Take an end tag for text from now on."""
        self._possible = False

    def feed(self, text: str) -> tuple[str, str] | None:
        """Return the reasoning and the answer so far, once its end has come."""
        if not self._possible:
            return None
        self._text.append(text)
        near = self._tail + text
        self._tail = near[1 - len(_END) :]
        if _END not in near:
            return None
        before, _, answer = "".join(self._text).partition(_END)
        self.exclude()
        self.found = not _mentions_tag(before)
        return (before, answer) if self.found else None


def _mentions_tag(before: str) -> bool:
    """Return whether an end tag after this text is one that the answer is about."""
    line = before.rstrip(" \t")
    alone = not line or line.endswith("\n")
    return "<think" in before or (not alone and before[-1] in " \t\"'`([{>")


def _begun(text: str, tags: tuple[str, ...]) -> int:
    """Return the length of the end of a text that may begin one of the tags."""
    sizes = range(min(len(text), max(map(len, tags)) - 1), 0, -1)
    return next(
        (n for n in sizes if any(t.startswith(text[-n:].lower()) for t in tags)), 0
    )


def split_reasoning(events: Iterator[Event]) -> Iterator[Event]:
    """Yield an answer's events, with the reasoning as separate events."""
    splitter, unopened = ThinkSplitter(), _UnopenedReasoning()
    for event in events:
        match event:
            case TextDelta(text):
                yield from _deltas(splitter, unopened, text)
            case Replaced(text):
                splitter, unopened = ThinkSplitter(), _UnopenedReasoning()
                yield Replaced("")
                yield from _deltas(splitter, unopened, text)
            case Finished(text, reason):
                yield from _deltas(splitter, unopened, "", end=True)
                _, answer = ThinkSplitter().feed(text, end=True)
                if unopened.found:
                    answer = text.partition(_END)[2].lstrip()
                yield Finished(answer, reason)
            case ReasoningDelta():
                unopened.exclude()
                yield event
            case _:
                yield event


def _deltas(
    splitter: ThinkSplitter,
    unopened: _UnopenedReasoning,
    text: str,
    *,
    end: bool = False,
) -> Iterator[Event]:
    reasoning, text = splitter.feed(text, end=end)
    if reasoning:
        unopened.exclude()
    elif text and (found := unopened.feed(text)):
        yield Replaced("")
        reasoning, rest = found
        _, text = splitter.begin_answer(rest)
    if reasoning:
        yield ReasoningDelta(reasoning)
    if text:
        yield TextDelta(text)
