"""Rows of a Parquet file: a batch at a time, and only the columns that are used."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.rows.base import BATCH, Kinds, Row, Rows
from h2o_magic.tables.rows.parquet_writer import arrays_of, grouped, modules, schema_of
from h2o_magic.tables.rows.records import Records
from h2o_magic.tables.rows.snapshot import Snapshot
from h2o_magic.tables.rows.target import Target
from h2o_magic.tables.rows.writers import open_writer

#: Bytes of each column that are read at once: without it, all of a group of rows.
_BUFFER = 256 * 1024


class ParquetRows(Rows):
    """A Parquet file, of which only a few rows are in memory."""

    def __init__(self, path: Path, first: int | None, target: Target) -> None:
        self._arrow, _ = modules()
        self._path = path
        self._target = target
        self._snapshot = Snapshot(path)
        with self._opened() as file:
            self._schema = file.schema_arrow
            rows = file.metadata.num_rows
            self._compression = _compression(file.metadata)
        self.names = tuple(self._schema.names)
        self.count: int = rows if first is None else min(rows, first)

    def batches(self, columns: Sequence[str]) -> Iterator[list[Row]]:
        with closing(self._read(list(dict.fromkeys(columns)))) as batches:
            for batch in batches:
                values = [batch.column(name).to_pylist() for name in columns]
                yield list(zip(*values, strict=True))
        self._snapshot.check()

    def with_columns(self, kinds: Kinds, answers: Iterator[Row]) -> object:
        self._snapshot.check()
        with self._target.written() as part, closing(self._read(None)) as batches:
            if self._target.file.suffix.lower() == ".parquet":
                self._write(part, kinds, batches, answers)
            else:
                self._convert(part, kinds, batches, answers)
            self._snapshot.check()
        return self._target.file

    def take(self, numbers: Sequence[int]) -> Records:
        return Records([{"row": number} for number in numbers])

    def _write(
        self, part: Path, kinds: Kinds, batches: Iterator[Any], answers: Iterator[Row]
    ) -> None:
        schema = schema_of(self._schema, kinds)
        with grouped(part, schema, self._compression) as write:
            for batch in batches:
                added = arrays_of(list(islice(answers, batch.num_rows)), kinds)
                columns = [*batch.columns, *added]
                write(self._arrow.Table.from_arrays(columns, schema.names))

    def _convert(
        self, part: Path, kinds: Kinds, batches: Iterator[Any], answers: Iterator[Row]
    ) -> None:
        ending = self._target.file.suffix.lower()
        with open_writer(part, ending, self.names, kinds) as write:
            for batch in batches:
                columns = [column.to_pylist() for column in batch.columns]
                for cells in zip(*columns, strict=True):
                    write(cells, next(answers))

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
        arrow, parquet = modules()
        try:
            return parquet.ParquetFile(
                self._path, buffer_size=_BUFFER, pre_buffer=False
            )
        except (arrow.ArrowException, OSError) as error:
            raise ConfigurationError(f"cannot read {self._path}: {error}") from error


def _compression(metadata: Any) -> str:
    if metadata.num_row_groups == 0 or metadata.num_columns == 0:
        return "snappy"
    found = str(metadata.row_group(0).column(0).compression).lower()
    return "none" if found == "uncompressed" else found
