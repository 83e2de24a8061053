"""Which values are tables, and who reads them: recognized without importing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from h2o_magic.prompts.introspection import is_from
from h2o_magic.prompts.tables.arrow_table import ArrowTable
from h2o_magic.prompts.tables.frames import Frame, size
from h2o_magic.prompts.tables.pandas_frame import PandasFrame
from h2o_magic.prompts.tables.polars_frame import PolarsFrame
from h2o_magic.prompts.tables.unread import duckdb_relation, lazy_frame

#: THE packages of tables: the names of their types, and what reads them.
_READERS: tuple[tuple[str, tuple[str, ...], Callable[[Any], Frame]], ...] = (
    ("pandas", ("DataFrame", "Series", "Index"), PandasFrame),
    ("polars", ("DataFrame", "Series"), PolarsFrame),
    ("pyarrow", ("Table", "RecordBatch"), ArrowTable),
    ("duckdb", ("DuckDBPyRelation",), duckdb_relation),
    ("polars", ("LazyFrame",), lazy_frame),
    ("dask", ("DataFrame", "Series"), lazy_frame),
    ("pyspark", ("DataFrame",), lazy_frame),
)


def is_table(value: object) -> bool:
    return any(is_from(value, package, *names) for package, names, _ in _READERS)


def opened(value: object) -> Frame:
    """Return what reads a table."""
    return next(
        read(value)
        for package, names, read in _READERS
        if is_from(value, package, *names)
    )


def in_few_words(value: Any) -> str:
    """Return a table's kind and size, for a table in a list."""
    package, *_ = type(value).__module__.split(".")
    shape = getattr(value, "shape", ())
    if not all(isinstance(size, int) for size in shape):
        shape = ()
    extent = f", {size(*shape)}" if shape else ""
    return f"<{package} {type(value).__name__}{extent}>"
