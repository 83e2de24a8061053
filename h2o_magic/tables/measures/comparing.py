"""Two runs over the same rows, side by side: where they agree, and which is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError
from h2o_magic.rendering.tables import Verbatim, shorten
from h2o_magic.tables.measures.answer_column import (
    AnswerColumn,
    column_of,
    is_blank,
    labels_of,
)
from h2o_magic.tables.measures.base import Measure, Table
from h2o_magic.tables.measures.statistics import mcnemar
from h2o_magic.tables.row_answers import RowAnswers
from h2o_magic.tables.running.outcome import RowAnswer

#: Rows that differ which are listed, and of them, shown.
MOST_LISTED = 10_000
_SHOWN = 10


@dataclass(slots=True)
class Side:
    """One of two runs.

    `name` is its model. `answered` counts rows with an answer, and `correct` those with
    the right one. `prompt_tokens` and `completion_tokens` are the sum over all rows, as
    the server counted, and `total_seconds` that of each row's time; `seconds` is the
    mean of a row.
    """

    name: str
    answered: int = 0
    correct: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        return self.total_seconds / max(self.answered, 1)


@dataclass(repr=False)
class Comparison(Measure):
    """Two runs over the same rows.

    Attributes
    ----------
    first, second : Side
        What each of them did.
    scored : bool
        Whether a label says which answers are right.
    rows, agreeing : int
        All rows that were compared, and those with the same answer, or none on both
        sides.
    differences : list of dict
        The rows that differ, the first 10,000 of them, with ``row`` (from 0), ``label``
        if there is one, ``first`` and ``second``: the answers, None for an error.
    only_first, only_second : int
        Rows on which only one is right.
    """

    first: Side
    second: Side
    scored: bool
    rows: int = 0
    agreeing: int = 0
    differences: list[Mapping[str, Any]] = field(default_factory=list)
    only_first: int = 0
    only_second: int = 0

    @property
    def agreement(self) -> float:
        """Share of rows with the same answer, from 0 to 1."""
        return self.agreeing / self.rows

    @property
    def p_value(self) -> float | None:
        """That of the exact McNemar test, two-sided; None without a label.

        How likely such a difference is between models that are equally good.
        """
        return mcnemar(self.only_first, self.only_second) if self.scored else None

    def _phrases(self) -> list[str]:
        phrases = [
            f"agreement {self.agreement:.3f}",
            f"{self.rows - self.agreeing:,} of {counted(self.rows, 'row')} differ",
        ]
        if self.p_value is not None:
            phrases += [
                f"only first correct {self.only_first:,}",
                f"only second correct {self.only_second:,}",
                f"McNemar p = {self.p_value:.2g}",
            ]
        return phrases

    def _tables(self) -> list[Table]:
        head = ["run", "model", *(["accuracy"] if self.scored else []), "errors"]
        sides = [self._side("first", self.first), self._side("second", self.second)]
        tables: list[Table] = [
            ([*head, "tokens read", "tokens written", "s/row"], sides)
        ]
        if shown := self.differences[:_SHOWN]:
            rows = [list(map(_cell, row.values())) for row in shown]
            tables.append((list(shown[0]), rows))
        return tables

    def _side(self, name: str, side: Side) -> list[str]:
        return [
            name,
            Verbatim(side.name),
            *([f"{side.correct / self.rows:.3f}"] if self.scored else []),
            f"{self.rows - side.answered:,}",
            f"{side.prompt_tokens:,}",
            f"{side.completion_tokens:,}",
            f"{side.seconds:.2f}",
        ]


def compare(
    first: RowAnswers,
    second: RowAnswers,
    label: str | None = None,
    column: str | None = None,
) -> Comparison:
    """Compare the answers of two runs over the same rows.

    `column` is that of the answers; by default, all of them. With a `label`, a column
    of the table that knows, it is chosen as by :func:`.scoring.score`, and rows without
    a label are left out. Raises a ConfigurationError if the rows are not the same, or
    there is no such column.
    """
    _check_rows(first, second)
    labels = repeat(None) if label is None else labels_of(first.job.rows, label)
    if label is None and column is None:
        columns = AnswerColumn(first, None), AnswerColumn(second, None)
    else:
        found = column_of(first, column, label or "")
        columns = found, column_of(second, found.name, "")
    sides = Side(first.job.asked.request.model), Side(second.job.asked.request.model)
    compared = Comparison(*sides, scored=label is not None)
    rows = zip(labels, first, second, strict=False)
    for row, (known, one, other) in enumerate(rows):
        if label is None or not is_blank(known):
            _add(compared, columns, row, known, (one, other))
    if not compared.rows:
        raise ConfigurationError("expected runs with rows to compare, got none")
    return compared


def _check_rows(first: RowAnswers, second: RowAnswers) -> None:
    names, others = first.job.rows.names, second.job.rows.names
    if first.read != second.read:
        raise ConfigurationError(
            f"expected a run over the same {counted(first.read, 'row')}, got one over "
            f"{second.read:,}"
        )
    if names != others:
        raise ConfigurationError(
            "expected a run over the same table, got one with other columns: "
            + ", ".join(others)
        )


def _add(
    compared: Comparison,
    columns: tuple[AnswerColumn, AnswerColumn],
    row: int,
    label: object,
    answers: tuple[RowAnswer | None, RowAnswer | None],
) -> None:
    said: list[object] = []
    keys: list[str | None] = []
    right: list[bool] = []
    sides = compared.first, compared.second
    for side, column, answer in zip(sides, columns, answers, strict=True):
        said.append(None if answer is None else column.said(answer))
        keys.append(None if answer is None else column.key(said[-1]))
        right.append(compared.scored and keys[-1] == column.key(label))
        if answer is not None:
            side.answered += 1
            side.correct += right[-1]
            side.prompt_tokens += answer.prompt_tokens or 0
            side.completion_tokens += answer.completion_tokens or 0
            side.total_seconds += answer.seconds
    compared.rows += 1
    compared.only_first += right[0] > right[1]
    compared.only_second += right[1] > right[0]
    if keys[0] == keys[1]:
        compared.agreeing += 1
    elif len(compared.differences) < MOST_LISTED:
        known = {"label": label} if compared.scored else {}
        compared.differences.append(
            {"row": row, **known, "first": said[0], "second": said[1]}
        )


def _cell(value: object) -> str:
    return "" if value is None else shorten(str(value))
