"""How much of an answer the messages on IOPub have shown, and when.

While it grows, an answer stands in several outputs, each of which goes on where the one
before it ends. Lines are compared by their letters and digits only, since the Markdown
around them may be closed and opened again: so a line may also come twice, with the
language of a code block or the head of a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.apparatus.kernel import IOPubMessage

__all__ = [
    "Shown",
    "letters_of",
    "longest_pause",
    "seen_apart",
    "shown_of",
    "taken_away",
]

#: What comes within a frame of a page, in seconds, is seen at once.
_FRAME = 1 / 60
_OTHERS = re.compile(r"[^A-Za-z0-9]+")
#: Signs of life and footers, which are no part of the answer.
_ASIDE = re.compile(r"<sub>.*?</sub>", re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """A message that showed more of an answer.

    Attributes
    ----------
    time : float
        When it came, by ``time.time()``.
    letters : int
        How many letters and digits of the answer have been shown by then, from its
        beginning and without a gap.
    """

    time: float
    letters: int


def letters_of(markdown: str) -> str:
    """Return a text's letters and digits of English."""
    return _OTHERS.sub("", markdown)


def shown_of(said: str, messages: Sequence[IOPubMessage]) -> list[Shown]:
    """Return the messages that showed more of an answer than all before them.

    Parameters
    ----------
    said
        The answer as the server said it.
    messages
        All of a cell that shows nothing else, in order.

    Raises
    ------
    RuntimeError
        If not all of it was shown in the end.
    """
    wanted = letters_of(said)
    grown: list[Shown] = []
    for when, lines in _standing(messages):
        letters = _in_order(wanted, lines)
        if letters > (grown[-1].letters if grown else 0):
            grown.append(Shown(when, letters))
    shown = grown[-1].letters if grown else 0
    if shown < len(wanted):
        raise RuntimeError(f"{shown} of {len(wanted)} letters and digits were shown")
    return grown


def taken_away(said: str, messages: Sequence[IOPubMessage]) -> list[int]:
    """Return how many letters are missing after each message that takes some away.

    So it is where fewer stand in all outputs than had been shown of the answer before.
    What goes from one output to another stands in both for the time between the two
    messages, and so takes nothing away.

    Parameters
    ----------
    said, messages
        As of :func:`shown_of`.
    """
    wanted = letters_of(said)
    shown = 0
    missing = []
    for _, lines in _standing(messages):
        standing = sum(map(len, lines))
        if standing < shown:
            missing.append(shown - standing)
        shown = max(shown, _in_order(wanted, lines))
    return missing


def seen_apart(grown: Sequence[Shown]) -> list[Shown]:
    """Return those that a page shows one after the other: one in each frame."""
    apart: list[Shown] = []
    for one in grown:
        if apart and one.time - apart[-1].time < _FRAME:
            continue
        apart.append(one)
    return apart


def longest_pause(grown: Sequence[Shown]) -> float:
    """Return the most seconds from one of them to the next."""
    return max((b.time - a.time for a, b in pairwise(grown)), default=0.0)


def _in_order(wanted: str, lines: Sequence[str]) -> int:
    """Return how many of the wanted letters the lines show, without a gap."""
    letters = 0
    for line in lines:
        if wanted.startswith(line, letters):
            letters += len(line)
    return letters


def _standing(
    messages: Sequence[IOPubMessage],
) -> Iterator[tuple[float, list[str]]]:
    """Yield when the cell's outputs changed, and what stands in their lines then."""
    outputs: dict[str, list[str]] = {}
    clearing = False
    for number, message in enumerate(messages):
        if message.kind == "clear_output":
            clearing = True
        elif message.shows:
            if clearing:
                outputs.clear()
                clearing = False
            name = message.content.get("transient", {}).get("display_id")
            text = _ASIDE.sub("", message.markdown)
            lines = [letters_of(line) for line in text.splitlines()]
            outputs[name or f"output {number}"] = lines
            yield message.time, [line for lines in outputs.values() for line in lines]
