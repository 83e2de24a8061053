"""The kinds of values: how each is recognized, and how it is described."""

from __future__ import annotations

import datetime
import enum
import re
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Number
from pathlib import PurePath
from typing import Any

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.arrays import (
    array_summary,
    described_array,
    is_array,
    is_scalar,
)
from h2o_magic.prompts.datasets import described_dataset, is_dataset
from h2o_magic.prompts.introspection import attributes, describes_itself, is_from
from h2o_magic.prompts.prompt import Described
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.source import is_code, source_text
from h2o_magic.prompts.stable import stable
from h2o_magic.prompts.structures import BYTES, WIDTH, Printer, is_collection
from h2o_magic.prompts.tables.described import described_table
from h2o_magic.prompts.tables.kinds import in_few_words, is_table, opened
from h2o_magic.prompts.texts import LongText
from h2o_magic.prompts.tracebacks import stable_traceback

_PICTURES = ("matplotlib", "PIL", "plotly", "altair", "bokeh", "graphviz")
# The text of a value that says nothing: ``<generator object f at 0x…>``.
_ADDRESS = re.compile(r"<[^\n]{1,500}(?: at 0x…|\w object)>")
#: The longest string that stands in a sentence.
_SENTENCE = 200
#: Values that are one word, so to speak.
_ATOMS = (
    Number,
    type(None),
    datetime.date,
    datetime.time,
    datetime.timedelta,
    enum.Enum,
    PurePath,
    uuid.UUID,
)


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be described: who named it, what of it, for which question."""

    expression: str
    spec: str
    question: str
    guard: Guard

    @property
    def count(self) -> int | None:
        return int(self.spec) if self.spec.isdecimal() else None

    @property
    def printer(self) -> Printer:
        return Printer(self.guard, _summary, self.count)

    def cell(self, value: object) -> str:
        return Printer(self.guard, _summary).cell(value, WIDTH)


def _exception(value: Any, _job: Job) -> Described:
    text = "".join(traceback.format_exception(value)).rstrip("\n")
    return LongText.of(stable_traceback(text))


def _table(value: Any, job: Job) -> Described:
    frame = opened(value)
    table = described_table(frame, job.spec, job.question, job.cell, job.guard)
    if table.rows_only and frame.height is None and not table.facts.rows:
        raise ConfigurationError(
            f"`{{{job.expression}:{job.spec}}}`: its rows have not been computed: name "
            "a variable that has them"
        )
    return table


def _collection(value: Any, job: Job) -> Described:
    inline = 0 if job.spec else WIDTH
    return LongText.of(job.printer.text(value), longest_inline=inline)


def _atom(value: object, _job: Job) -> Described:
    return LongText.of(str(value), longest_inline=_SENTENCE)


def _own_text(value: object, job: Job) -> Described:
    text = str(value)
    job.guard.hidden_in(text, attributes(value))
    return LongText.of(stable(text, value))


def _array(value: object, job: Job) -> Described:
    described = described_array(value, job.printer, job.guard, job.count)
    return described or _own_text(value, job)


def _is_displayed(value: object) -> bool:
    """Return whether a value is text that IPython would show: HTML, Markdown, ..."""
    return is_from(value, "IPython") and isinstance(getattr(value, "data", None), str)


_Fits = Callable[[object], bool]


def _of(*kinds: type) -> _Fits:
    return lambda value: isinstance(value, kinds)


#: THE kinds of values: how each is recognized, what a colon may ask of it, and how it
#: is described. The first that fits.
_KINDS: tuple[tuple[_Fits, str, Callable[[Any, Job], Described]], ...] = (
    (_of(str), "", lambda v, _: LongText.of(str.__str__(v), longest_inline=_SENTENCE)),
    (_of(BaseException), "", _exception),
    (is_table, "rows", _table),
    (is_dataset, "", lambda v, job: described_dataset(v, job.guard)),
    (is_code, "", lambda v, _: LongText.of(source_text(v), language="python")),
    (is_scalar, "", _atom),
    (is_array, "values", _array),
    (is_collection, "items", _collection),
    (_of(*BYTES), "", _collection),
    (_is_displayed, "", lambda v, _: LongText.of(v.data)),
    (_of(*_ATOMS), "", _atom),
    (lambda v: describes_itself(v) and not _is_picture(v), "", _own_text),
)


def described(value: object, job: Job) -> Described:
    """Return a value as the first of the kinds that fits has it."""
    for fits, parts, describe_it in _KINDS:
        if not fits(value):
            continue
        _check_spec(value, job, parts)
        described = describe_it(value, job)
        if not (
            isinstance(described, LongText) and _ADDRESS.fullmatch(described.whole)
        ):
            return described
    name = job.expression
    raise ConfigurationError(
        f"`{{{name}}}` is {_kind(value)}, which has no text that says what is in it: "
        f"name a part of it, such as `{{{name}.name}}`, or text made from it"
    )


def _check_spec(value: object, job: Job, parts: str) -> None:
    words = ["rows", "schema"] if parts == "rows" else []
    if not job.spec or job.spec in words or (parts and (job.count or 0) > 0):
        return
    name = job.expression
    wrong = f"{_kind(value)} has no rows or items: write `{{{name}}}`"
    if parts:
        known = "".join(f"`{{{name}:{word}}}`, " for word in words)
        known += f"a number of {parts} as in `{{{name}:50}}`"
        wrong = f"expected {known}, or `{{{name}}}`"
    raise ConfigurationError(f"`{{{name}:{job.spec}}}`: {wrong}")


def _is_picture(value: object) -> bool:
    return any(is_from(value, package) for package in _PICTURES)


def _kind(value: object) -> str:
    if _is_picture(value):
        return f"a picture ({type(value).__name__})"
    return f"a value of type {type(value).__qualname__}"


def _summary(value: object) -> str:
    if is_table(value):
        return in_few_words(value)
    if is_scalar(value):
        return str(value)
    return array_summary(value) if is_array(value) else ""
