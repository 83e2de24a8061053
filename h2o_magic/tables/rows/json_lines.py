"""Rows of JSON Lines: each stays as it stands, with the new fields behind its own."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

from h2o_magic.tables.cells import as_json, well_formed
from h2o_magic.tables.rows.base import Kinds, Row, free_name
from h2o_magic.tables.rows.records import VALUE
from h2o_magic.tables.rows.text_file import Record, TextFileRows


class JsonLinesRows(TextFileRows):
    """A file with a JSON value a line; what is no object stands in `value`."""

    def _records(self) -> Generator[Record, None, None]:
        with self._path.open(
            encoding="utf-8-sig", errors="surrogateescape", newline="\n"
        ) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _record(line.strip(), number)

    def _all_names(self) -> tuple[str, ...]:
        with closing(self._rows()) as records:
            return tuple(dict.fromkeys(n for record in records for n in record.cells))

    def _write(self, part: Path, kinds: Kinds, answers: Iterator[Row]) -> None:
        with part.open(
            "w", encoding="utf-8", errors="surrogateescape", newline=""
        ) as file:
            for record, values in zip(self._rows(), answers, strict=False):
                # Later rows may have names that the first ones have not.
                names = [free_name(name, record.cells) for name in kinds]
                added = as_json(dict(zip(names, values, strict=True)))
                file.write(f"{_with_fields(record.text, added)}\n")


def _record(line: str, number: int) -> Record:
    """Return a row; of one that is not JSON, its text as `line`."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        own = f'{{"line": {json.dumps(line, ensure_ascii=False)}}}'
        problem = f"line {number:,} cannot be read: not valid JSON: {error}"
        return Record(own, {"line": line}, problem)
    if not isinstance(value, dict):
        line, value = f'{{"{VALUE}": {line}}}', {VALUE: value}
    if well_formed(line) == line:
        return Record(line, value)
    return Record(line, value, f"line {number:,} cannot be read: it is not UTF-8")


def _with_fields(text: str, added: str) -> str:
    """Return the JSON of an object with the fields of another one."""
    own = text[:-1].rstrip()
    return f"{own}{'' if own == '{' else ', '}{added[1:]}"
