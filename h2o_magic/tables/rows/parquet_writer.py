"""Writing of Parquet, a group of rows after the other."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.rows.arrow import arrow_type
from h2o_magic.tables.rows.base import Kinds, Row
from h2o_magic.tables.rows.frames import as_json

#: Bytes of a group: fewer are read slowly, and all of them are in memory.
_GROUP = 16 * 1024**2


def modules() -> tuple[Any, Any]:
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
    arrow, _ = modules()
    for name, kind in kinds.items():
        old = old.append(arrow.field(name, arrow_type(arrow, kind)))
    return old


def arrays_of(rows: Sequence[Row], kinds: Kinds) -> list[Any]:
    """Return the values of new columns; nested ones are JSON texts."""
    arrow, _ = modules()
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    return [
        arrow.array(
            as_json(values) if kind == "object" else values, arrow_type(arrow, kind)
        )
        for kind, values in zip(kinds.values(), columns, strict=True)
    ]


@contextmanager
def grouped(
    path: Path, schema: Any, compression: str = "snappy"
) -> Iterator[Callable[[Any], None]]:
    """Give what writes tables to a file, some of them together."""
    arrow, parquet = modules()
    tables: list[Any] = []

    def flush() -> None:
        if tables:
            writer.write_table(arrow.concat_tables(tables))
        tables.clear()

    def write(table: Any) -> None:
        tables.append(table.cast(schema))
        if sum(each.nbytes for each in tables) >= _GROUP:
            flush()

    with parquet.ParquetWriter(path, schema, compression=compression) as writer:
        yield write
        flush()
