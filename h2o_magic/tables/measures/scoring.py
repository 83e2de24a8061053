"""How good the answers of a run are, by a column of the table that knows better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain, repeat

from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError
from h2o_magic.rendering.tables import Verbatim
from h2o_magic.tables.measures.answer_column import (
    column_of,
    is_blank,
    labels_of,
    number_of,
)
from h2o_magic.tables.measures.base import Measure, Table
from h2o_magic.tables.measures.statistics import wilson
from h2o_magic.tables.row_answers import RowAnswers

#: Labels, and pairs of label and answer: where there are more, they are no classes.
MOST_CLASSES = 100
_MOST_PAIRS = 10_000
#: Classes in a table of all pairs that is shown.
_SHOWN = 12
#: Answers that are no label, and rows without an answer.
OTHER, ERROR = "(other)", "(error)"


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How well one label was found: shares from 0 to 1, and its number of `rows`.

    `precision` is None if no answer said it.
    """

    rows: int
    precision: float | None
    recall: float
    f1: float


@dataclass(repr=False)
class Score(Measure):
    """Answers beside labels.

    Attributes
    ----------
    label, column : str
        The column of the table that knows, and that of the answers.
    rows, correct, errors : int
        The rows that have a label; those of them with the right answer, and those with
        an error, which count as wrong.
    unlabelled : int
        Rows without a label, which are left out.
    accuracy : float
        Share of right answers, from 0 to 1; `interval` is its 95 % interval (Wilson).
    classes : mapping
        A `ClassScore` for each label; empty where labels are too many to be classes.
    confusion : mapping
        By label, how often each answer came: ``confusion["good"]["bad"]``. ``(other)``
        are answers that are no label, and ``(error)`` rows with an error.
    valid_first, valid : float or None
        Share of all rows with a question whose answer fits the schema, at first and
        after one repair; None without a schema.
    """

    label: str
    column: str
    rows: int = 0
    correct: int = 0
    errors: int = 0
    unlabelled: int = 0
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    valid_first: float | None = None
    valid: float | None = None

    @property
    def accuracy(self) -> float:
        return self.correct / self.rows

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.correct, self.rows)

    @property
    def classes(self) -> Mapping[str, ClassScore]:
        return {name: _class_score(name, self.confusion) for name in self.confusion}

    @property
    def macro_f1(self) -> float | None:
        """The mean F1 of all labels; None where there are no classes."""
        found = [each.f1 for each in self.classes.values()]
        return sum(found) / len(found) if found else None

    def _phrases(self) -> list[str]:
        low, high = self.interval
        phrases = [
            f"accuracy {self.accuracy:.3f}",
            f"95 % interval {low:.3f} to {high:.3f}",
            "" if self.macro_f1 is None else f"macro-F1 {self.macro_f1:.3f}",
            f"{self.correct:,} of {counted(self.rows, 'row')} correct",
            f"{counted(self.errors, 'error')}, counted as wrong" if self.errors else "",
            f"{self.unlabelled:,} without a label left out" if self.unlabelled else "",
        ]
        if self.valid is not None and self.valid_first is not None:
            valid = f"valid JSON {self.valid_first:.1%}"
            if self.valid > self.valid_first:
                valid += f", {self.valid:.1%} after a second request"
            phrases.append(valid)
        return list(filter(None, phrases))

    def _tables(self) -> list[Table]:
        if not self.confusion:
            return []
        scores = [
            [
                Verbatim(name),
                f"{each.rows:,}",
                "" if each.precision is None else f"{each.precision:.3f}",
                f"{each.recall:.3f}",
                f"{each.f1:.3f}",
            ]
            for name, each in self.classes.items()
        ]
        tables: list[Table] = [(["label", "rows", "precision", "recall", "F1"], scores)]
        if len(self.confusion) <= _SHOWN:
            said = {key for row in self.confusion.values() for key in row}
            said_too = [key for key in (OTHER, ERROR) if key in said]
            columns = [*self.confusion, *said_too]
            pairs = [
                [Verbatim(name), *(f"{row.get(key, 0):,}" for key in columns)]
                for name, row in self.confusion.items()
            ]
            head = ["label ↓ answer →", *map(Verbatim, columns)]
            tables.append((head, pairs))
        return tables


def score(answers: RowAnswers, label: str, column: str | None = None) -> Score:
    """Compare a column of the answers with one of the table.

    `column` is that of the answers; by default the one called as the label, or the only
    one. Texts are the same whatever their case, and white space around them, but for
    those that the schema lets the model choose from. Raises a ConfigurationError if
    there is no such column, or no label.
    """
    labels = labels_of(answers.job.rows, label)
    judged = column_of(answers, column, label)
    found, pairs = Score(label, str(judged.name)), _Pairs()
    fits = first = asked = 0
    # Rows that a stopped run did not come to have a label, and no answer.
    rows = zip(labels, chain(answers, repeat(None)), strict=False)
    for row, (known, answer) in enumerate(rows):
        asked += row >= answers.read or answers.has_question(row)
        fits += answer is not None
        first += answer is not None and not answer.repaired
        if is_blank(known):
            found.unlabelled += 1
            continue
        found.rows += 1
        key, said = judged.key(known), ERROR
        if answer is None:
            found.errors += 1
        else:
            said = judged.key(judged.said(answer))
            found.correct += key == said
        pairs.add(key, str(known).strip(), said)
    if not found.rows:
        raise ConfigurationError(f"no row has a value in {label!r}: nothing to score")
    found.confusion = pairs.confusion()
    if answers.job.schema is not None:
        found.valid_first, found.valid = first / max(asked, 1), fits / max(asked, 1)
    return found


class _Pairs:
    """How often each label came with each answer, unless there are too many."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}  # labels as they were first written
        self._pairs: Counter[tuple[str, str]] = Counter()

    def add(self, label: str, name: str, said: str) -> None:
        if not self._are_too_many():
            self._names.setdefault(label, name)
            self._pairs[label, said] += 1

    def confusion(self) -> dict[str, Counter[str]]:
        if self._are_too_many():
            return {}
        names = {ERROR: ERROR, **self._names}
        ordered = sorted(self._names, key=_in_order)
        found = {self._names[label]: Counter[str]() for label in ordered}
        for (label, said), count in self._pairs.items():
            found[self._names[label]][names.get(said, OTHER)] += count
        return found

    def _are_too_many(self) -> bool:
        return len(self._names) > MOST_CLASSES or len(self._pairs) > _MOST_PAIRS


def _in_order(key: str) -> tuple[bool, float, str]:
    number = number_of(key)
    return number is None, number or 0.0, key


def _class_score(name: str, confusion: Mapping[str, Mapping[str, int]]) -> ClassScore:
    right, rows = confusion[name].get(name, 0), sum(confusion[name].values())
    said = sum(row.get(name, 0) for row in confusion.values())
    f1 = 2 * right / (rows + said)
    return ClassScore(rows, right / said if said else None, right / rows, f1)
