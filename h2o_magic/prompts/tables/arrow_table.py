"""Tables and record batches of Apache Arrow (pyarrow)."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from h2o_magic.prompts.tables.frames import Exact, Field, Frame, size


class ArrowTable(Frame):
    """A table or a record batch."""

    def __init__(self, value: Any) -> None:
        self._table = value
        extent = size(value.num_rows, value.num_columns)
        self.title = f"pyarrow {type(value).__name__}, {extent}"
        self.height = value.num_rows
        self.fields = [Field(field.name, str(field.type)) for field in value.schema]

    def values(self, place: int, rows: Sequence[int] | None) -> list[object]:
        column = self._table.column(place)
        return list((column if rows is None else column.take(rows)).to_pylist())

    def exact(self, place: int) -> Exact | None:
        column = self._table.column(place)
        arrow = importlib.import_module("pyarrow")
        kinds, kind = arrow.types, column.type
        number = kinds.is_integer(kind) or kinds.is_floating(kind)
        if not (number or kinds.is_temporal(kind)) or column.null_count == len(column):
            return Exact(column.null_count)
        compute = importlib.import_module("pyarrow.compute")
        ends = compute.min_max(column).as_py()
        mean = compute.mean(column).as_py() if number else None
        return Exact(column.null_count, ends["min"], mean, ends["max"])
