"""A table as a run sees it, whatever holds it: rows to read, and columns to add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from h2o_magic.errors import ConfigurationError

#: What the values of a column are; all may be missing (None).
Kind: TypeAlias = Literal["text", "integer", "number", "boolean", "object"]
#: New columns, by name, in order.
Kinds: TypeAlias = Mapping[str, Kind]
#: Some rows of new columns: a list of values for each, all of one length.
ColumnBatch: TypeAlias = Mapping[str, list[object]]

#: Rows in one batch.
BATCH = 1000


@runtime_checkable
class Rows(Protocol):
    """A table, or its first rows.

    `names` are the names of its columns, as text, in order. `count` is the number of
    rows; None if that is not known before they are read.
    """

    names: tuple[str, ...]
    count: int | None

    def batches(self, columns: Sequence[str]) -> Iterator[list[tuple[object, ...]]]:
        """Yield the rows in order, some at a time: the values of these columns.

        The values are Python's own where there are any (a number of numpy is none).
        """

    def with_columns(self, kinds: Kinds, batches: Iterator[ColumnBatch]) -> object:
        """Return the rows with more columns, as the kind of table that they are.

        Order and index stay. `batches` are the new columns, in order of the rows.
        """


class Records(Rows):
    """A list of dicts; other values stand in a column of their own, ``value``."""

    def __init__(self, rows: Sequence[object], first: int | None = None) -> None:
        self._rows = [
            row if isinstance(row, dict) else {"value": row}
            for row in islice(rows, first)
        ]
        self.names = tuple(dict.fromkeys(str(k) for row in self._rows for k in row))
        self.count = len(self._rows)

    def batches(self, columns: Sequence[str]) -> Iterator[list[tuple[object, ...]]]:
        for start in range(0, len(self._rows), BATCH):
            some = self._rows[start : start + BATCH]
            yield [tuple(row.get(name) for name in columns) for row in some]

    def with_columns(self, kinds: Kinds, batches: Iterator[ColumnBatch]) -> object:
        found: list[dict[str, object]] = []
        rows = iter(self._rows)
        for batch in batches:
            for values in zip(*batch.values(), strict=True):
                found.append({**next(rows), **dict(zip(kinds, values, strict=True))})
        return found


def rows_of(table: object, first: int | None = None) -> Rows:
    """Return a table's rows, or its first ones; a ConfigurationError if it is none."""
    if isinstance(table, list):
        return Records(table, first)
    raise ConfigurationError(f"expected a table, got {type(table).__name__}")
