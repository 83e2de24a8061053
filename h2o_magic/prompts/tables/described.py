"""A table of the notebook as a value of a prompt, checked for secrets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.tables.cells import CellText, value_text
from h2o_magic.prompts.tables.facts import TableFacts
from h2o_magic.prompts.tables.frames import Field, Frame
from h2o_magic.prompts.tables.overview import overview
from h2o_magic.prompts.tables.reading import Reading, in_order
from h2o_magic.prompts.tables.sample import Sample
from h2o_magic.prompts.tables.writing import DEFAULT, TableText

#: Columns of which something is said, at most.
_COLUMNS = 200
#: Rows that are read for examples, and cells where rows are asked for.
_EXAMPLES, _CELLS = 100, 50_000
_ALL = 10**9

Rows = Sequence[tuple[object, ...]]


def described_table(
    frame: Frame, spec: str, question: str, other: CellText, guard: Guard | None
) -> TableText:
    """Return a table's columns and first rows, or what `spec` asks for of them.

    `other` writes values that are no text or number. Raises ConfigurationError for a
    secret in what 1,000 tokens show, and if `spec` asks for rows of a table that would
    have to be computed. Later rows end before one with a secret.
    """
    order = in_order(frame, question)
    levels = [place for place in order if frame.fields[place].is_index]
    places = order[len(levels) : len(levels) + _COLUMNS]
    fields = [frame.fields[place] for place in (*levels, *places)]
    if guard is not None:
        guard.names(frame.fields[place].name for place in order)
    count = _wanted(spec, len(fields))
    rows = frame.first([*levels, *places], count) if count and fields else []
    computed = frame.height is not None or bool(rows)
    if spec not in ("", "schema") and not computed:
        raise ConfigurationError(
            "the rows of this table would have to be computed: compute them first, "
            "or leave the colon out"
        )
    facts = _facts(
        frame, order, Reading(Sample.of(frame), other, guard), spec, computed
    )
    cells = tuple(tuple(value_text(value, other) for value in row) for row in rows)
    table = TableText(replace(facts, rows=cells), rows_only=spec not in ("", "schema"))
    return table if guard is None else _checked(table, fields, rows, guard)


def _wanted(spec: str, width: int) -> int:
    """Return how many rows are read."""
    if spec == "schema":
        return 0
    most = max(_EXAMPLES, _CELLS // max(width, 1))
    return {"": _EXAMPLES, "rows": most}.get(spec) or min(int(spec), most)


def _facts(
    frame: Frame, order: Sequence[int], reading: Reading, spec: str, computed: bool
) -> TableFacts:
    levels = [place for place in order if frame.fields[place].is_index]
    places = order[len(levels) :]
    read = reading.column if computed and not spec else reading.bare
    index = [read(place) for place in levels]
    said = [read(place) for place in places[:_COLUMNS]]
    rest = map(
        reading.brief if read == reading.column else reading.bare, places[_COLUMNS:]
    )
    notes = [*frame.notes(), *(reading.notes() if computed and not spec else ())]
    return TableFacts(
        frame.title,
        (*notes, *(f"index: {level.line()}" for level in index)),
        tuple(said),
        len(places),
        overview([*said, *rest]),
        tuple(level.label for level in index),
        height=frame.height,
    )


def _checked(
    table: TableText, fields: Sequence[Field], rows: Rows, guard: Guard
) -> TableText:
    _, shown = table.shown(DEFAULT)
    short = replace(table, facts=replace(table.facts, rows=table.facts.rows[:shown]))
    _check(short, fields, rows[:shown], guard)
    try:
        _check(table, fields, rows, guard)
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
    guard.text(table.text(_ALL))
