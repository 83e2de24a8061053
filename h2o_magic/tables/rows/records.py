"""Rows that are values of Python: a list of dicts, or a dict of lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.introspection import named_parts
from h2o_magic.tables.rows.base import BATCH, Kinds, Row, Rows

#: The column of rows that are no records.
VALUE = "value"


class Records(Rows):
    """A list of dicts, or of other records; what else there is has a column `value`."""

    def __init__(self, rows: Sequence[object]) -> None:
        self._rows = [_record(row) for row in rows]
        self._labels = tuple(dict.fromkeys(key for row in self._rows for key in row))
        self.names = tuple(map(str, self._labels))
        self.count = len(self._rows)

    def batches(self, columns: Sequence[str]) -> Iterator[list[Row]]:
        labels = [self._labels[self.names.index(name)] for name in columns]
        for start in range(0, len(self._rows), BATCH):
            some = self._rows[start : start + BATCH]
            values = [[row.get(label) for row in some] for label in labels]
            yield list(zip(*values, strict=True))

    def with_columns(self, kinds: Kinds, answers: Iterator[Row]) -> object:
        return [
            {**row, **dict(zip(kinds, values, strict=True))}
            for row, values in zip(self._rows, answers, strict=False)
        ]

    def take(self, numbers: Sequence[int]) -> Records:
        return Records([self._rows[number] for number in numbers])


class Columns(Rows):
    """A dict of lists, each of them a column."""

    def __init__(self, columns: Mapping[object, Sequence[object]]) -> None:
        lengths = {str(name): len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{name} has {size:,}" for name, size in lengths.items())
            raise ConfigurationError(f"expected columns of one length: {found}")
        self._columns = {name: list(values) for name, values in columns.items()}
        self.names = tuple(lengths)
        self.count = next(iter(lengths.values()), 0)

    def batches(self, columns: Sequence[str]) -> Iterator[list[Row]]:
        lists = list(self._columns.values())
        chosen = [lists[self.names.index(name)] for name in columns]
        for start in range(0, self.count, BATCH):
            some = [values[start : start + BATCH] for values in chosen]
            yield list(zip(*some, strict=True))

    def with_columns(self, kinds: Kinds, answers: Iterator[Row]) -> object:
        added: dict[object, list[object]] = {name: [] for name in kinds}
        for _, values in zip(range(self.count), answers, strict=False):
            for column, value in zip(added.values(), values, strict=True):
                column.append(value)
        return {**self._columns, **added}

    def take(self, numbers: Sequence[int]) -> Columns:
        return Columns(
            {
                name: [values[number] for number in numbers]
                for name, values in self._columns.items()
            }
        )


def _record(row: object) -> Mapping[object, object]:
    if isinstance(row, dict):
        return row
    if isinstance(row, str):
        return {VALUE: row}
    if isinstance(row, Mapping):
        return dict(row)
    parts = named_parts(row)
    return {VALUE: row} if parts is None else dict(parts)
