"""Labels and values of a table as the text of one cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from h2o_magic.prompts.limits import cut_end, float_text
from h2o_magic.prompts.stable import stable

#: Characters of a cell, and of one of the commonest values.
CELL, SHORT = 80, 40

#: Types whose text says more than their repr: of pandas, and of the standard library.
_IN_THEIR_OWN_WORDS = {"Period", "Interval", "Decimal", "UUID"}

CellText = Callable[[object], str]
_NUMBER = re.compile(r"[-+]?[\d.,_]+(?:[eE][-+]?\d+)?")
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d) 00:00:00")


def label(name: object) -> str:
    """Return a label as code would need it: quoted unless it is plain text."""
    if not isinstance(name, str):
        return cut_end(stable(repr(name), name), CELL)
    plain = is_plain(name) and not _NUMBER.fullmatch(name)
    return str(name) if plain else cut_end(repr(name), CELL)


def is_plain(text: str) -> bool:
    """Return whether a text can stand in a sentence or a cell without quotes."""
    return (
        bool(text)
        and text.isprintable()
        and text == text.strip()
        and text[0] not in "'\""
    )


def value_text(value: object, other: CellText) -> str:
    """Return a value's text for a cell; `other` writes what is no text or number."""
    if isinstance(value, str):
        text = value[: CELL + 1]
        return cut_end(text if is_plain(text) else repr(text), CELL)
    if isinstance(value, float):
        return float_text(value, 6)
    if type(value).__name__ in _IN_THEIR_OWN_WORDS:
        return cut_end(str(value), CELL)
    if hasattr(value, "isoformat"):
        return _MIDNIGHT.sub(r"\1", str(value))
    if hasattr(value, "geom_type"):
        return _geometry(value)
    return cut_end(other(value), CELL)


def _geometry(value: object) -> str:
    """Return a geometry in few words: its own text names each of its points."""
    kind = getattr(value, "geom_type", "")
    if kind == "Point":
        return cut_end(str(value), CELL)
    bounds = ", ".join(float_text(each, 6) for each in getattr(value, "bounds", ()))
    return f"{kind} within ({bounds})"


def line(cells: Iterable[str]) -> str:
    """Return cells as a line of Markdown."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def markdown(head: Iterable[str], lines: Iterable[str]) -> list[str]:
    names = list(head)
    if not names:
        return []
    return [line(names), f"|{' --- |' * len(names)}", *lines]
