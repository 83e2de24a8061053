"""Small tables in two forms: Markdown for a notebook, aligned text for a terminal.

A cell holds Markdown of this package, or text of a user or a model (`Verbatim`), which
both forms show unchanged.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from h2o_magic.rendering.literal import literal, one_line

#: Columns of a terminal; only the last cell of a row may be wider than its column.
_WIDTH = 60


class Verbatim(str):
    """Text of a user or a model in a cell: shown unchanged."""

    __slots__ = ()


def shorten(text: str, width: int = _WIDTH) -> Verbatim:
    """Return `text` on one line; its beginning and an ellipsis if it is longer."""
    text = text.lstrip()
    beginning = text[: 4 * width]
    line = one_line(beginning)
    if len(line) <= width and len(beginning) == len(text):
        return Verbatim(line)
    return Verbatim(line[: width - 1].rstrip() + "…")


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
