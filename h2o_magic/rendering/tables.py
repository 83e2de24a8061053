"""Small tables in two forms: Markdown for a notebook, aligned text for a terminal.

A cell holds Markdown of this package, or text of a user or a model (`Verbatim`), which
both forms show unchanged.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence

#: ASCII punctuation that no Markdown, HTML or formula acts on.
_PASSIVE = set(",;?'\"%/-")

# JupyterLab looks for formulas twice: in the Markdown, and in the text of the page that
# came of it. The second search goes through one text node at a time, so an element of
# its own around its marks ends it.
_FORMULA = set("$\\")

_ENTITIES = str.maketrans(
    {
        mark: f"<span>&#{ord(mark)};</span>" if mark in _FORMULA else f"&#{ord(mark)};"
        for mark in string.punctuation
        if mark not in _PASSIVE
    }
)

#: Control characters, but for line ends and tabs, and halves of characters.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

#: What turns the direction of the text that follows, also beyond its own end.
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

#: Columns of a terminal; only the last cell of a row may be wider than its column.
_WIDTH = 60


class Verbatim(str):
    """Text of a user or a model in a cell: shown unchanged."""

    __slots__ = ()


def literal(text: str) -> str:
    """Return Markdown that shows `text` unchanged on one line.

    Nothing in it acts: no mark-up, HTML, link or formula. Line ends become spaces, and
    invisible characters are left out.
    """
    shown = one_line(text).translate(_ENTITIES)
    # At a line's beginning it would begin a list.
    return f"&#45;{shown[1:]}" if shown.startswith("-") else shown


def one_line(text: str) -> str:
    """Return `text` with one space for white space, without control characters."""
    return _TURNING.sub("", _UNSEEN.sub("", " ".join(text.split())))


def shorten(text: str, width: int = _WIDTH) -> Verbatim:
    """Return `text` on one line; its beginning and an ellipsis if it is longer."""
    text = text.lstrip()
    beginning = text[: 4 * width]
    line = one_line(beginning)
    if len(line) <= width and len(beginning) == len(text):
        return Verbatim(line)
    return Verbatim(line[: width - 1].rstrip() + "…")


def printable(text: str) -> str:
    """Return `text` without control characters that could steer a terminal."""
    return _UNSEEN.sub("", text)


def as_markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; pipes and line ends in the cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def as_text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned plain text; a long cell with nothing after it widens no column."""
    plain = [[_plain(cell) for cell in row] for row in [head, *rows]]
    widths = [max(column) for column in zip(*map(_needed, plain), strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - columns(cell))
            for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in plain
    )


def _cell(text: str) -> str:
    if isinstance(text, Verbatim):
        return literal(text)
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _plain(text: str) -> str:
    return one_line(text if isinstance(text, Verbatim) else text.replace("`", ""))


def _needed(row: Sequence[str]) -> list[int]:
    return [
        width if width <= _WIDTH or any(row[place + 1 :]) else 0
        for place, width in enumerate(map(columns, row))
    ]


def columns(text: str) -> int:
    marks = [mark for mark in text if unicodedata.category(mark) not in _NO_WIDTH]
    return len(marks) + sum(unicodedata.east_asian_width(m) in "WF" for m in marks)


_NO_WIDTH = ("Mn", "Me", "Cf")  # drawn over another character, or not at all
