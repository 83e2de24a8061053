"""A prompt with the columns of a table in braces: ``Rate this review: {text}``.

A column counts wherever its name stands in braces, also in code, and before a variable
of the notebook: ``{text}``, ``{meta['lang']}``, ``{price:.2f}``. The notebook's values
are written once, when the question is prepared: until then a mark stands for a column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.prompts.expand import follow
from h2o_magic.prompts.fields import (
    Attribute,
    Expression,
    Field,
    Index,
    Step,
    fields,
    value_in,
)
from h2o_magic.tables.cells import Unreadable, as_text, is_missing

#: Characters of the private use area, which stand around the number of a place.
_MARK = "\ue0f1{}\ue0f2"
_MARKS = re.compile("\ue0f1(\\d+)\ue0f2")
#: What may follow a name in braces; text in quotes may hold others.
_REST = r"""(?:[^{}'"\r\n]|'[^'\r\n]*'|"[^"\r\n]*")*"""
_MOST_NAMED = 8
#: What to do where braces are meant as such.
_AS_IT_IS = "(`--raw` leaves it as it is)"
#: Characters behind a column that may as well stand there.
_SHORT = 200


@dataclass(frozen=True, slots=True)
class Place:
    """A place for a value of a row: the column's number, and what is meant of it."""

    column: int
    text: str
    path: tuple[Step, ...] = ()
    format: str = ""  # with what is before it: ``!r``, ``:.2f``

    def value(self, row: Sequence[object]) -> str:
        """Return what stands here in a row; a ConfigurationError says what it lacks."""
        value = row[self.column]
        if isinstance(value, str) and not (self.path or self.format):
            return value
        if isinstance(value, Unreadable):
            raise ConfigurationError(value.reason)
        if self.path and not is_missing(value):
            value = self._entry(value)
        if is_missing(value):
            return ""
        try:
            if self.format:
                return f"{{0{self.format}}}".format(value)
            return as_text(value)
        except Exception as error:  # a value's own text may raise anything
            raise ConfigurationError(f"`{self.text}`: {error}") from error

    def _entry(self, value: object) -> object:
        """Return what the path leads to.

        An entry of a dict is also written as an attribute, and files have JSON as text.
        """
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            with suppress(ValueError):
                value = json.loads(value)
        for step in self.path:
            if isinstance(value, Mapping) and isinstance(step, Attribute):
                path: tuple[Step, ...] = (Index(step.name),)
            else:
                path = (step,)
            value = follow(value, Field(0, 0, self.text, "", path, ""))
        return value


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
            meant = _meant(found["rest"])
            if meant is None:
                return found[0]
            column = columns.setdefault(found["name"], len(columns))
            places.append(Place(column, found[0], *meant))
            return _MARK.format(len(places) - 1)

        marked = _places_of(names).sub(mark, text)
        if not places:
            raise ConfigurationError(_without_column(text, names))
        for name in columns:
            if (same := list(names).count(name)) > 1:
                raise ConfigurationError(
                    f"{same} columns are called `{name}`: rename all but one"
                )
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

    def refuse_slips(self, parts: Sequence[str | Place], names: Sequence[str]) -> None:
        """Refuse a name that stayed in braces, and an expression with a column in it.

        Neither is found in code or JSON, which stay as they are.
        """
        fixed = "".join(part for part in parts if isinstance(part, str))
        for place in fields(self.marked):
            if place.text not in fixed:
                continue
            if isinstance(place, Expression):
                used = [name for name in place.names if name in names]
                if used:
                    raise ConfigurationError(
                        f"`{place.text}`: expressions with a column are not evaluated: "
                        f"write `{{{used[0]}}}`, or add a column with this value "
                        f"{_AS_IT_IS}"
                    )
            elif place.name not in names and not place.spec:
                some = did_you_mean(place.name, names, most=_MOST_NAMED)
                raise ConfigurationError(
                    f"`{place.text}` is neither a column nor a variable: {some} "
                    f"{_AS_IT_IS}"
                )


def filled(parts: Sequence[str | Place], row: Sequence[object]) -> str:
    """Return the prompt of a row, whose values are in the order of `columns`.

    A ConfigurationError if none of them says anything.
    """
    texts: list[str] = []
    is_blank = True
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        else:
            texts.append(part.value(row))
            is_blank = is_blank and not texts[-1].strip()
    if is_blank:
        places = [part.text[1:-1] for part in parts if isinstance(part, Place)]
        names = " and ".join(dict.fromkeys(places))
        verb = "is" if len(set(places)) == 1 else "are"
        raise ConfigurationError(f"nothing to ask: {names} {verb} empty")
    return "".join(texts)


def advice(template: Template) -> str:
    """Return what would make a prompt faster; empty if nothing would."""
    before, *others = _MARKS.split(template.marked)
    behind = sum(map(len, others[1::2]))
    if behind <= max(_SHORT, len(before)):
        return ""
    return (
        f"put `{template.places[0].text}` at the end: servers read what all rows share "
        "only once"
    )


def _places_of(names: Sequence[str]) -> re.Pattern[str]:
    longest = sorted(map(re.escape, filter(None, names)), key=len, reverse=True)
    name = "|".join(longest) or r"(?!)"
    return re.compile(rf"\{{(?P<name>{name})(?P<rest>{_REST})\}}")


def _meant(rest: str) -> tuple[tuple[Step, ...], str] | None:
    """Return the path and the format behind a name; None if they are something else.

    A size is none, but is found in code: ``{id:1}``.
    """
    found, form = value_in(f"{{x{rest}}}"), ""
    if found is not None and not isinstance(found, Field):
        form = found.format
        found = value_in(f"{{{found.source}}}") if form.strip(":0123456789") else None
    if not isinstance(found, Field) or found.name != "x" or found.spec:
        return None
    return found.path, form


def _without_column(text: str, names: Sequence[str]) -> str:
    used = [field.name for field in fields(text) if isinstance(field, Field)]
    name = used[0] if used else ""
    some = did_you_mean(name, names, most=_MOST_NAMED)
    if used:
        return f"`{{{name}}}` is no column of the table: {some}"
    return (
        "expected a prompt with a column in braces, got one that is the same for all "
        f"rows: write `{{{next(iter(names), 'text')}}}` where its text belongs ({some})"
    )
