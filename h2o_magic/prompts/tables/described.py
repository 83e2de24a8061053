"""A table of the notebook as a value of a prompt, checked for secrets."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from h2o_magic.prompts.prompt import ALL
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.tables.cells import CellText, value_text
from h2o_magic.prompts.tables.facts import TableFacts
from h2o_magic.prompts.tables.frames import Field, Frame
from h2o_magic.prompts.tables.overview import overview
from h2o_magic.prompts.tables.reading import Reading, check_long, in_order, named_in
from h2o_magic.prompts.tables.sample import Sample
from h2o_magic.prompts.tables.writing import TableText

#: Columns of which something is said, at most.
_COLUMNS = 200
#: Rows that are read for examples, and cells of these and where rows are asked for.
_EXAMPLES, _FEW, _CELLS = 100, 4_000, 50_000

Rows = Sequence[tuple[object, ...]]


def described_table(
    frame: Frame, spec: str, question: str, other: CellText, guard: Guard
) -> TableText:
    """Return a table's columns and first rows, or what `spec` asks for of them.

    `other` writes values that are no text or number. Raises ConfigurationError for a
    secret in the names, the values that are said of a column, and the rows.
    """
    named = named_in(frame, question)
    levels, rest = in_order(frame, named)
    shown = (*levels, *rest[:_COLUMNS])
    guard.names(field.name for field in frame.fields)
    rows = _first(frame, shown, spec)
    computed = frame.height is not None or bool(rows)
    reading = Reading(Sample.of(frame), other, guard, named)
    facts = _facts(frame, levels, rest, reading, bare=bool(spec) or not computed)
    cells = tuple(tuple(value_text(value, other) for value in row) for row in rows)
    table = TableText(replace(facts, rows=cells), rows_only=spec not in ("", "schema"))
    _check(table, [frame.fields[place] for place in shown], rows, guard)
    return table


def _first(frame: Frame, places: Sequence[int], spec: str) -> Rows:
    with suppress(Exception):  # of a package, on values that we do not know
        return frame.first(places, _wanted(spec, len(places))) if places else []
    return []


def _wanted(spec: str, width: int) -> int:
    """Return how many rows are read."""
    if spec == "schema":
        return 0
    width = max(width, 1)
    if not spec:
        return max(10, min(_EXAMPLES, _FEW // width))
    most = max(_EXAMPLES, _CELLS // width)
    return most if spec == "rows" else min(int(spec), most)


def _facts(
    frame: Frame, levels: list[int], rest: list[int], reading: Reading, *, bare: bool
) -> TableFacts:
    """Return the facts of a table without its rows; `bare` are names and types."""
    read = reading.bare if bare else reading.column
    index = [read(place) for place in levels]
    said = [read(place) for place in rest[:_COLUMNS]]
    more = map(reading.bare if bare else reading.brief, rest[_COLUMNS:])
    notes = [*frame.notes(), *(() if bare else reading.notes())]
    return TableFacts(
        frame.title,
        (*notes, *(f"index: {level.line()}" for level in index)),
        tuple(said),
        len(rest),
        overview([*said, *more]),
        tuple(level.label for level in index),
        height=frame.height,
    )


def _check(table: TableText, fields: Sequence[Field], rows: Rows, guard: Guard) -> None:
    """Refuse secrets in the columns, and in rows that are named by their index."""
    for place, field in enumerate(fields):
        column = [row[place] for row in rows]
        guard.column(field.name, column)
        if place < 2:  # names come before their values
            guard.names(column)
    levels = sum(field.is_index for field in fields)
    check = guard.entry if levels else guard.pair
    if levels == 1 or len(fields) == 2:
        for first, *values in rows:
            for value in values:
                check(first, value)
    check_long([value for row in rows for value in row], guard)
    guard.text(table.text(ALL))
