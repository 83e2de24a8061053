"""What fits in a cell that asks a table: tables, options, and columns in braces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from h2o_magic.ipython.completion import lines, names
from h2o_magic.ipython.completion.columns import columns_of
from h2o_magic.ipython.completion.cursor import (
    CellLine,
    Offer,
    Prompt,
    Typed,
    fitting,
    split,
)
from h2o_magic.ipython.completion.harmless import Unknown, value_at
from h2o_magic.ipython.completion.values import Values, files, in_time
from h2o_magic.ipython.map_options import map_actions
from h2o_magic.prompts.glance import glance

_MAP = re.compile(r"\s*map\s")
#: A column's name that is being typed, behind its brace.
_COLUMN = re.compile(r"(?<!\{)\{([^{}\n]*)$")
ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


def after_map(place: CellLine) -> CellLine | None:
    """Return what is behind ``map`` on a cell's line; None on other lines."""
    found = _MAP.match(place.before)
    return found and CellLine(place.before[found.end() :], place.after)


def on_map_line(place: CellLine, values: Values) -> tuple[str, list[Offer]]:
    """Return the word at the cursor so far, and its completions: tables first."""
    typed = split(place.before)
    options = lines.options_of(map_actions())
    fragment, found = lines.option_or_value(typed, options, values, place.after)
    taken = lines.count_positional(typed.words, options)
    if (
        not taken
        and not fragment.startswith("-")
        and not lines.awaiting(typed, options)
    ):
        begun = lines.unquoted(fragment)
        tables = [*_tables(values), *(files(begun, ENDINGS) if begun else ())]
        found = fitting(fragment, tables, place.after) + found
    return fragment, found


def in_braces(place: Prompt, values: Values) -> tuple[str, list[Offer]]:
    """Return the name at the cursor so far, and its completions: columns first."""
    fragment, found = names.in_braces(place, values)
    typed = split(f"{place.head} ")
    at_brace = _COLUMN.search(place.before)
    if typed.words[:1] != ("map",) or at_brace is None:
        return fragment, found
    begun = at_brace[1]
    columns = [
        Offer(name, kind or "column", partial(str, kind))
        for name, kind in _columns(typed, values).items()
        if name.startswith(begun)
    ]
    taken = {offer.text for offer in columns}
    others = [o for o in found if o.text not in taken] if fragment == begun else []
    return (begun, [*columns, *others]) if columns else (fragment, found)


def _tables(values: Values) -> Iterator[Offer]:
    for name, value in sorted(values.namespace.items()):
        if not name.startswith("_") and columns_of(value):
            yield Offer(name, "instance", partial(glance, value))


def _columns(typed: Typed, values: Values) -> dict[str, str]:
    """Return the columns of the table that a cell's line names, with their types."""
    options = lines.options_of(map_actions())
    words = typed.words[1:]
    for at, word in enumerate(words):
        if lines.count_positional(words[: at + 1], options):
            value = value_at(word, values.namespace)
            if value is not Unknown:
                return columns_of(value)
            return dict.fromkeys(in_time(partial(_of_file, word)), "")
    return {}


def _of_file(path: str) -> tuple[str, ...]:
    from h2o_magic.tables.rows import rows_of  # noqa: PLC0415 - few tables are files

    return rows_of(Path(path), 1).names
