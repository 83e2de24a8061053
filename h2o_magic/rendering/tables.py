"""Small tables in two forms: Markdown for a notebook, aligned text for a terminal.

A cell holds Markdown of this package, or text of a user or a model (`Verbatim`), which
both forms show as it stands.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence

#: ASCII punctuation that no Markdown, HTML or formula acts on.
_HARMLESS = set(",;?'\"%/-")

# JupyterLab looks for formulas twice: in the Markdown, and in the text of the page that
# came of it. The second search goes through one text node at a time, so an element of
# its own around its marks ends it.
_FORMULA = set("$\\")

#: Control characters, but for line ends and tabs, and halves of characters.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

#: What turns the direction of the text that follows, also beyond its own end.
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

#: Columns of a terminal that a cell takes at most before it may stand out of a table.
_ORDINARY = 60


def _shown(mark: str) -> str:
    entity = f"&#{ord(mark)};"
    return f"<span>{entity}</span>" if mark in _FORMULA else entity


_ACTIVE = str.maketrans(
    {mark: _shown(mark) for mark in string.punctuation if mark not in _HARMLESS}
)


class Verbatim(str):
    """Text of a user or a model in a table's cell: shown as it stands."""

    __slots__ = ()


def literal(text: str) -> str:
    """Return Markdown that shows `text` as it stands, on one line.

    Nothing in it acts: no mark-up, HTML, link or formula. Line ends become blanks, and
    characters that cannot be seen are left out.
    """
    shown = one_line(text).translate(_ACTIVE)
    # At a line's beginning it would begin a list.
    return f"&#45;{shown[1:]}" if shown.startswith("-") else shown


def one_line(text: str) -> str:
    """Return `text` with each run of white space as one blank, and no control marks."""
    return _TURNING.sub("", _UNSEEN.sub("", " ".join(text.split())))


def printable(text: str) -> str:
    """Return `text` without control characters that could steer a terminal.

    Line ends and tabs stay.
    """
    return _UNSEEN.sub("", text)


def as_markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; pipes and line ends in the cells are made harmless."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def as_text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the table as columns of plain text, without Markdown marks.

    A long cell with nothing after it does not widen its column.
    """
    plain = [[_plain(cell) for cell in row] for row in [head, *rows]]
    widths = [max(column) for column in zip(*map(_claims, plain), strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _width(cell))
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


def _claims(row: Sequence[str]) -> list[int]:
    """Return how wide the columns must be for a row."""
    return [
        width if width <= _ORDINARY or any(row[place + 1 :]) else 0
        for place, width in enumerate(map(_width, row))
    ]


def _width(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    return sum(map(_columns, text))


def _columns(mark: str) -> int:
    if unicodedata.category(mark) in ("Mn", "Me", "Cf"):  # drawn over another, or not
        return 0
    return 2 if unicodedata.east_asian_width(mark) in ("W", "F") else 1
