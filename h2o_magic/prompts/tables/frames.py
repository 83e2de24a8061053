"""What every reader of a package's tables gives; one of rows in hand, one of none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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


class Frame(ABC):
    """A table that can be read; what reads a package's tables inherits from it.

    `title` is its kind and size. `height` are its rows, None if to count them would be
    work. `fields` are the levels of the index, if it says anything, and the columns; a
    place is that of one of these.
    """

    title: str
    height: int | None
    fields: Sequence[Field]

    def notes(self) -> Iterable[str]:
        """Return what else is to be said of it, a line each."""
        return ()

    @abstractmethod
    def values(self, place: int, rows: Sequence[int] | None) -> list[object]:
        """Return the values of a field in some rows or in all, None where missing."""

    def exact(self, place: int) -> Exact | None:  # noqa: ARG002
        """Return what can be counted at little cost of all rows."""
        return None

    def first(self, places: Sequence[int], count: int) -> list[tuple[object, ...]]:
        """Return the first rows, each with the values of some fields."""
        rows = list(range(min(count, self.height or 0)))
        return list(zip(*(self.values(each, rows) for each in places), strict=True))


def size(rows: int, columns: int | None = None) -> str:
    width = [] if columns is None else [counted(columns, "column")]
    return " x ".join([counted(rows, "row"), *width])


@dataclass(frozen=True, slots=True)
class RowsInHand(Frame):
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

    def first(self, places: Sequence[int], count: int) -> list[tuple[object, ...]]:
        return [tuple(row[place] for place in places) for row in self.rows[:count]]
