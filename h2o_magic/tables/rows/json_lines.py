"""Rows of JSON Lines: each stays as it stands, with the new fields behind its own."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

from h2o_magic.tables.rows.base import Kinds, Row
from h2o_magic.tables.rows.records import VALUE
from h2o_magic.tables.rows.text_file import Record, TextFileRows, is_utf8
from h2o_magic.tables.rows.writers import as_json

_ENDINGS = (".jsonl", ".ndjson")


class JsonLinesRows(TextFileRows):
    """A file with a JSON value a line; what is no object stands in `value`."""

    def _records(self) -> Generator[Record, None, None]:
        with self._path.open(
            encoding="utf-8-sig", errors="surrogateescape", newline="\n"
        ) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _record(line.strip(), number)

    def _goes_to_its_kind(self) -> bool:
        return self._target.file.suffix.lower() in _ENDINGS

    def _all_names(self) -> tuple[str, ...]:
        with closing(self._rows()) as records:
            return tuple(dict.fromkeys(n for record in records for n in record.cells))

    def _write(
        self, part: Path, kinds: Kinds, rows: Iterator[tuple[Record, Row]]
    ) -> None:
        with part.open(
            "w", encoding="utf-8", errors="surrogateescape", newline=""
        ) as file:
            for record, values in rows:
                added: dict[str, object] = {}
                for name, value in zip(kinds, values, strict=True):
                    added[_free(name, record)] = value
                file.write(f"{_with_fields(record.text, as_json(added))}\n")


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
    if is_utf8(line):
        return Record(line, value)
    return Record(line, value, f"line {number:,} cannot be read: it is not UTF-8")


def _free(name: str, record: Record) -> str:
    """Return a name that a row has not yet: later ones may have more than the first."""
    while name in record.cells:
        name += "_answer"
    return name


def _with_fields(text: str, added: str) -> str:
    """Return the JSON of an object with the fields of another one."""
    own = text[:-1].rstrip()
    return f"{own}{'' if own == '{' else ', '}{added[1:]}"
