"""Frames, series and indexes of pandas and geopandas."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from h2o_magic.config.units import counted
from h2o_magic.prompts.introspection import is_from
from h2o_magic.prompts.limits import float_text
from h2o_magic.prompts.tables.cells import label
from h2o_magic.prompts.tables.frames import Exact, Field, Frame, size

_MOST_BOUNDED = 100_000
#: Values by which a column of objects is judged.
_MOST_JUDGED = 1000
_UNIT = re.compile(
    r"^((?:datetime|timedelta)64)\[(?:ns|us|ms|s)\]|(?<=64\[)(?:ns|us|ms|s), "
)


class PandasFrame(Frame):
    """A frame, series or index; its columns are read one at a time, without a copy."""

    def __init__(self, value: Any) -> None:
        self._value = _named(value) if _is_of_dtypes(value) else value
        self._is_frame = is_from(value, "pandas", "DataFrame")
        index: Any = None if is_from(value, "pandas", "Index") else value.index
        self._index = index
        self._levels = 0 if index is None or _is_default(index) else index.nlevels
        package = "geopandas" if is_from(value, "geopandas") else "pandas"
        extent = size(len(value), *value.shape[1:])
        self.title = f"{package} {type(value).__name__}, {extent}"
        self.height = len(value)
        self.fields = [*self._index_fields(), *self._column_fields()]

    def notes(self) -> Iterable[str]:
        columns = self._value.columns if self._is_frame else None
        if getattr(columns, "nlevels", 1) > 1:
            yield f"columns: MultiIndex of {_levels(columns)}"
        if self._levels > 1:
            yield f"index: MultiIndex of {counted(self._levels, 'level')}"
        with suppress(Exception):  # a frame without an active geometry
            yield from self._place()

    def values(self, place: int, rows: Sequence[int] | None) -> list[object]:
        column = self._column(place)
        if rows is not None:
            column = column.take(rows)
        values = column.tolist()
        kind = getattr(column.dtype, "kind", "O")
        if kind in "iufb" and not is_from(column.dtype, "pandas"):
            # Without a call of pandas more: there may be thousands of columns.
            return [None if value != value else value for value in values]  # noqa: PLR0124 - NaN
        missing = column.isna()
        if not missing.any():
            return list(values)
        return [
            None if gone else value for value, gone in zip(values, missing, strict=True)
        ]

    def exact(self, place: int) -> Exact | None:
        column = self._column(place)
        kind = getattr(column.dtype, "kind", "O")
        if kind == "O" and not is_from(column.dtype, "pandas"):
            return None
        missing = int(column.isna().sum())
        if kind in "iuf" and missing < len(column):
            return Exact(missing, column.min(), float(column.mean()), column.max())
        if kind in "mM" and missing < len(column):
            return Exact(missing, column.min(), None, column.max())
        return Exact(missing)

    def first(self, places: Sequence[int], count: int) -> list[tuple[object, ...]]:
        columns = [self._head(place, count) for place in places]
        return list(zip(*columns, strict=True))

    def _head(self, place: int, count: int) -> list[object]:
        values = self._column(place).iloc[:count].tolist()
        if self.fields[place].dtype != "str":
            return list(values)
        # What is missing among texts is None or NaN, by the version of pandas.
        return [value if isinstance(value, str) else math.nan for value in values]

    def _column(self, place: int) -> Any:
        if place < self._levels:
            return _series(self._index.get_level_values(place))
        if self._is_frame:
            return self._value.iloc[:, place - self._levels]
        return self._value if self._index is not None else _series(self._value)

    def _index_fields(self) -> Iterable[Field]:
        for place in range(self._levels):
            level = self._index.get_level_values(place)
            yield Field(level.name, _dtype(level), is_index=True)

    def _column_fields(self) -> Iterable[Field]:
        if self._is_frame:
            dtypes = self._value.dtypes
            for place, name in enumerate(self._value.columns):
                dtype = dtypes.iloc[place]
                column = self._value.iloc[:, place] if str(dtype) == "object" else None
                yield Field(name, _dtype_text(dtype, column))
        else:
            yield Field(self._value.name, _dtype(self._value))

    def _place(self) -> Iterable[str]:
        if not is_from(self._value, "geopandas"):
            return
        crs = self._value.crs
        name = "none" if crs is None else f"{crs.to_string()} ({crs.name})"
        bounds = ""
        if len(self._value) <= _MOST_BOUNDED:
            numbers = ", ".join(float_text(x, 6) for x in self._value.total_bounds)
            bounds = f"; bounds (min x, min y, max x, max y): {numbers}"
        yield f"CRS: {name}{bounds}"


def _is_default(index: Any) -> bool:
    is_range = type(index).__name__ == "RangeIndex" and index.name is None
    return is_range and (index.start, index.step) == (0, 1)


def _series(index: Any) -> Any:
    return index.to_series(index=range(len(index)))


def _levels(index: Any) -> str:
    return "; ".join(
        f"{'no name' if name is None else label(name)} ({len(level)} distinct: "
        f"{', '.join(map(label, level[:5]))}{', …' if len(level) > 5 else ''})"
        for name, level in zip(index.names, index.levels, strict=True)
    )


def _is_of_dtypes(value: Any) -> bool:
    """Return whether a value is such as ``df.dtypes``."""
    return (
        is_from(value, "pandas", "Series")
        and str(value.dtype) == "object"
        and len(value) > 0
        and all(
            is_from(each, "numpy", "dtype") or is_from(each, "pandas", "ExtensionDtype")
            for each in value
        )
    )


def _named(dtypes: Any) -> Any:
    return dtypes.map(lambda dtype: _dtype_text(dtype, dtypes[:0]))


def _dtype(value: Any) -> str:
    return _dtype_text(value.dtype, value)


def _dtype_text(dtype: Any, column: Any) -> str:
    """Return the same name whatever pandas calls it: 2 has texts as objects, and ns."""
    if getattr(dtype, "ordered", None):
        order = " < ".join(str(each) for each in dtype.categories[:8])
        more = " < …" if len(dtype.categories) > 8 else ""
        return f"category, ordered {order}{more}"
    if str(dtype) == "object":
        values = column[:_MOST_JUDGED].dropna().tolist()
        texts = bool(values) and all(isinstance(value, str) for value in values)
        return "str" if texts else "object"
    return _UNIT.sub(r"\1", str(dtype))
