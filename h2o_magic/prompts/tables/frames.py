"""What every reader of a package's tables gives; one of rows in hand, one of none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from h2o_magic.config.units import counted


@dataclass(frozen=True, slots=True)
class Field:
    """A column, or a level of the index."""

    name: object
    dtype: str
    is_index: bool = False


@dataclass(frozen=True, slots=True)
class Exact:
    """What a package has counted of a whole column: its gaps, and perhaps its range."""

    missing: int
    least: object = None
    mean: float | None = None
    most: object = None


class Frame(Protocol):
    """A table that can be read: each place is one of its fields."""

    @property
    def title(self) -> str:
        """The kind of table and its size."""

    @property
    def height(self) -> int | None:
        """Rows; None if to count them would be work."""

    @property
    def fields(self) -> Sequence[Field]:
        """The levels of the index, if it says anything, and the columns."""

    def notes(self) -> Iterable[str]:
        """Return what else is to be said of it, a line each."""

    def values(self, place: int, rows: Sequence[int] | None) -> list[object]:
        """Return the values of a field in some rows or in all, None where missing."""

    def exact(self, place: int) -> Exact | None:
        """Return what can be counted at little cost of all rows."""

    def first(self, places: Sequence[int], count: int) -> list[tuple[object, ...]]:
        """Return the first rows, each with the values of some fields."""


def size(rows: int, columns: int | None = None) -> str:
    width = [] if columns is None else [counted(columns, "column")]
    return " x ".join([counted(rows, "row"), *width])


class Columnar:
    """A table whose package gives the values of a column in some rows."""

    def __init__(self, title: str, height: int, fields: Iterable[Field]) -> None:
        self.title = title
        self.height: int | None = height
        self.fields: Sequence[Field] = list(fields)

    def notes(self) -> Iterable[str]:
        return ()

    def values(self, place: int, rows: Sequence[int] | None) -> list[object]:
        raise NotImplementedError

    def first(self, places: Sequence[int], count: int) -> list[tuple[object, ...]]:
        rows = list(range(min(count, self.height or 0)))
        return list(zip(*(self.values(each, rows) for each in places), strict=True))


@dataclass(frozen=True, slots=True)
class RowsInHand:
    """A table of which only these rows were read; all, if its height is known."""

    title: str
    fields: Sequence[Field]
    rows: Sequence[tuple[object, ...]] = ()
    height: int | None = None
    note: str = ""

    def notes(self) -> Iterable[str]:
        return [self.note] if self.note else []

    def values(self, place: int, rows: Sequence[int] | None) -> list[object]:
        chosen = self.rows if rows is None else [self.rows[row] for row in rows]
        return [row[place] for row in chosen]

    def exact(self, place: int) -> Exact | None:
        del place
        return None

    def first(self, places: Sequence[int], count: int) -> list[tuple[object, ...]]:
        return [tuple(row[place] for place in places) for row in self.rows[:count]]
