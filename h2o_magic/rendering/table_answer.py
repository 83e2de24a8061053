"""The table in an answer: columns and rows, from JSON or from Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from h2o_magic.rendering.fences import code_blocks, without_code
from h2o_magic.rendering.json import AnswerFormatError

#: Names of the columns, and the rows, each with one value for each column.
Table: TypeAlias = tuple[list[str], list[list[Any]]]

_EXPECTED = (
    "expected a table: a list of objects, an object of lists, or a list of lists with "
    "the head first"
)
_MOST_MISSING = 1_000_000  # values
_RULE_CELL = re.compile(r":?-+:?")
_CELL_END = re.compile(r"(?<!\\)\|")
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)\.\d+([eE][-+]?\d+)?")


def rows_of(value: object) -> Table:
    """Return a JSON value as a table, missing cells as None.

    A list of objects, an object of lists of one length, a list of lists whose first is
    the head, an object with one such inside, or a flat object, which is one row.
    """
    if isinstance(value, list):
        return _of_list(value)
    if isinstance(value, dict) and value:
        return _of_object(value)
    raise AnswerFormatError(f"{_EXPECTED}, got {_kind(value)}")


def markdown_table(text: str) -> Table | None:
    """Return the first Markdown table; numbers only as such, empty cells as None."""
    for part in (without_code(text), *code_blocks(text)):
        lines = part.splitlines()
        for head, rule, place in zip(lines, lines[1:], range(len(lines)), strict=False):
            columns, marks = _cells(head), _cells(rule)
            if "|" in head and _is_rule(marks) and len(marks) == len(columns):
                rows = _body(lines[place + 2 :], len(columns))
                return _distinct(columns), _typed(rows)
    return None


def _of_list(items: list[Any]) -> Table:
    if not items:
        return [], []
    if all(isinstance(item, dict) for item in items):
        columns = list(dict.fromkeys(key for item in items for key in item))
        _check_size(len(columns), map(len, items))
        return columns, [[item.get(name) for name in columns] for item in items]
    if all(isinstance(item, list) for item in items):
        return _of_lists(items)
    first = items[0]
    if isinstance(first, dict | list):
        odd = next(i for i, item in enumerate(items) if type(item) is not type(first))
        raise AnswerFormatError(f"{_EXPECTED}, got {_kind(items[odd])} as item {odd}")
    raise AnswerFormatError(f"{_EXPECTED}, got a list with {_kind(first)}")


def _of_lists(items: list[list[Any]]) -> Table:
    head, *rows = items
    if not head or not all(isinstance(name, str) for name in head):
        raise AnswerFormatError(f"{_EXPECTED}, got a first list without column names")
    for number, row in enumerate(rows, 1):
        if len(row) != len(head):
            raise AnswerFormatError(
                f"expected {len(head)} values in row {number}, got {len(row)}"
            )
    return _distinct(head), rows


def _of_object(value: dict[str, Any]) -> Table:
    lists = {name: item for name, item in value.items() if isinstance(item, list)}
    tables = [item for item in lists.values() if _is_table(item)]
    if len(tables) == 1:
        return _of_list(tables[0])
    if len(lists) == len(value) and not tables:
        return _of_columns(lists)
    if not lists and not any(isinstance(item, dict) for item in value.values()):
        return list(value), [list(value.values())]
    if len(tables) > 1:
        raise AnswerFormatError(f"{_EXPECTED}, got an object with {len(tables)} tables")
    inner = [item for item in value.values() if isinstance(item, dict)]
    if len(value) == 1 and inner:
        return rows_of(inner[0])
    raise AnswerFormatError(f"{_EXPECTED}, got an object of other values")


def _of_columns(columns: dict[str, list[Any]]) -> Table:
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name!r} {size}" for name, size in list(sizes.items())[:5])
        raise AnswerFormatError(f"expected columns of the same length, got {shown}")
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def _is_table(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, dict) for item in items)


def _kind(value: object) -> str:
    if value == {}:
        return "an empty object"
    return {
        dict: "an object",
        list: "a list",
        str: "text",
        bool: "true or false",
        type(None): "null",
    }.get(type(value), "a number")


def _cells(line: str) -> list[str]:
    bare = line.strip().removeprefix("|")
    parts = _CELL_END.split(bare)
    if len(parts) > 1 and not parts[-1].strip():
        parts.pop()
    return [part.strip().replace("\\|", "|") for part in parts]


def _is_rule(cells: Sequence[str]) -> bool:
    return bool(cells) and all(_RULE_CELL.fullmatch(cell) for cell in cells)


def _body(lines: Sequence[str], width: int) -> list[list[str]]:
    rows: list[list[str]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or "|" not in line:
            break
        cells = _cells(line)
        if any(cells[width:]):
            raise AnswerFormatError(
                f"expected {width} values in row {number}, got {len(cells)}"
            )
        rows.append(cells[:width])
    _check_size(width, map(len, rows))
    return [row + [""] * (width - len(row)) for row in rows]


def _check_size(width: int, sizes: Iterable[int]) -> None:
    """Refuse a table of mostly nothing, which a short text can make as large as any."""
    missing = sum(width - size for size in sizes)
    if missing > _MOST_MISSING:
        raise AnswerFormatError(f"{_EXPECTED}, got one that lacks {missing:,} values")


def _typed(rows: list[list[str]]) -> list[list[Any]]:
    columns = map(_column, zip(*rows, strict=True))
    return [list(row) for row in zip(*columns, strict=True)]


def _column(cells: Sequence[str]) -> list[Any]:
    filled = [cell for cell in cells if cell]
    read: Callable[[str], Any] = str
    if all(map(_WHOLE.fullmatch, filled)):
        read = int
    elif all(_WHOLE.fullmatch(cell) or _DECIMAL.fullmatch(cell) for cell in filled):
        read = float
    return [read(cell) if cell else None for cell in cells]


def _distinct(names: Sequence[str]) -> list[str]:
    result: dict[str, None] = {}
    numbers: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        free = base = name or f"column {place}"
        while free in result:
            numbers[base] = numbers.get(base, 1) + 1
            free = f"{base} {numbers[base]}"
        result[free] = None
    return list(result)
