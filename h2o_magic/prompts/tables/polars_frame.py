"""Frames and series of polars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from h2o_magic.config.units import counted
from h2o_magic.prompts.introspection import is_from
from h2o_magic.prompts.tables.frames import Exact, Field


class PolarsFrame:
    """A frame or a series."""

    def __init__(self, value: Any) -> None:
        is_series = is_from(value, "polars", "Series")
        self._frame = value.to_frame() if is_series else value
        self.height: int | None = self._frame.height
        size = counted(self._frame.height, "row")
        width = counted(self._frame.width, "column")
        self.title = f"polars {type(value).__name__}, {size}" + (
            "" if is_series else f" x {width}"
        )
        self.fields: Sequence[Field] = [
            Field(name, str(dtype)) for name, dtype in self._frame.schema.items()
        ]

    def notes(self) -> Iterable[str]:
        return ()

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

    def first(self, places: Sequence[int], count: int) -> list[tuple[object, ...]]:
        columns = [self._frame.to_series(place)[:count].to_list() for place in places]
        return list(zip(*columns, strict=True))
