"""A table as a run sees it, whatever holds it: rows to read, and columns to add."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

#: What the values of a column are; all may be missing (None).
Kind: TypeAlias = Literal["text", "integer", "number", "boolean", "object"]
#: New columns, by name, in order.
Kinds: TypeAlias = Mapping[str, Kind]
#: The values of some columns in one row.
Row: TypeAlias = tuple[object, ...]

#: Rows in one batch.
BATCH = 1000


class Rows(ABC):
    """A table, or its first rows.

    `names` are the names of its columns, as text, in order. `count` is the number of
    rows; None if that is not known before they are read. What `is_file` has a
    `with_columns` that writes a file.
    """

    names: tuple[str, ...]
    count: int | None
    is_file = False

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[list[Row]]:
        """Yield the rows in order, some at a time: the values of these columns.

        The values are Python's own where there are any (a number of numpy is none). A
        row that cannot be read has `Unreadable` ones.
        """

    @abstractmethod
    def with_columns(self, kinds: Kinds, answers: Iterator[Row]) -> object:
        """Return the rows with more columns, as the kind of table that they are.

        Order and index stay. `answers` are the values of the new columns, in order of
        the rows; it may have more than there are rows.
        """

    @abstractmethod
    def take(self, numbers: Sequence[int]) -> Rows:
        """Return some rows, by their numbers from 0; of a file, these numbers alone."""


def free_name(name: str, names: Collection[str]) -> str:
    """Return a name that is none of `names`: with ``_answer`` behind it if need be.

    Not even in other letters: to DuckDB, ``Answer`` is ``answer``.
    """
    taken = {each.casefold() for each in names}
    while name.casefold() in taken:
        name += "_answer"
    return name
