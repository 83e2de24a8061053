"""What is said of a table: frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column, or a level of the index, in words.

    `place` is where it stands. `missing` and `distinct` are counts as text, empty if
    they are not known. What is in it is said in a few words (`short`), with outliers
    and more values (`brief`), and with quartiles and rarer values (`full`). One that is
    `named` in the question is never short.
    """

    place: int
    label: str
    dtype: str
    missing: str = ""
    distinct: str = ""
    short: str = ""
    brief: str = ""
    full: str = ""
    named: bool = False

    @property
    def gaps(self) -> int:
        """How many values are missing, 0 if that is not known."""
        return int(self.missing.split()[0].replace(",", "")) if self.missing else 0

    def line(self) -> str:
        """Return it as a line of prose, for a level of an index."""
        missing = f"{self.missing} missing" if self.gaps else ""
        distinct = f"{self.distinct} distinct" if self.distinct else ""
        parts = (self.label, self.dtype, missing, distinct, self.brief)
        return ", ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table in words.

    `columns` are those of which something is said, the most important first, of `width`
    in all; `overview` says something of all, for when not all of those fit. `rows` are
    the first of `height` rows (None if not known) as cells: of the index, and then of
    `columns`.
    """

    title: str
    notes: tuple[str, ...]
    columns: tuple[ColumnFacts, ...]
    width: int
    overview: tuple[str, ...]
    index_labels: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    height: int | None = None
