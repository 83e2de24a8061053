"""The answers of a run as values, row by row, so that they can be compared."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.tables.columns import ANSWER, AnswerColumns
from h2o_magic.tables.job import Job
from h2o_magic.tables.rows import BATCH
from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.run import KEY
from h2o_magic.tables.store.base import AnswerStore


class RowAnswers:
    """What a run has answered, in the order of its rows; read some at a time."""

    def __init__(self, job: Job, store: AnswerStore, keys: bytes) -> None:
        self.job = job
        self._store = store
        self._keys = keys
        self._columns = AnswerColumns(job.schema, job.rows.names)
        self._names = list(self._columns.kinds)[:-1]
        self.properties: Sequence[str] = self._columns.properties or (ANSWER,)

    @property
    def model(self) -> str:
        """The name of the model that was asked."""
        return self.job.asked.request.model

    @property
    def read(self) -> int:
        """How many rows the run has read; all, unless it was stopped."""
        return len(self._keys) // KEY

    def column(self, wanted: str | None, label: str | None = None) -> str:
        """Return the property that is meant: one by its name, or its column's.

        Without one, that which is called as the label, or the only one.
        """
        for name in (label,) if wanted is None else (wanted,):
            for named in (self.properties, self._names):
                if name in named:
                    return self.properties[named.index(name)]
        if wanted is not None:
            hint = did_you_mean(wanted, self._names)
            raise ConfigurationError(
                f"expected a column of the answers, got {wanted!r}: {hint}"
            )
        if len(self.properties) > 1:
            names = ", ".join(self._names)
            raise ConfigurationError(
                f"the answers have several columns ({names}): say which is meant, "
                f"as `column={self._names[0]!r}`"
            )
        return self.properties[0]

    def labels(self, label: str) -> Iterator[object]:
        """Yield the values of a column of the table, one a row."""
        names = self.job.rows.names
        if label not in names:
            hint = did_you_mean(label, names)
            raise ConfigurationError(
                f"expected a column of the table, got {label!r}: {hint}"
            )
        batches = self.job.rows.batches([label])
        return (value for batch in batches for (value,) in batch)

    def choices(self, column: str) -> Sequence[object]:
        """Return the values among which the schema lets a model choose; else none."""
        return self._columns.choices(column)

    def __iter__(self) -> Iterator[RowAnswer | None]:
        """Yield each row's answer; None for a row with an error."""
        size = BATCH * KEY
        try:
            for start in range(0, len(self._keys), size):
                yield from self._batch(self._keys[start : start + size])
        finally:
            self._store.close()

    def _batch(self, piece: bytes) -> Iterator[RowAnswer | None]:
        keys = [piece[at : at + KEY] for at in range(0, len(piece), KEY)]
        failed = self._store.errors(keys)
        answers = self._store.answers(
            [k for k in dict.fromkeys(keys) if k not in failed]
        )
        return map(answers.get, keys)

    def value(self, answer: RowAnswer, column: str) -> object:
        """Return what an answer has in one of its `properties`."""
        values = self._columns.values(answer.text, None)
        return values[self.properties.index(column)]


def number_of(value: object) -> int | float | None:
    """Return a number, or the one that a text is; None if it is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    for kind in (int, float):  # a long whole number is no float
        with suppress(ValueError, OverflowError):
            number = kind(value) if isinstance(value, str) else value
            return number if math.isfinite(number) else None
    return None


def is_blank(value: object) -> bool:
    """Return whether a cell has no value: None, NaN, pandas' NA and NaT, or blank."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or str(value) in ("nan", "NaT", "<NA>")


def as_key(value: object, *, exact: bool = False) -> str:
    """Return a text that equal answers share.

    How a number is written does not count; nor do, unless `exact`, the case of a text
    and white space around it.
    """
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    number = number_of(value)
    if number is not None:
        return str(int(number)) if number == int(number) else repr(number)
    return str(value) if exact else str(value).strip().casefold()
