"""Writers of rows to a file, by its ending."""

from __future__ import annotations

import csv
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.cells import as_json, as_text, is_missing, json_texts, well_formed
from h2o_magic.tables.rows.arrow import arrow_type
from h2o_magic.tables.rows.base import BATCH, Kinds, Row

#: Writes a row: its own cells, and its new values.
Write: TypeAlias = Callable[[Sequence[object], Row], None]

#: Bytes of a group of Parquet: fewer are read slowly, and all of them are in memory.
_GROUP = 16 * 1024**2


def open_writer(
    path: Path, ending: str, names: Sequence[str], kinds: Kinds
) -> AbstractContextManager[Write]:
    """Return what writes rows with these columns to a file of another kind."""
    if ending == ".parquet":
        return _parquet(path, names, kinds)
    if ending in (".csv", ".tsv"):
        return _csv(path, [*names, *kinds], "\t" if ending == ".tsv" else ",")
    return _json_lines(path, [*names, *kinds])


@contextmanager
def _csv(path: Path, names: Sequence[str], delimiter: str) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(map(well_formed, names))

        def write(cells: Sequence[object], values: Row) -> None:
            writer.writerow([well_formed(as_text(cell)) for cell in (*cells, *values)])

        yield write


@contextmanager
def _json_lines(path: Path, names: Sequence[str]) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:

        def write(cells: Sequence[object], values: Row) -> None:
            row = [None if is_missing(cell) else cell for cell in (*cells, *values)]
            file.write(f"{as_json(dict(zip(names, row, strict=True)))}\n")

        yield write


@contextmanager
def _parquet(path: Path, names: Sequence[str], kinds: Kinds) -> Iterator[Write]:
    arrow, _ = parquet_modules()
    kinds = {**dict.fromkeys(names, "text"), **kinds}
    rows: list[Row] = []
    with parquet_writer(path, schema_of(arrow.schema([]), kinds)) as write_table:

        def flush() -> None:
            write_table(arrow.Table.from_arrays(arrays_of(rows, kinds), list(kinds)))
            rows.clear()

        def write(cells: Sequence[object], values: Row) -> None:
            rows.append((*map(_text_or_none, cells), *values))
            if len(rows) == BATCH:
                flush()

        yield write
        flush()


def _text_or_none(cell: object) -> str | None:
    return None if is_missing(cell) else well_formed(as_text(cell))


def parquet_modules() -> tuple[Any, Any]:
    """Return pyarrow, and its part for Parquet; a ConfigurationError without it."""
    if importlib.util.find_spec("pyarrow") is None:
        raise ConfigurationError(
            "a Parquet file is read and written by pyarrow: run `pip install pyarrow`"
        )
    return importlib.import_module("pyarrow"), importlib.import_module(
        "pyarrow.parquet"
    )


def schema_of(old: Any, kinds: Kinds) -> Any:
    """Return the schema of a table with new columns."""
    arrow, _ = parquet_modules()
    for name, kind in kinds.items():
        old = old.append(arrow.field(name, arrow_type(arrow, kind)))
    return old


def arrays_of(rows: Sequence[Row], kinds: Kinds) -> list[Any]:
    """Return the values of new columns; nested ones are JSON texts."""
    arrow, _ = parquet_modules()
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    return [
        arrow.array(
            json_texts(values) if kind == "object" else values, arrow_type(arrow, kind)
        )
        for kind, values in zip(kinds.values(), columns, strict=True)
    ]


@contextmanager
def parquet_writer(path: Path, schema: Any) -> Iterator[Callable[[Any], None]]:
    """Give what writes tables to a file, some of them together."""
    arrow, parquet = parquet_modules()
    tables: list[Any] = []

    def flush() -> None:
        if tables:
            writer.write_table(arrow.concat_tables(tables))
        tables.clear()

    def write(table: Any) -> None:
        tables.append(table.cast(schema))
        if sum(each.nbytes for each in tables) >= _GROUP:
            flush()

    with parquet.ParquetWriter(path, schema) as writer:
        yield write
        flush()
