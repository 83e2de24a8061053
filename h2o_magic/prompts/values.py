"""Values of the notebook as text that a model can read.

No package is imported for them: a table is recognized by its type's name, and written
by its own methods.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.arrays import (
    array_summary,
    array_text,
    is_array,
    is_scalar,
)
from h2o_magic.prompts.introspection import attributes, describes_itself, is_from
from h2o_magic.prompts.limits import Limits, cut_middle, error_text
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.source import is_code, source_text
from h2o_magic.prompts.structures import BYTES, Printer, is_collection
from h2o_magic.prompts.tables import frame_summary, frame_text, is_frame

_NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})
_NO_VARIABLES: Mapping[str, object] = MappingProxyType({})

# The last name in ``config.keys['api_key'][0]``.
_LAST_NAME = re.compile(r"([^\W\d]\w*|(?<=\[')[^']*(?=')|(?<=\[\")[^\"]*(?=\"))")

_PICTURES = ("matplotlib", "PIL", "plotly", "altair", "bokeh", "graphviz")
# The text of a value that says nothing: ``<generator object f at 0x7f...>``.
_ADDRESS = re.compile(r"<[^\n]{1,500}(?: at 0x[0-9A-Fa-f]+|\w object)>")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def as_prompt(
    value: object,
    expression: str,
    *,
    limits: Limits | None = None,
    environment: Mapping[str, str] = _NO_ENVIRONMENT,
    variables: Mapping[str, object] = _NO_VARIABLES,
) -> str:
    """Return the text for a value; what is too long is cut, with a note.

    `expression` is what named it in the prompt, for the errors: ``df.columns``. The
    secrets of `environment` and of the notebook's `variables` are refused wherever the
    value has them: a ConfigurationError, as for one without a meaningful text.
    """
    guard = Guard(expression, environment, variables)
    try:
        guard.name(_last_name(expression), value)
        if isinstance(value, str):
            guard.text(value)
        text = _text(value, _Job(expression, limits or Limits(), guard))
        guard.text(text)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"`{{{expression}}}` cannot be written as text: "
            f"{type(value).__name__} raised {error_text(error)}"
        ) from error
    # They cannot be encoded.
    return _LONE_SURROGATE.sub("\ufffd", text)


@dataclass(frozen=True, slots=True)
class _Job:
    expression: str
    limits: Limits
    guard: Guard

    @property
    def printer(self) -> Printer:
        return Printer(self.limits, self.guard, _summary)


def _exception(value: Any, job: _Job) -> str:
    text = "".join(traceback.format_exception(value)).rstrip("\n")
    return cut_middle(text, job.limits.characters)


def _described(value: object, job: _Job) -> str:
    text = str(value)
    job.guard.hidden_in(text, attributes(value))
    return cut_middle(text, job.limits.characters)


def _is_displayed(value: object) -> bool:
    """Return whether a value is text that IPython would show: HTML, Markdown, ..."""
    return is_from(value, "IPython") and isinstance(getattr(value, "data", None), str)


#: THE kinds of values: how each is recognized and written. The first that fits.
_KINDS: tuple[tuple[Callable[[object], bool], Callable[[Any, _Job], str]], ...] = (
    (
        lambda value: isinstance(value, str),
        lambda v, job: cut_middle(str.__str__(v), job.limits.characters),
    ),
    (lambda value: isinstance(value, BaseException), _exception),
    (is_frame, lambda v, job: frame_text(v, job.limits, job.printer, job.guard)),
    (is_code, lambda v, job: source_text(v, job.limits)),
    (is_scalar, lambda v, _: str(v)),
    (is_array, lambda v, job: array_text(v, job.limits, job.printer, job.guard)),
    (is_collection, lambda v, job: job.printer.text(v)),
    (lambda value: isinstance(value, BYTES), lambda v, job: job.printer.text(v)),
    (_is_displayed, lambda v, job: cut_middle(v.data, job.limits.characters)),
    (lambda value: describes_itself(value) and not _hidden(value), _described),
)


def _text(value: object, job: _Job) -> str:
    for fits, write in _KINDS:
        if fits(value) and not _ADDRESS.fullmatch(text := write(value, job)):
            return text
    name = job.expression
    raise ConfigurationError(
        f"`{{{name}}}` is {_kind(value)}, which has no text that says what is in it: "
        f"name a part of it, such as `{{{name}.name}}`, or text made from it"
    )


def _hidden(value: object) -> bool:
    """Return whether a value's own text says nothing of what is in it."""
    return is_from(value, "polars", "LazyFrame") or _is_picture(value)


def _is_picture(value: object) -> bool:
    return any(is_from(value, package) for package in _PICTURES)


def _kind(value: object) -> str:
    if _is_picture(value):
        return f"a picture ({type(value).__name__})"
    return f"a value of type {type(value).__qualname__}"


def _summary(value: object) -> str:
    if is_frame(value):
        return frame_summary(value)
    if is_scalar(value):
        return str(value)
    return array_summary(value) if is_array(value) else ""


def _last_name(expression: str) -> str:
    names = _LAST_NAME.findall(expression)
    return names[-1] if names else ""
