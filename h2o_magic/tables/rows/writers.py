"""Writers of rows to a file of another kind than the one they come from."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

from h2o_magic.tables.cells import as_text, is_missing, well_formed
from h2o_magic.tables.rows.base import BATCH, Kinds, Row
from h2o_magic.tables.rows.parquet_writer import arrays_of, grouped, modules, schema_of

#: Writes a row: its own cells, and its new values.
Write: TypeAlias = Callable[[Sequence[object], Row], None]


def open_writer(
    path: Path, ending: str, names: Sequence[str], kinds: Kinds
) -> AbstractContextManager[Write]:
    """Return what writes rows with these columns, by the ending of a file's name."""
    if ending == ".parquet":
        return _parquet(path, names, kinds)
    if ending in (".csv", ".tsv"):
        return _csv(path, [*names, *kinds], "\t" if ending == ".tsv" else ",")
    return _json_lines(path, [*names, *kinds])


def as_json(value: object) -> str:
    """Return a value as JSON; what JSON has no name for is text, or null."""
    return well_formed(
        json.dumps(_missing_as_none(value), ensure_ascii=False, default=as_text)
    )


def _missing_as_none(value: object) -> object:
    return None if is_missing(value) else value


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
            row = map(_missing_as_none, (*cells, *values))
            file.write(f"{as_json(dict(zip(names, row, strict=True)))}\n")

        yield write


@contextmanager
def _parquet(path: Path, names: Sequence[str], kinds: Kinds) -> Iterator[Write]:
    arrow, _ = modules()
    old = arrow.schema([(name, arrow.string()) for name in names])
    texts: list[list[str | None]] = []
    rows: list[Row] = []
    with grouped(path, schema_of(old, kinds)) as group:

        def flush() -> None:
            columns = list(zip(*texts, strict=True)) or [()] * len(names)
            arrays = [arrow.array(column, arrow.string()) for column in columns]
            added = arrays_of(rows, kinds)
            group(arrow.Table.from_arrays([*arrays, *added], [*names, *kinds]))
            texts.clear()
            rows.clear()

        def write(cells: Sequence[object], values: Row) -> None:
            texts.append([_text_or_none(cell) for cell in cells])
            rows.append(values)
            if len(rows) == BATCH:
                flush()

        yield write
        flush()


def _text_or_none(cell: object) -> str | None:
    return None if is_missing(cell) else well_formed(as_text(cell))
