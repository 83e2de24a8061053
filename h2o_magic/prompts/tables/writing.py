"""A table's facts as text of at most so many tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from operator import attrgetter
from typing import ClassVar

from h2o_magic.chat.tokens import tokens_in
from h2o_magic.config.units import counted
from h2o_magic.prompts.tables.cells import line, markdown
from h2o_magic.prompts.tables.facts import ColumnFacts, TableFacts

#: Tokens of a description unless another number is asked for.
_DEFAULT = 1_000
#: The share of the room that quartiles, outliers and more may take from example rows.
_FULL = 0.6
#: The share of it for the names of columns of which nothing else is said.
_NAMES = 0.3
#: Rows for which columns are left out where the rows are what was asked for.
_ROWS_BEFORE_COLUMNS = 3

Chosen = Sequence[int]


@dataclass(frozen=True, slots=True)
class TableText:
    """A table as it was: its columns and rows, or `rows_only` with their types."""

    facts: TableFacts
    rows_only: bool = False
    inline: str = ""
    summarizes: ClassVar[bool] = True

    @property
    def least(self) -> int:
        if self.rows_only:
            return tokens_in(self.text(_DEFAULT))
        bare = replace(self.facts, rows=())
        return tokens_in(replace(self, facts=bare).text(_DEFAULT))

    def text(self, tokens: int) -> str:
        title = self.facts.title
        head = [title, *_fitting(self.facts.notes, tokens - tokens_in(title) - 1)]
        room = tokens - _cost(head) - 2
        body, chosen = self._types(room) if self.rows_only else self._columns(room)
        rows = self._rows(chosen, room - _cost(body) - 2)
        return "\n\n".join("\n".join(part) for part in (head, body, rows) if part)

    def _columns(self, room: int) -> tuple[list[str], Chosen]:
        """Return the table of the columns, and which of them are in it."""
        columns = self.facts.columns
        if len(columns) == self.facts.width:
            chosen = self._in_place(len(columns))
            shown = [columns[each] for each in chosen]
            details = (attrgetter("full"), attrgetter("brief"), _short)
            for detail in details:
                lines = _table(shown, detail)
                most = _FULL if self.facts.rows and detail is not _short else 1
                if _cost(lines) <= room * most:
                    return lines, chosen
        return self._some_columns(room), ()

    def _some_columns(self, room: int) -> list[str]:
        """Return lines on all columns, a part of the table, and names; no rows."""
        columns = self.facts.columns
        all_known = len(columns) == self.facts.width
        overview = _fitting(self.facts.overview[: -1 if all_known else None], room)
        reserve = int(room * _NAMES) if all_known else 0
        head = [*overview, "", "", *_table(columns[:1], _short)[:2]]
        left = room - _cost(head) - reserve - 20
        costs = accumulate(_cost(_table([each], _short)[2:]) + 1 for each in columns)
        count = sum(cost <= left for cost in costs)
        if not count:
            return _fitting(self.facts.overview, room)
        chosen = self._in_place(count)
        lines = _table([columns[each] for each in chosen], _short)
        others = _others(columns[count:], reserve) if reserve else []
        of = f"{count:,} of {counted(self.facts.width, 'column')}:"
        return [*overview, *others, "", of, "", *lines]

    def _in_place(self, count: int) -> Chosen:
        """Return which of the first columns are shown, in the order of the table."""
        return sorted(range(count), key=lambda each: self.facts.columns[each].place)

    def _types(self, room: int) -> tuple[list[str], Chosen]:
        """Return the types of the columns of which a few rows fit, and which."""
        columns, count = self.facts.columns, len(self.facts.columns)
        while count:
            chosen = self._in_place(count)
            types = ", ".join(f"{columns[i].label} {columns[i].dtype}" for i in chosen)
            more = self.facts.width - count
            left_out = f"; {counted(more, 'more column')} left out" if more else ""
            body = [f"dtypes: {types}{left_out}"]
            few = self._row_lines(chosen, self.facts.rows[:_ROWS_BEFORE_COLUMNS])
            if _cost([*body, *few]) + 30 <= room or (
                count == 1 and _cost(body) <= room
            ):
                return body, chosen
            count = count * 3 // 4
        return [], ()

    def _rows(self, chosen: Chosen, room: int) -> list[str]:
        """Return the rows that fit, below a line that says how many those are."""
        lines = self._row_lines(chosen, self.facts.rows)
        shown = _fitting(lines[2:], room - _cost(lines[:2]) - 20)
        if not shown or not chosen:
            return []
        return [self._which(len(shown)), "", *lines[:2], *shown]

    def _which(self, count: int) -> str:
        height = self.facts.height
        if count == height:
            return "All rows:"
        of = "" if height is None else f" of {height:,}"
        return f"First {count:,}{of} rows:"

    def _row_lines(self, chosen: Chosen, rows: Iterable[tuple[str, ...]]) -> list[str]:
        levels = self.facts.index_labels
        names = [*levels, *(self.facts.columns[each].label for each in chosen)]
        places = [*range(len(levels)), *(len(levels) + each for each in chosen)]
        return markdown(names, (line([row[i] for i in places]) for row in rows))


def _short(column: ColumnFacts) -> str:
    return column.brief if column.named else column.short


def _table(
    columns: Sequence[ColumnFacts], detail: Callable[[ColumnFacts], str]
) -> list[str]:
    """Return a row for each column, with what is known of any of them."""
    cells = {
        "column": [column.label for column in columns],
        "dtype": [column.dtype for column in columns],
        "missing": [column.missing for column in columns],
        "distinct": [column.distinct for column in columns],
        "values": list(map(detail, columns)),
    }
    known = {name: column for name, column in cells.items() if any(column)}
    return markdown(known, map(line, zip(*known.values(), strict=True)))


def _others(columns: Sequence[ColumnFacts], room: int) -> list[str]:
    """Return the names and types of other columns on a line, as many as fit."""
    kinds = groupby(sorted(columns, key=lambda each: each.dtype), lambda e: e.dtype)
    names = [
        f"{'' if place else f'{dtype}: '}{column.label}"
        for dtype, alike in kinds
        for place, column in enumerate(alike)
    ]
    shown = _fitting(names, room - 20)
    more = [f"{len(names) - len(shown):,} more"] if len(shown) < len(names) else []
    return [f"other columns, by type: {', '.join([*shown, *more])}"]


def _cost(lines: Sequence[str]) -> int:
    return tokens_in("\n".join(lines))


def _fitting(lines: Iterable[str], room: int) -> list[str]:
    """Return the first lines, those that fit."""
    shown: list[str] = []
    for each in lines:
        room -= tokens_in(each) + 1
        if room < 0:
            break
        shown.append(each)
    return shown
