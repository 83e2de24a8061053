"""Two runs over the same rows, side by side: where they agree, and which is better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError
from h2o_magic.rendering.tables import Verbatim, as_markdown, as_text, shorten
from h2o_magic.tables.measures.row_answers import RowAnswers, as_key, is_blank
from h2o_magic.tables.measures.statistics import kappa, mcnemar
from h2o_magic.tables.running.outcome import RowAnswer

#: Rows that differ which are listed, and of them, shown.
MOST_LISTED = 10_000
_SHOWN = 10
#: Pairs of answers: where there are more, they are no classes.
_MOST_PAIRS = 10_000


@dataclass(frozen=True, slots=True)
class Side:
    """One of two runs.

    `name` is its model. `answered` counts rows with an answer, and `correct` those with
    the right one, None without a label. `prompt_tokens` and `completion_tokens` are the
    sum over all rows, as the server counted; `seconds` is the mean of a row.
    """

    name: str
    answered: int
    correct: int | None
    prompt_tokens: int
    completion_tokens: int
    seconds: float


@dataclass(frozen=True, repr=False)
class Comparison:
    """Two runs over the same rows.

    Attributes
    ----------
    first, second : Side
        What each of them did.
    rows, agreeing : int
        All rows that were compared, and those with the same answer.
    kappa : float or None
        Cohen's kappa of the rows that both answered; None where answers are not of a
        few classes.
    differences : list of dict
        The rows that differ, with ``row`` (from 0), ``first`` and ``second``, and
        ``label``: first those with two answers, then those where one is None, which has
        an error. The first 10,000 of each.
    only_first, only_second : int or None
        Rows on which only one is right; None without a label, as is `p_value`.
    p_value : float or None
        Of the exact McNemar test, two-sided: how likely such a difference is between
        models that are equally good.
    """

    first: Side
    second: Side
    rows: int
    agreeing: int
    kappa: float | None = None
    differences: Sequence[Mapping[str, Any]] = field(default_factory=list)
    only_first: int | None = None
    only_second: int | None = None
    p_value: float | None = None

    @property
    def agreement(self) -> float:
        """Share of rows with the same answer, from 0 to 1."""
        return self.agreeing / self.rows

    def __repr__(self) -> str:
        tables = [as_text(*table) for table in self._tables()]
        return "\n\n".join([" · ".join(self._phrases()), *tables])

    def _repr_markdown_(self) -> str:
        tables = [as_markdown(*table) for table in self._tables()]
        agreement, *rest = self._phrases()
        return "\n\n".join([" · ".join([f"**{agreement}**", *rest]), *tables])

    def _phrases(self) -> list[str]:
        phrases = [
            f"agreement {self.agreement:.3f}",
            f"{self.rows - self.agreeing:,} of {counted(self.rows, 'row')} differ",
        ]
        if self.kappa is not None:
            phrases.append(f"Cohen's kappa {self.kappa:.3f}")
        if self.p_value is not None:
            phrases += [
                f"only the first right {self.only_first:,}",
                f"only the second right {self.only_second:,}",
                f"McNemar p = {self.p_value:.2g}",
            ]
        return phrases

    def _tables(self) -> Iterator[tuple[list[str], list[list[str]]]]:
        sides = ("first", self.first), ("second", self.second)
        scored = self.p_value is not None
        yield (
            ["run", "model", *["accuracy"] * scored, "errors", "tokens", "s a row"],
            [
                [
                    name,
                    Verbatim(side.name),
                    *[f"{(side.correct or 0) / self.rows:.3f}"] * scored,
                    f"{self.rows - side.answered:,}",
                    f"{side.prompt_tokens:,} + {side.completion_tokens:,}",
                    f"{side.seconds:.2f}",
                ]
                for name, side in sides
            ],
        )
        shown = self.differences[:_SHOWN]
        if shown:
            rows = [[_cell(value) for value in each.values()] for each in shown]
            yield list(shown[0]), rows


def compare(
    first: RowAnswers,
    second: RowAnswers,
    label: str | None = None,
    column: str | None = None,
) -> Comparison:
    """Compare the answers of two runs over the same rows.

    `column` is that of the answers; by default, all of them. With a `label`, a column
    of the table that knows, it is chosen as by :func:`.scoring.score`, and
    rows without a label are left out. Raises a ConfigurationError if the rows are not
    the same, or there is no such column.
    """
    _check_rows(first, second)
    if label is None and column is None and len(first.properties) == 1:
        column = first.column(None)
    if label is not None:
        column = first.column(column, label)
    pairs = _Pairs(_Reader(first, column), _Reader(second, column), label is not None)
    labels = repeat(None) if label is None else first.labels(label)
    rows = zip(labels, first, second, strict=False)
    for row, (known, one, other) in enumerate(rows):
        if label is None or not is_blank(known):
            pairs.add(row, known, one, other)
    return pairs.comparison()


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


class _Reader:
    """Reads the answers of one run, and adds up what they cost."""

    def __init__(self, answers: RowAnswers, column: str | None) -> None:
        self._answers = answers
        self._column = None if column is None else answers.column(column)
        self._exact = column is not None and bool(answers.choices(column))
        self.answered = self.correct = 0
        self._prompt = self._completion = 0
        self._seconds = 0.0

    def read(self, answer: RowAnswer | None) -> tuple[object, str]:
        """Return what an answer says, and a text that equal ones share."""
        if answer is None:
            return None, ""
        self.answered += 1
        self._prompt += answer.prompt_tokens or 0
        self._completion += answer.completion_tokens or 0
        self._seconds += answer.seconds
        if self._column is None:
            names = self._answers.properties
            said: object = {n: self._answers.value(answer, n) for n in names}
        else:
            said = self._answers.value(answer, self._column)
        return said, self.key(said)

    def key(self, value: object) -> str:
        return as_key(value, exact=self._exact)

    def side(self, scored: bool) -> Side:
        return Side(
            self._answers.model,
            self.answered,
            self.correct if scored else None,
            self._prompt,
            self._completion,
            self._seconds / max(self.answered, 1),
        )


class _Pairs:
    """Counts of rows with two answers, whatever their number."""

    def __init__(self, first: _Reader, second: _Reader, scored: bool) -> None:
        self._first = first
        self._second = second
        self._scored = scored
        self._rows = self._agreeing = self._only_first = self._only_second = 0
        self._counted: Counter[tuple[str, str]] = Counter()
        self._are_classes = True
        self._differing: list[Mapping[str, Any]] = []
        self._alone: list[Mapping[str, Any]] = []

    def add(
        self, row: int, known: object, one: RowAnswer | None, other: RowAnswer | None
    ) -> None:
        self._rows += 1
        (said, key), (replied, other_key) = (
            self._first.read(one),
            self._second.read(other),
        )
        both = one is not None and other is not None
        if both and self._are_classes:
            self._counted[key, other_key] += 1
            self._are_classes = len(self._counted) <= _MOST_PAIRS
        if self._scored:
            self._judge(
                one is not None and self._first.key(known) == key,
                other is not None and self._second.key(known) == other_key,
            )
        if both and key == other_key:
            self._agreeing += 1
            return
        listed = self._differing if both else self._alone
        if len(listed) < MOST_LISTED:
            label = {"label": known} if self._scored else {}
            listed.append({"row": row, **label, "first": said, "second": replied})

    def _judge(self, first: bool, second: bool) -> None:
        self._first.correct += first
        self._second.correct += second
        self._only_first += first and not second
        self._only_second += second and not first

    def comparison(self) -> Comparison:
        if not self._rows:
            raise ConfigurationError("expected runs with rows to compare, got none")
        compared = (
            self._first.side(self._scored),
            self._second.side(self._scored),
            self._rows,
            self._agreeing,
            kappa(self._counted) if self._are_classes else None,
            self._differing + self._alone,
        )
        if not self._scored:
            return Comparison(*compared)
        p_value = mcnemar(self._only_first, self._only_second)
        return Comparison(*compared, self._only_first, self._only_second, p_value)


def _cell(value: object) -> str:
    return "" if value is None else shorten(str(value))
