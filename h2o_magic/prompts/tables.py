"""Tables of pandas and polars as Markdown: shape, types, and the first rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from h2o_magic.config.units import counted
from h2o_magic.prompts.introspection import is_from
from h2o_magic.prompts.limits import Limits, cut_end, float_text
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.structures import Printer

_PACKAGES = ("pandas", "polars")


@dataclass(frozen=True, slots=True)
class _Table:
    """The first rows of a table of any package."""

    title: str
    dtypes: list[str]
    index: list[object]
    columns: list[object]
    rows: list[Sequence[object]]
    more_rows: int = 0
    more_columns: int = 0


def is_frame(value: object) -> bool:
    """Return whether a value is a table, or one column of it."""
    return any(is_from(value, package, "DataFrame", "Series") for package in _PACKAGES)


def frame_summary(value: object) -> str:
    """Return a table in a few words, for a table in a list."""
    return f"<{_title(value)}>"


def frame_text(value: object, limits: Limits, printer: Printer, guard: Guard) -> str:
    """Return a table as Markdown, with its shape and types before it."""
    read = _polars_table if is_from(value, "polars") else _pandas_table
    table = read(cast(Any, value), limits)
    names = [*table.index, *table.columns]
    _check(table, names, guard)
    title = f"{table.title}{_types(table, limits)}"
    if not names:
        return title
    head = _line(_cell(_label(name), limits.cell) for name in names)
    lines, left_out = _body(table, limits, printer)
    note = _note(table.more_rows + left_out, table.more_columns)
    rule = _line(["---"] * len(names))
    return "\n".join([title, "", head, rule, *lines, *(["", note] if note else [])])


def _types(table: _Table, limits: Limits) -> str:
    if " Series, " in table.title:
        return f"; dtype: {table.dtypes[0]}"
    types = ", ".join(
        f"{_label(name)} {dtype}"
        for name, dtype in zip(table.columns, table.dtypes, strict=True)
    )
    return f"; dtypes: {cut_end(types, limits.text)}" if types else ""


def _body(table: _Table, limits: Limits, printer: Printer) -> tuple[list[str], int]:
    lines: list[str] = []
    room = limits.characters
    for row in table.rows:
        line = _line(
            _cell(_shown(value, limits, printer), limits.cell) for value in row
        )
        room -= len(line)
        if room < 0 and lines:
            break
        lines.append(line)
    return lines, len(table.rows) - len(lines)


def _check(table: _Table, names: list[object], guard: Guard) -> None:
    """Refuse secrets in the columns, and in rows that are named by their index."""
    guard.names(names)
    for place, name in enumerate(names):
        column = [row[place] for row in table.rows]
        guard.column(name, column)
        if place < 2:  # names come before their values
            guard.names(column)
    check = guard.entry if table.index else guard.pair
    if len(table.index) == 1 or len(names) == 2:
        for first, *values in table.rows:
            for value in values:
                check(first, value)


def _pandas_table(value: Any, limits: Limits) -> _Table:
    frame = value
    if is_from(value, "pandas", "Series"):
        frame = value.to_frame("value" if value.name is None else value.name)
    shown = frame.iloc[: limits.rows, : limits.columns]
    names = [] if _is_default(frame.index) else _index_names(frame.index)
    levels = [shown.index.get_level_values(place) for place in range(len(names))]
    columns = [shown.iloc[:, place] for place in range(shown.shape[1])]
    return _Table(
        _title(value),
        [str(dtype) for dtype in shown.dtypes],
        names,
        list(shown.columns),
        list(zip(*levels, *columns, strict=True)),
        len(frame) - len(shown),
        frame.shape[1] - shown.shape[1],
    )


def _is_default(index: Any) -> bool:
    is_range = type(index).__name__ == "RangeIndex" and index.name is None
    return is_range and (index.start, index.step) == (0, 1)


def _index_names(index: Any) -> list[object]:
    if index.nlevels == 1:
        return ["index" if index.name is None else index.name]
    return [
        f"level {place}" if name is None else name
        for place, name in enumerate(index.names)
    ]


def _polars_table(value: Any, limits: Limits) -> _Table:
    frame = value
    if is_from(value, "polars", "Series"):
        frame = value.to_frame(value.name or "value")
    shown = frame[: limits.rows, : limits.columns]
    return _Table(
        _title(value),
        [str(dtype) for dtype in shown.dtypes],
        [],
        list(shown.columns),
        shown.rows(),
        frame.height - shown.height,
        frame.width - shown.width,
    )


def _title(value: object) -> str:
    shape = cast(Any, value).shape
    package = next(each for each in _PACKAGES if is_from(value, each))
    size = counted(shape[0], "row")
    if len(shape) == 2:
        return f"{package} DataFrame, {size} x {counted(shape[1], 'column')}"
    return f"{package} Series, {size}"


def _label(name: object) -> str:
    return " / ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _shown(value: object, limits: Limits, printer: Printer) -> str:
    if isinstance(value, str):
        return value[: limits.cell + 1] or '""'
    if isinstance(value, float):
        return float_text(value)
    if hasattr(value, "isoformat"):
        return str(value)
    return printer.cell(value, limits.cell)


def _cell(text: str, limit: int) -> str:
    """Return a text for a cell: on one line, with escaped pipes."""
    text = cut_end(text, limit).replace("|", "\\|")
    return text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _note(rows: int, columns: int) -> str:
    parts = [counted(rows, "more row")] if rows else []
    if columns:
        parts.append(counted(columns, "column" if rows else "more column"))
    return f"… {' and '.join(parts)} left out" if parts else ""
