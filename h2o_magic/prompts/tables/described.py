"""A table of the notebook as a value of a prompt, checked for secrets."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.tables.cells import CellText, value_text
from h2o_magic.prompts.tables.facts import TableFacts
from h2o_magic.prompts.tables.frames import Field, Frame
from h2o_magic.prompts.tables.overview import overview
from h2o_magic.prompts.tables.reading import Reading, check_long, in_order, named_in
from h2o_magic.prompts.tables.sample import Sample
from h2o_magic.prompts.tables.writing import DEFAULT, TableText

#: Columns of which something is said, at most.
_COLUMNS = 200
#: Rows that are read for examples, and cells of these and where rows are asked for.
_EXAMPLES, _FEW, _CELLS = 100, 4_000, 50_000
_ALL = 10**9

Rows = Sequence[tuple[object, ...]]


def described_table(
    frame: Frame, spec: str, question: str, other: CellText, guard: Guard
) -> TableText:
    """Return a table's columns and first rows, or what `spec` asks for of them.

    `other` writes values that are no text or number. Raises ConfigurationError for a
    secret in what 1,000 tokens show; later rows end before one with a secret.
    """
    order = in_order(frame, question)
    levels = [place for place in order if frame.fields[place].is_index]
    places = order[len(levels) : len(levels) + _COLUMNS]
    fields = [frame.fields[place] for place in (*levels, *places)]
    guard.names(frame.fields[place].name for place in order)
    rows = _first(frame, (*levels, *places), spec)
    computed = frame.height is not None or bool(rows)
    reading = Reading(Sample.of(frame), other, guard, named_in(frame, question))
    facts = _facts(frame, order, reading, bare=bool(spec) or not computed)
    table = _with_rows(
        TableText(facts, rows_only=spec not in ("", "schema")), rows, other
    )
    return _checked(table, fields, rows, guard)


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
    frame: Frame, order: Sequence[int], reading: Reading, *, bare: bool
) -> TableFacts:
    """Return the facts of a table without its rows; `bare` are names and types."""
    read = reading.bare if bare else reading.column
    levels = [place for place in order if frame.fields[place].is_index]
    places = order[len(levels) :]
    index = [read(place) for place in levels]
    said = [read(place) for place in places[:_COLUMNS]]
    rest = map(reading.bare if bare else reading.brief, places[_COLUMNS:])
    notes = [*frame.notes(), *(() if bare else reading.notes())]
    return TableFacts(
        frame.title,
        (*notes, *(f"index: {level.line()}" for level in index)),
        tuple(said),
        len(places),
        overview([*said, *rest]),
        tuple(level.label for level in index),
        height=frame.height,
    )


def _with_rows(table: TableText, rows: Rows, other: CellText) -> TableText:
    """Return a table with its rows, up to the first that cannot be written."""
    cells: list[tuple[str, ...]] = []
    refusal = None
    for row in rows:
        try:
            cells.append(tuple(value_text(value, other) for value in row))
        except ConfigurationError as error:
            refusal = error
            break
    table = replace(table, facts=replace(table.facts, rows=tuple(cells)))
    if refusal is not None and table.shown(DEFAULT)[1] == len(cells):
        raise refusal
    return table


def _checked(
    table: TableText, fields: Sequence[Field], rows: Rows, guard: Guard
) -> TableText:
    """Return a table with the rows before one with a secret that is not shown."""
    _, shown = table.shown(DEFAULT)
    short = replace(table, facts=replace(table.facts, rows=table.facts.rows[:shown]))
    _check(short, fields, rows[:shown], guard)
    try:
        _check(table, fields, rows[: len(table.facts.rows)], guard)
    except ConfigurationError:
        return short
    return table


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
    guard.text(table.text(_ALL))
