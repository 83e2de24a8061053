"""Which values are tables, and what reads them: recognized without importing them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.introspection import is_from
from h2o_magic.tables.rows.arrow import ArrowRows, DuckDBRows
from h2o_magic.tables.rows.base import Rows
from h2o_magic.tables.rows.csv_file import CsvRows
from h2o_magic.tables.rows.frames import PandasRows, PolarsRows
from h2o_magic.tables.rows.json_lines import JsonLinesRows
from h2o_magic.tables.rows.parquet_file import ParquetRows
from h2o_magic.tables.rows.records import Columns, Records
from h2o_magic.tables.rows.target import Target

_READERS: tuple[tuple[str, tuple[str, ...], Callable[[Any], Rows]], ...] = (
    ("pandas", ("DataFrame", "Series"), PandasRows),
    ("polars", ("DataFrame", "LazyFrame", "Series"), PolarsRows),
    ("pyarrow", ("Table", "RecordBatch"), ArrowRows),
    ("duckdb", ("DuckDBPyRelation",), DuckDBRows),
)
#: Tables elsewhere: what brings them here.
_ELSEWHERE = {"dask": ".compute()", "pyspark": ".toPandas()"}
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
        A frame (pandas, polars, Arrow), a relation of DuckDB, a list of dicts or of
        texts, a dict of lists, any other iterable, which is read now, or the path of a
        CSV, TSV, JSON Lines or Parquet file.
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
    for package, names, reader in _READERS:
        if is_from(table, package, *names):
            return reader(_first(table, first))
    for package, hint in _ELSEWHERE.items():
        if is_from(table, package):
            raise ConfigurationError(
                f"a {type(table).__name__} of {package} is not in this process: give "
                f"`table{hint}`"
            )
    return _of_values(table, first)


def _of_file(path: Path, first: int | None, target: Target) -> Rows:
    reader = _FILES.get(path.suffix.lower())
    if reader is None:
        raise ConfigurationError(f"expected a table ({_EXPECTED}), got {str(path)!r}")
    if not path.is_file():
        raise ConfigurationError(f"{path} is not a file: expected a path to a table")
    return reader(path, first, target.of(path, _FILES))


def _first(table: Any, first: int | None) -> Any:
    if first is None:
        return table
    if is_from(table, "pyarrow"):
        return table.slice(0, first)
    return table.limit(first) if is_from(table, "duckdb") else table.head(first)


def _of_values(table: object, first: int | None) -> Rows:
    if isinstance(table, Mapping):
        if not all(isinstance(values, list | tuple) for values in table.values()):
            raise ConfigurationError(
                "expected a dict of lists, one a column, got a dict of other values"
            )
        return Columns({name: values[:first] for name, values in table.items()})
    if isinstance(table, bytes | bytearray) or not isinstance(table, Iterable):
        kind = type(table).__name__
        raise ConfigurationError(f"expected a table ({_EXPECTED}), got {kind}")
    values = getattr(table, "tolist", lambda: table)()  # an array's own values
    return Records(list(islice(values, first)))
