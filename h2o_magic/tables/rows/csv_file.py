"""Rows of a CSV file: each stays as it stands, with the new fields behind it."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.cells import as_text, well_formed
from h2o_magic.tables.rows.base import Kinds, Row
from h2o_magic.tables.rows.files import Target
from h2o_magic.tables.rows.text_file import Record, TextFileRows

#: What stands between the fields of files that are called .csv.
_DELIMITERS = ",;\t"
#: Characters of a field: as many as csv's C code can count on every system.
_LONGEST = 2**31 - 1


class CsvRows(TextFileRows):
    """A CSV or TSV file with a line of names; it may use ``;`` or tabs."""

    def __init__(self, path: Path, first: int | None, target: Target) -> None:
        csv.field_size_limit(_LONGEST)  # by default a long text is an error
        self._tabs = path.suffix.lower() == ".tsv"
        super().__init__(path, first, target)

    def _look(self) -> tuple[tuple[str, ...], int | None]:
        with self._opened() as file:
            self._delimiter = "\t" if self._tabs else _delimiter(file.readline())
            file.seek(0)
            header, self._header, _ = next(self._parsed(file), ([], "", 0))
        if not header:
            raise ConfigurationError(
                f"{self._path} is empty: expected a line with the names of its columns"
            )
        self._names = tuple(header)
        if len(set(header)) < len(header) and not self._goes_to_its_kind():
            raise ConfigurationError(
                f"{self._path} has columns of the same name: give a target that is a "
                "CSV file, too"
            )
        return self._names, super()._look()[1]

    def _records(self) -> Generator[Record, None, None]:
        with self._opened() as file:
            rows = self._parsed(file)
            next(rows, None)
            for cells, text, line in rows:
                if cells:
                    yield self._record(cells, text, line)

    def _record(self, cells: list[str], text: str, line: int) -> Record:
        names = self._names
        problem = ""
        if len(cells) != len(names):
            problem = f"expected {len(names)} fields, got {len(cells)}"
        elif well_formed(text) != text:
            problem = "it is not UTF-8"
        elif text.count('"') % 2 and not _is_closed(text, self._delimiter):
            problem = "a quote is not closed"
        if not problem:
            return Record(text, dict(zip(names, cells, strict=True)))
        if len(cells) > len(names):  # the rest belongs to the last one, if to any
            rest = self._delimiter.join(cells[len(names) - 1 :])
            cells = [*cells[: len(names) - 1], rest]
        cells = [*cells, *[""] * (len(names) - len(cells))]
        whole = dict(zip(names, cells, strict=True))
        problem = f"line {line:,} cannot be read: {problem}"
        return Record(self._line(cells), whole, problem)

    def _write(self, part: Path, kinds: Kinds, answers: Iterator[Row]) -> None:
        with self._path.open("rb") as source:
            has_mark = source.read(3) == b"\xef\xbb\xbf"
        encoding = "utf-8-sig" if has_mark else "utf-8"
        with part.open(
            "w", encoding=encoding, errors="surrogateescape", newline=""
        ) as file:
            names, end = _split(self._header)
            end = end or "\n"
            file.write(self._joined(names, list(kinds)) + end)
            for record, values in zip(self._rows(), answers, strict=False):
                text, _ = _split(record.text)
                file.write(self._joined(text, values) + end)

    def _joined(self, text: str, values: Sequence[object]) -> str:
        texts = [well_formed(as_text(value)) for value in values]
        return f"{text}{self._delimiter}{self._line(texts)}"

    def _line(self, cells: Sequence[object]) -> str:
        """Return cells as they are written, without the end of the line."""
        # What `write` returns is returned by `writerow`.
        writer = csv.writer(_Echo(), delimiter=self._delimiter)
        return str(writer.writerow(cells)).removesuffix("\r\n")

    def _parsed(self, file: TextIO) -> Iterator[tuple[list[str], str, int]]:
        """Yield rows, the text of each, and the line in which it begins, from 1."""
        line = 1
        taken: list[str] = []

        def lines() -> Iterator[str]:
            for line in file:
                taken.append(line)
                yield line

        try:
            for cells in csv.reader(lines(), delimiter=self._delimiter):
                yield cells, "".join(taken), line
                line += len(taken)
                taken.clear()
        except csv.Error as error:  # a zero, in Python 3.10
            raise ConfigurationError(f"cannot read {self._path}: {error}") from error

    def _opened(self) -> TextIO:
        return self._path.open(
            encoding="utf-8-sig", errors="surrogateescape", newline=""
        )


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _delimiter(header: str) -> str:
    """Return what stands between the names of a header, outside of quotes."""
    bare = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def _is_closed(text: str, delimiter: str) -> bool:
    try:
        next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return True


def _split(text: str) -> tuple[str, str]:
    """Return a row without the end of its line, and that."""
    body = text.rstrip("\r\n")
    return body, text[len(body) :]
