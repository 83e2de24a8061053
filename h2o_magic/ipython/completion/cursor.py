"""Where the cursor stands: in which cell or line, and after which words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_CELL = re.compile(r"%%h2o(?!\S)")
#: ``%h2o``, also behind ``answer =``.
_LINE = re.compile(r"\s*(?:[\w,.][\w\s,.]*=\s*)?%h2o\s")
_WORD = re.compile(r"""(?:[^\s"']|"[^"]*(?:"|$)|'[^']*(?:'|$))+""")
_QUOTED = re.compile(r"""(["'])(.*?)(?:\1|$)""", re.DOTALL)


class CellLine(NamedTuple):
    """The cursor stands on the first line of a ``%%h2o`` cell."""

    before: str
    after: str


class Command(NamedTuple):
    """The cursor stands on a ``%h2o`` line."""

    before: str
    after: str


class Prompt(NamedTuple):
    """The cursor stands in a question; in a `raw` one, braces mean nothing."""

    before: str
    after: str
    raw: bool = False


class Offer(NamedTuple):
    """One completion: its text, and what kind of thing it is, for the front end."""

    text: str
    kind: str


class Typed(NamedTuple):
    """The words of a line before the cursor, and the word at the cursor so far."""

    words: tuple[str, ...]
    fragment: str


Place = CellLine | Command | Prompt


def place_of(text: str, line: int, column: int) -> Place | None:
    """Return the cursor's place, None outside h2o; `line` and `column` from 0."""
    lines = text.split("\n")
    before, after = lines[line][:column], lines[line][column:]
    first = next((n for n, words in enumerate(lines) if words.strip()), line)
    if first <= line and _CELL.match(lines[first]):
        if line > first:
            return Prompt(
                "\n".join([*lines[first + 1 : line], before]),
                "\n".join([after, *lines[line + 1 :]]),
                raw="--raw" in lines[first].split(),
            )
        head = re.match(r"%%h2o\s", before)
        return CellLine(before[head.end() :], after) if head else None
    found = _LINE.match(before)
    return Command(before[found.end() :], after) if found else None


def split(text: str) -> Typed:
    """Return the words of a line that ends at the cursor."""
    found = list(_WORD.finditer(text))
    last = found.pop() if found and found[-1].end() == len(text) else None
    words = tuple(_QUOTED.sub(r"\2", match.group()) for match in found)
    return Typed(words, last.group() if last else "")


def fitting(fragment: str, values: Iterable[Offer], after: str = "") -> list[Offer]:
    """Return the values that begin as the fragment does, quoted where need be.

    The fragment may have an opening quote; one `after` the cursor is not doubled.
    """
    quote = fragment[:1] if fragment[:1] in ("'", '"') else ""
    begun = fragment[len(quote) :].lower()
    return [
        Offer(_quoted(text, quote, after), kind)
        for text, kind in values
        if text.lower().startswith(begun)
    ]


def _quoted(text: str, quote: str, after: str) -> str:
    """Return a value as one word; a folder's is left open, for what is in it."""
    if not quote and not re.search(r"[\s\"']", text):
        return text
    mark = quote or ("'" if '"' in text else '"')
    is_open = text.endswith(("/", "\\")) or (quote and after.startswith(quote))
    return f"{mark}{text}{'' if is_open else mark}"
