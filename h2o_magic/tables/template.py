"""A prompt with the columns of a table in braces: ``Rate this review: {text}``.

A column counts wherever its name stands in braces, also in code, and before a variable
of the notebook: ``{text}``, ``{meta['lang']}``, ``{price:.2f}``. The notebook's values
are written once, when the question is prepared: until then a mark stands for a column.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.prompts.expand import follow
from h2o_magic.prompts.fields import Field, Step, fields

#: Characters of the private use area, which stand around the number of a place.
_MARK = "\ue0f1{}\ue0f2"
_MARKS = re.compile("\ue0f1(\\d+)\ue0f2")
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A place for a value of a row: the column's number, and what is meant of it."""

    column: int
    text: str
    path: tuple[Step, ...] = ()
    format: str = ""

    def value(self, row: Sequence[object]) -> str:
        """Return what stands here in a row; a ConfigurationError says what it lacks."""
        value = row[self.column]
        if self.path and not is_missing(value):
            value = follow(value, Field(0, 0, self.text, "", self.path, ""))
        if self.format and not is_missing(value):
            try:
                return format(value, self.format)
            except (TypeError, ValueError) as error:
                raise ConfigurationError(f"`{self.text}`: {error}") from error
        return as_text(value)


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt whose places are filled for each row.

    `text` is what was typed; `marked` has a mark in place of each column. `columns` are
    the names of the columns that it uses, in order.
    """

    text: str
    marked: str
    columns: tuple[str, ...]
    places: tuple[Place, ...]

    @classmethod
    def of(cls, text: str, names: Sequence[str]) -> Template:
        """Return the template of a text for a table with these columns.

        A ConfigurationError if it is empty, or has no column in it.
        """
        text = text.strip()
        if not text:
            raise ConfigurationError(
                "expected a prompt with a column in braces, such as "
                f"`Rate this review: {{{next(iter(names), 'text')}}}`, got an empty one"
            )
        columns: dict[str, int] = {}
        places: list[Place] = []

        def mark(found: re.Match[str]) -> str:
            name, rest, spec = found["name"], found["path"], found["format"] or ""
            path = _path(rest)
            if rest and not path:
                return found[0]
            column = columns.setdefault(name, len(columns))
            places.append(Place(column, found[0], path, spec[1:]))
            return _MARK.format(len(places) - 1)

        marked = _places_of(names).sub(mark, text)
        if not places:
            raise ConfigurationError(_without_column(text, names))
        return cls(text, marked, tuple(columns), tuple(places))

    def parts(self, content: str) -> tuple[str | Place, ...]:
        """Return a prepared prompt as fixed text and places, in turn.

        A ConfigurationError if it is not this template's: a mark got lost.
        """
        pieces = _MARKS.split(content)
        numbers = [int(number) for number in pieces[1::2]]
        if numbers != list(range(len(self.places))):
            raise ConfigurationError(
                "a value in the prompt holds characters that stand for columns: "
                "remove U+E0F1 and U+E0F2 from it"
            )
        return tuple(
            self.places[int(piece)] if number % 2 else piece
            for number, piece in enumerate(pieces)
        )


def filled(parts: Sequence[str | Place], row: Sequence[object]) -> str:
    """Return the prompt of a row, whose values are in the order of `columns`."""
    return "".join(part if isinstance(part, str) else part.value(row) for part in parts)


def as_text(value: object) -> str:
    """Return a cell as text: nothing for a missing one, JSON for lists and objects."""
    if isinstance(value, str):
        return value
    if is_missing(value):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def is_missing(value: object) -> bool:
    """Return whether a cell has no value: None, NaN, pandas' NA and NaT."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in ("NAType", "NaTType")


def _places_of(names: Sequence[str]) -> re.Pattern[str]:
    longest = sorted(map(re.escape, filter(None, names)), key=len, reverse=True)
    name = "|".join(longest) or r"(?!)"
    return re.compile(
        rf"\{{(?P<name>{name})(?P<path>(?:\.|\[)[^{{}}\r\n:!]*)?"
        r"(?P<format>:[^{}\r\n]+)?\}"
    )


def _path(source: str | None) -> tuple[Step, ...]:
    """Return the steps of ``.title`` or ``['lang']``; none if it is something else."""
    found = next(iter(fields(f"{{x{source}}}")), None) if source else None
    return found.path if isinstance(found, Field) else ()


def _without_column(text: str, names: Sequence[str]) -> str:
    used = [field.name for field in fields(text) if isinstance(field, Field)]
    some: Callable[[str], Any] = lambda name: did_you_mean(  # noqa: E731
        name, names, most=_MOST_NAMED
    )
    if used:
        return f"`{{{used[0]}}}` is no column of the table: {some(used[0])}"
    example = next(iter(names), "text")
    return (
        "expected a prompt with a column in braces, got one that is the same for all "
        f"rows: write `{{{example}}}` where its text belongs ({some('')})"
    )
