"""Frames and series of polars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from h2o_magic.prompts.introspection import is_from
from h2o_magic.prompts.tables.frames import Exact, Field, Frame, size


class PolarsFrame(Frame):
    """A frame or a series."""

    def __init__(self, value: Any) -> None:
        is_series = is_from(value, "polars", "Series")
        self._frame = frame = value.to_frame() if is_series else value
        extent = size(frame.height, None if is_series else frame.width)
        self.title = f"polars {type(value).__name__}, {extent}"
        self.height = frame.height
        self.fields = [Field(name, str(dtype)) for name, dtype in frame.schema.items()]

    def values(self, place: int, rows: Sequence[int] | None) -> list[object]:
        column = self._frame.to_series(place)
        return list((column if rows is None else column.gather(rows)).to_list())

    def exact(self, place: int) -> Exact | None:
        column = self._frame.to_series(place)
        missing = column.null_count()
        ordered = column.dtype.is_numeric() or column.dtype.is_temporal()
        if not ordered or missing == len(column):
            return Exact(missing)
        mean = column.mean() if column.dtype.is_numeric() else None
        return Exact(missing, column.min(), mean, column.max())
