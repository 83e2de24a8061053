"""Rows of a text file: read line by line, and written to another one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.cells import Unreadable
from h2o_magic.tables.rows.base import BATCH, Row
from h2o_magic.tables.rows.files import FileRows, Target

#: Characters by which a file's names are found; the rows of a shorter one are counted.
_LOOKED_AT = 16 * 1024**2


class Record(NamedTuple):
    """A row as it stands in a file: its text, and its values by name.

    `problem` says why it cannot be read; empty if it can.
    """

    text: str
    cells: Mapping[str, object]
    problem: str = ""


class TextFileRows(FileRows):
    """A text file, of which only the row at hand is in memory."""

    def __init__(self, path: Path, first: int | None, target: Target) -> None:
        super().__init__(path, target)
        self._first = first
        self._check_encoding()
        self.names, self.count = self._look()

    def batches(self, columns: Sequence[str]) -> Iterator[list[Row]]:
        with closing(self._rows()) as records:
            while some := list(islice(records, BATCH)):
                yield [_values(record, columns) for record in some]
        self._check_unchanged()

    @abstractmethod
    def _records(self) -> Generator[Record, None, None]:
        """Yield all rows."""

    def _rows(self) -> Generator[Record, None, None]:
        yield from islice(self._records(), self._first)

    def _cells(self) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
        names = self._all_names()
        return names, ([row.cells.get(name) for name in names] for row in self._rows())

    def _all_names(self) -> tuple[str, ...]:
        return self.names

    def _look(self) -> tuple[tuple[str, ...], int | None]:
        """Return the names of columns, and the number of rows in a short file."""
        names: dict[str, None] = {}
        count = size = 0
        with closing(self._rows()) as records:
            for record in records:
                if not record.problem:
                    names.update(dict.fromkeys(record.cells))
                count += 1
                size += len(record.text)
                if size > _LOOKED_AT:
                    return tuple(names), None
        return tuple(names), count

    def _check_encoding(self) -> None:
        try:
            with self._path.open(encoding="utf-8-sig") as file:
                start = file.read(2**16)
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"expected UTF-8 in {self._path}, got the byte 0x"
                f"{error.object[error.start]:02x}: save it as UTF-8"
            ) from error
        except OSError as error:
            raise ConfigurationError(
                f"cannot read {self._path}: {error.strerror or error}"
            ) from error
        if "\0" in start:
            raise ConfigurationError(f"{self._path} is not a text file: it has zeros")


def _values(record: Record, columns: Sequence[str]) -> Row:
    if record.problem:
        return (Unreadable(record.problem),) * len(columns)
    return tuple(record.cells.get(name) for name in columns)
