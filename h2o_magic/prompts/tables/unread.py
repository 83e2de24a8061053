"""Tables that would have to be computed: their schema, and a few rows of DuckDB's."""

from __future__ import annotations

from typing import Any

from h2o_magic.config.units import counted
from h2o_magic.prompts.tables.frames import Field, RowsInHand, size

#: Rows of a relation that are read: it is a query, which may be large.
_ROWS = 1_000


def duckdb_relation(value: Any) -> RowsInHand:
    """Return a relation with its first rows; the rest is not counted."""
    fields = [
        Field(name, str(kind))
        for name, kind in zip(value.columns, value.types, strict=True)
    ]
    rows = value.limit(_ROWS + 1).fetchall()
    if len(rows) <= _ROWS:
        title = f"DuckDB relation, {size(len(rows), len(fields))}"
        return RowsInHand(title, fields, rows, len(rows))
    width = counted(len(fields), "column")
    title = f"DuckDB relation, more than {_ROWS:,} rows (not counted) x {width}"
    note = f"all figures are of the first {_ROWS:,} rows"
    return RowsInHand(title, fields, rows[:_ROWS], None, note)


def lazy_frame(value: Any) -> RowsInHand:
    """Return the columns of a frame of dask, Spark or polars; nothing is computed."""
    fields = [Field(name, str(kind)) for name, kind in _schema(value)]
    package = type(value).__module__.partition(".")[0]
    name = {"pyspark": "Spark"}.get(package, package)
    width = counted(len(fields), "column")
    title = f"{name} {type(value).__name__}, {width}; rows not computed"
    return RowsInHand(title, fields)


def _schema(value: Any) -> list[tuple[object, object]]:
    if hasattr(value, "collect_schema"):
        return list(value.collect_schema().items())
    if hasattr(value, "dtype"):
        return [(value.name, value.dtype)]
    dtypes = value.dtypes
    return list(dtypes.items() if hasattr(dtypes, "items") else dtypes)
