"""Where the cursor stands: on which line of which cell, and after what."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CELL = re.compile(r"%%h2o(?!\S)")
#: ``%h2o``, also behind ``answer =``.
_LINE = re.compile(r"\s*(?:[\w\s,.]+=\s*)?%h2o\s")


@dataclass(frozen=True, slots=True)
class CellLine:
    """The cursor stands on the first line of a ``%%h2o`` cell."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Command:
    """The cursor stands on a ``%h2o`` line."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """The cursor stands in the text of a question.

    Attributes
    ----------
    before, after : str
        The text before the cursor and behind it.
    raw : bool
        True if names in braces stand as they are.
    """

    before: str
    after: str
    raw: bool = False


Place = CellLine | Command | Prompt


def place_of(text: str, line: int, column: int) -> Place | None:
    """Return where the cursor stands; None outside ``h2o`` cells and lines.

    Parameters
    ----------
    text
        The whole cell.
    line, column
        Where the cursor is, counted from 0 in lines and characters.
    """
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
