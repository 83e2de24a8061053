"""Rows of a Parquet file: a batch at a time, and only the columns that are used."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.rows.base import BATCH, Kinds, Row
from h2o_magic.tables.rows.files import FileRows, Target
from h2o_magic.tables.rows.writers import (
    arrays_of,
    parquet_modules,
    parquet_writer,
    schema_of,
)

#: Bytes of each column that are read at once: without it, all of a group of rows.
_BUFFER = 256 * 1024


class ParquetRows(FileRows):
    """A Parquet file, of which only a few rows are in memory."""

    def __init__(self, path: Path, first: int | None, target: Target) -> None:
        super().__init__(path, target)
        self._arrow, self._parquet = parquet_modules()
        with self._opened() as file:
            self._schema = file.schema_arrow
            rows = file.metadata.num_rows
        self.names = tuple(self._schema.names)
        self.count: int = rows if first is None else min(rows, first)

    def batches(self, columns: Sequence[str]) -> Iterator[list[Row]]:
        with closing(self._read(list(dict.fromkeys(columns)))) as batches:
            for batch in batches:
                values = [batch.column(name).to_pylist() for name in columns]
                yield list(zip(*values, strict=True))
        self._check_unchanged()

    def _write(self, part: Path, kinds: Kinds, answers: Iterator[Row]) -> None:
        schema = schema_of(self._schema, kinds)
        with parquet_writer(part, schema) as write:
            for batch in self._read(None):
                added = arrays_of(list(islice(answers, batch.num_rows)), kinds)
                columns = [*batch.columns, *added]
                write(self._arrow.Table.from_arrays(columns, schema.names))

    def _cells(self) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
        batches = (batch.columns for batch in self._read(None))
        columns = ([one.to_pylist() for one in some] for some in batches)
        return self.names, (row for some in columns for row in zip(*some, strict=True))

    def _read(self, columns: list[str] | None) -> Generator[Any, None, None]:
        """Yield batches of the rows that count."""
        left = self.count
        with self._opened() as file:
            for batch in file.iter_batches(BATCH, columns=columns, use_threads=False):
                if left <= 0:
                    return
                yield batch.slice(0, left)
                left -= batch.num_rows

    def _opened(self) -> Any:
        try:
            return self._parquet.ParquetFile(
                self._path, buffer_size=_BUFFER, pre_buffer=False
            )
        except (self._arrow.ArrowException, OSError) as error:
            raise ConfigurationError(f"cannot read {self._path}: {error}") from error
