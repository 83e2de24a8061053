"""Rows that are values of Python: a list of dicts, or whatever can be iterated."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from h2o_magic.prompts.introspection import named_parts
from h2o_magic.tables.rows.base import BATCH, Kinds, Row, Rows

#: The column of rows that are no records.
VALUE = "value"
#: Seconds after which the rows so far are a batch: some iterators wait for theirs.
_PATIENCE = 0.1


class Records(Rows):
    """Dicts, or other records; what else there is has a column `value`.

    An iterator is read as a run goes, and its rows are kept. Its columns are those of
    its first row, until more are read.
    """

    def __init__(self, rows: Iterable[object]) -> None:
        self._rows: list[Mapping[object, object]] = []
        self._labels: dict[object, None] = {}
        self._unread = iter(rows)
        self._trouble: Exception | None = None
        self.names = ()
        self.count = None
        if isinstance(rows, Sequence):
            while self.count is None:
                self._read(BATCH)
        else:
            self._read(1)

    def batches(self, columns: Sequence[str]) -> Iterator[list[Row]]:
        known = list(self._labels)
        labels = [known[self.names.index(name)] for name in columns]
        start = 0
        while True:
            if start == len(self._rows) and self.count is None:
                self._read(BATCH)
            some = self._rows[start : start + BATCH]
            if not some:
                return
            yield [tuple(row.get(label) for label in labels) for row in some]
            start += len(some)

    def with_columns(self, kinds: Kinds, answers: Iterator[Row]) -> object:
        return [
            {**row, **dict(zip(kinds, values, strict=True))}
            for row, values in zip(self._rows, answers, strict=False)
        ]

    def take(self, numbers: Sequence[int]) -> Records:
        return Records([self._rows[number] for number in numbers])

    def _read(self, most: int) -> None:
        """Read some rows; count them if these are the last.

        What the iterator raises is raised once the rows before it were read.
        """
        if self._trouble is not None:
            raise self._trouble
        until = time.monotonic() + _PATIENCE
        before = len(self._rows)
        try:
            for number, row in enumerate(self._unread, start=1):
                self._keep(_record(row))
                if number == most or time.monotonic() > until:
                    return
        except Exception as error:
            if len(self._rows) == before:
                raise
            self._trouble = error
            return
        self.count = len(self._rows)

    def _keep(self, record: Mapping[object, object]) -> None:
        self._rows.append(record)
        known = len(self._labels)
        self._labels.update(dict.fromkeys(record))
        if len(self._labels) > known:
            self.names = tuple(map(str, self._labels))


def _record(row: object) -> Mapping[object, object]:
    if isinstance(row, dict):
        return row
    if isinstance(row, str):
        return {VALUE: row}
    if isinstance(row, Mapping):
        return dict(row)
    parts = named_parts(row)
    return {VALUE: row} if parts is None else dict(parts)
