"""What the answers say in one column, and which of its values are the same."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress

from h2o_magic.errors import ConfigurationError, did_you_mean, expect
from h2o_magic.tables.columns import ANSWER
from h2o_magic.tables.row_answers import RowAnswers
from h2o_magic.tables.rows import Rows
from h2o_magic.tables.running.outcome import RowAnswer


class AnswerColumn:
    """One column of the answers; `name` is None for all of them together.

    `choices` are the values among which the schema lets a model choose; they are the
    same only as they are written.
    """

    def __init__(self, answers: RowAnswers, name: str | None) -> None:
        self._columns = answers.columns
        self._properties = answers.columns.properties or (ANSWER,)
        if name is None and len(self._properties) == 1:
            (name,) = self._properties
        self.name = name
        self.choices = () if name is None else answers.columns.choices(name)

    def said(self, answer: RowAnswer) -> object:
        """Return what an answer says here."""
        values = self._columns.values(answer.text, None)
        said = dict(zip(self._properties, values, strict=False))
        return said if self.name is None else said[self.name]

    def key(self, value: object) -> str:
        """Return a text that equal values share.

        How a number is written does not count; nor do, without choices, the case of a
        text and white space around it.
        """
        if isinstance(value, Mapping | list):
            return json.dumps(value, ensure_ascii=False, sort_keys=True)
        number = number_of(value)
        if number is not None:
            return str(int(number)) if number == int(number) else repr(number)
        return str(value) if self.choices else str(value).strip().casefold()


def column_of(answers: RowAnswers, wanted: str | None, label: str) -> AnswerColumn:
    """Return the column that is meant: one by its name, or that of its property.

    Without one, that which is called as the label, or the only one.
    """
    expect("a column's name", wanted, str, optional=True)
    names = list(answers.columns.kinds)[:-1]
    properties = answers.columns.properties or (ANSWER,)
    name = label if wanted is None else wanted
    for named in (properties, names):
        if name in named:
            return AnswerColumn(answers, properties[named.index(name)])
    if wanted is not None:
        raise ConfigurationError(
            f"expected a column of the answers, got {wanted!r}: "
            f"{did_you_mean(wanted, names)}"
        )
    if len(names) > 1:
        raise ConfigurationError(
            f"the answers have several columns ({', '.join(names)}): say which is "
            f"meant, as `column={names[0]!r}`"
        )
    return AnswerColumn(answers, None)


def labels_of(rows: Rows, label: str) -> Iterator[object]:
    """Return the values of a column of the table, one a row."""
    expect("the label, a column's name", label, str)
    if label not in rows.names:
        raise ConfigurationError(
            f"expected a column of the table, got {label!r}: "
            f"{did_you_mean(label, rows.names)}"
        )
    return (value for batch in rows.batches([label]) for (value,) in batch)


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
