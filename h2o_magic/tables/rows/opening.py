"""Which values are tables, and what reads them: recognized without importing them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.introspection import is_from
from h2o_magic.tables.rows.arrow import ArrowRows, DuckDBRows
from h2o_magic.tables.rows.base import Rows
from h2o_magic.tables.rows.csv_file import CsvRows
from h2o_magic.tables.rows.files import Target
from h2o_magic.tables.rows.frames import PandasRows, PolarsRows
from h2o_magic.tables.rows.json_lines import JsonLinesRows
from h2o_magic.tables.rows.parquet import ParquetRows
from h2o_magic.tables.rows.records import VALUE, Records


def _of_series(series: Any) -> Rows:
    name = VALUE if series.name in (None, "") else series.name
    reader = PandasRows if is_from(series, "pandas") else PolarsRows
    return reader(series.to_frame(name))


_READERS: tuple[tuple[str, str, Callable[[Any], Rows]], ...] = (
    ("pandas", "DataFrame", PandasRows),
    ("polars", "DataFrame", PolarsRows),
    ("pandas", "Series", _of_series),
    ("polars", "Series", _of_series),
    ("pyarrow", "Table", ArrowRows),
    ("duckdb", "DuckDBPyRelation", DuckDBRows),
)
#: What is none yet: its package, its type, and what makes a table of it.
_OTHERS = (
    ("builtins", "dict", "pandas.DataFrame(table)"),
    ("dask", "", "table.compute()"),
    ("polars", "LazyFrame", "table.collect()"),
    ("pyarrow", "RecordBatch", "pyarrow.Table.from_batches([table])"),
    ("pyspark", "", "table.toPandas()"),
)
_FILES: Mapping[str, Callable[[Path, int | None, Target], Rows]] = {
    ".csv": CsvRows,
    ".tsv": CsvRows,
    ".jsonl": JsonLinesRows,
    ".ndjson": JsonLinesRows,
    ".parquet": ParquetRows,
}
_EXPECTED = "a frame, a list of dicts, or a path to a .csv, .jsonl or .parquet file"


def rows_of(
    table: object, first: int | None = None, target: Target | None = None
) -> Rows:
    """Return a table's rows, or its first ones.

    Parameters
    ----------
    table
        A frame or a series (pandas, polars), an Arrow table, a relation of DuckDB, a
        list of dicts or of texts, any other iterable, which is read as the run goes, or
        the path of a CSV, TSV, JSON Lines or Parquet file.
    first : int or None
        How many rows count; None for all.
    target : Target or None
        Where a file's rows go; None for its default. Only a file has one.

    Raises
    ------
    ConfigurationError
        If it is no table, cannot be read, or its target must not be written.
    """
    if first is not None and first < 1:
        raise ConfigurationError(f"expected 1 row or more, got {first:,} first ones")
    if isinstance(table, str | os.PathLike):
        return _of_file(Path(table).expanduser(), first, target or Target())
    if target is not None and target.path is not None:
        raise ConfigurationError(
            "only a file's rows go to a file: leave `to` out, and write the table "
            "that the run gives"
        )
    for package, name, reader in _READERS:
        if is_from(table, package, name):
            return reader(_first(table, first))
    return _of_values(table, first)


def _of_file(path: Path, first: int | None, target: Target) -> Rows:
    reader = _FILES.get(path.suffix.lower())
    if reader is None:
        raise ConfigurationError(f"expected a table ({_EXPECTED}), got {str(path)!r}")
    if not path.is_file():
        raise ConfigurationError(f"{path} is not a file: expected a path to a table")
    return reader(path, first, target.of(path, _FILES))


def _first(table: Any, first: int | None) -> Any:
    if is_from(table, "duckdb"):
        return table if first is None else table.limit(first)
    return table[:first]


def _of_values(table: object, first: int | None) -> Rows:
    kind, hint = type(table).__name__, ""
    for package, name, made in _OTHERS:
        if is_from(table, package, *filter(None, [name])):
            hint = f": give `{made}`"
    is_bytes = isinstance(table, bytes | bytearray)
    if hint or is_bytes or not isinstance(table, Iterable):
        raise ConfigurationError(f"expected a table ({_EXPECTED}), got {kind}{hint}")
    values = getattr(table, "tolist", lambda: table)()  # an array's own values
    if isinstance(values, Sequence):
        return Records(list(islice(values, first)))
    return Records(islice(values, first))
