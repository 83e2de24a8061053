"""A table's facts, read from it: what is in its columns, and its first rows."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.limits import CHARACTERS
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.tables.cells import SHORT, CellText, label
from h2o_magic.prompts.tables.columns import summary
from h2o_magic.prompts.tables.facts import ColumnFacts
from h2o_magic.prompts.tables.frames import Field, Frame
from h2o_magic.prompts.tables.sample import Sample

#: Cells in which rows that come twice are looked for.
_COMPARED = 200_000


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a table; `other` writes values that are no text or number."""

    sample: Sample
    other: CellText
    guard: Guard
    named: Container[int] = ()

    def column(self, place: int) -> ColumnFacts:
        """Return what can be said of a field: of one that cannot be read, its type."""
        field = self.sample.frame.fields[place]
        try:
            values = self.sample.values(place)
            exact = self.sample.exact(place)
            found = summary(values, exact, self.other)
        except ConfigurationError:  # a secret in a value that is shown
            raise
        except Exception:  # of a package, on values that we do not know
            return self.bare(place)
        self.guard.column(field.name, found.shown)
        check_long(found.shown, self.guard)
        gaps, missing = self.sample.missing(values, exact)
        return replace(
            self.bare(place),
            gaps=gaps,
            missing=missing,
            distinct="" if found.distinct is None else f"{found.distinct:,}",
            short=found.short,
            brief=found.brief,
            full=found.full,
        )

    def bare(self, place: int) -> ColumnFacts:
        """Return a field's name and type."""
        field = self.sample.frame.fields[place]
        named = place in self.named
        return ColumnFacts(place, _label(field), field.dtype, named=named)

    def notes(self) -> Iterable[str]:
        """Yield what is to be said of the whole table."""
        if self.sample.note:
            yield self.sample.note
        with suppress(Exception):  # cells that cannot be compared
            yield from self._twice()

    def brief(self, place: int) -> ColumnFacts:
        """Return whether a column has gaps, and whether it has one value only."""
        gaps, missing, distinct = 0, "", ""
        with suppress(Exception):
            values = self.sample.values(place)
            gaps, missing = self.sample.missing(values, self.sample.exact(place))
            first = next((value for value in values if value is not None), None)
            distinct = "1" if all(v in (first, None) for v in values) else ""
        bare = self.bare(place)
        return replace(bare, gaps=gaps, missing=missing, distinct=distinct)

    def _twice(self) -> Iterable[str]:
        """Yield how many rows have come before, if that is cheap to find out."""
        frame = self.sample.frame
        places = [i for i, field in enumerate(frame.fields) if not field.is_index]
        height = frame.height or 0
        few = self.sample.rows is None and height * len(places) <= _COMPARED
        if few and height > 1 and len(places) > 1:
            columns = [frame.values(place, None) for place in places]
            twice = height - len(set(zip(*columns, strict=True)))
            yield f"duplicated rows: {twice:,}"


def check_long(values: Iterable[object], guard: Guard) -> None:
    """Refuse a text with a secret of which only a part would be shown."""
    for value in values:
        if isinstance(value, str) and len(value) > SHORT:
            guard.text(value[:CHARACTERS])


def _label(field: Field) -> str:
    return "no name" if field.name is None else label(field.name)


def in_order(frame: Frame, named: Container[int]) -> tuple[list[int], list[int]]:
    """Return the places of the index, and of the columns: the `named` ones first."""
    places = range(len(frame.fields))
    levels = [place for place in places if frame.fields[place].is_index]
    columns = places[len(levels) :]  # the index comes first
    return levels, sorted(columns, key=lambda place: place not in named)


def named_in(frame: Frame, question: str) -> set[int]:
    """Return the places of the columns whose names occur in a question."""
    asked = question.lower()
    words = set(re.findall(r"\w+", asked))

    def is_named(name: str) -> bool:
        if name.isidentifier():
            return name in words or ("_" in name and name.replace("_", " ") in asked)
        return len(name) > 1 and name in asked

    def parts(name: object) -> tuple[object, ...]:
        return name if isinstance(name, tuple) else (name,)

    return {
        place
        for place, field in enumerate(frame.fields)
        if any(is_named(str(part).lower()) for part in parts(field.name))
    }
