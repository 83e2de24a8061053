"""From a question as it is typed to a prompt: ``{name}``, ``{df.columns}``, ``{d[0]}``.

Only a name that exists counts; everything else in braces stays as it is, and so does
all code. A short value takes the place of its name. Of a long one the name stays in the
sentence, and the value is written once, below the question; one with a line of its own
stands there. Braces in values mean nothing.
"""

from __future__ import annotations

import builtins
import inspect
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from h2o_magic.errors import ConfigurationError, did_you_mean, nearest
from h2o_magic.prompts.code_signs import reads_as_prose
from h2o_magic.prompts.fields import Attribute, Expression, Field, Step, fields
from h2o_magic.prompts.limits import error_text
from h2o_magic.prompts.prompt import Appended, Attached, Described, Prompt
from h2o_magic.prompts.tables.kinds import is_table

#: Names of an object that are compared with a mistyped one.
_CANDIDATES = 2000
_FEW = 12
_LONG = 40
_MISSING = object()
_SPECS = ("rows", "schema")
_WITHOUT_ROWS = (str, bytes, int, float, complex, type(None))


class Reader(Protocol):
    """What expanding a prompt needs of the notebook."""

    def lookup(self, name: str) -> object:
        """Return the value of a name; KeyError for one that does not exist."""

    def describe(
        self, value: object, expression: str, *, spec: str, question: str
    ) -> Described:
        """Return what says what is in a value; ConfigurationError if nothing does."""

    def image(self, value: object, expression: str) -> Attached | None:
        """Return the picture that a value is; None for other values."""

    def evaluate(self, source: str, format_: str) -> object:
        """Return the value of an expression, formatted if a format is given."""

    @property
    def evaluates(self) -> bool:
        """Whether expressions are evaluated."""


def expand(text: str, reader: Reader) -> Prompt:
    """Return the prompt of a question, with the values that it names.

    Raises
    ------
    ConfigurationError
        If an existing name has no such attribute or index, an expression fails, or
        the reader refuses a value.
    """
    expansion = _Expansion(text, reader)
    end = 0
    for each in fields(text):
        place = len(expansion.parts)
        if expansion.add(each):
            expansion.parts.insert(place, text[end : each.start])
            end = each.end
    expansion.parts.append(text[end:])
    return Prompt(
        text,
        tuple(part for part in expansion.parts if part != ""),
        tuple(expansion.appended.values()),
        images=tuple(expansion.images.values()),
        names=tuple(dict.fromkeys(expansion.names)),
        notes=tuple(dict.fromkeys(expansion.notes)),
    )


@dataclass
class _Expansion:
    text: str
    reader: Reader
    parts: list[str | Described] = field(default_factory=list)
    appended: dict[tuple[str, str], Appended] = field(default_factory=dict)
    images: dict[str, Attached] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, place: Field | Expression) -> bool:
        """Add what a place stands for; return False where it stays as it is."""
        if isinstance(place, Expression):
            return self._add_expression(place)
        try:
            value = self.reader.lookup(place.name)
        except KeyError:
            known = place.spec in ("", *_SPECS)
            if known and reads_as_prose(self.text, place.start, place.end):
                self.notes.append(f"`{place.text}` is not a variable")
            return False
        value = follow(value, place)
        if place.spec and isinstance(value, _WITHOUT_ROWS):
            return False  # ``{id:1}`` is JavaScript
        if place.spec and not (place.spec.isdigit() or place.spec in _SPECS):
            for near in nearest(place.spec, _SPECS):
                meant = f"{{{place.expression}:{near}}}"
                self.notes.append(f"`{place.text}`: did you mean `{meant}`?")
            return False
        self._add_value(value, place, place.expression, place.spec)
        return True

    def _add_expression(self, place: Expression) -> bool:
        unknown = [name for name in place.names if not self._is_known(name)]
        if unknown == list(place.names):
            return False
        missing = sorted(name for name in unknown if not hasattr(builtins, name))
        if missing:
            if reads_as_prose(self.text, place.start, place.end):
                names = " and ".join(f"`{name}`" for name in missing)
                what = "is not a variable" if len(missing) == 1 else "are not variables"
                self.notes.append(f"`{place.text}`: {names} {what}")
            return False
        if not self.reader.evaluates:
            self.notes.append(
                f"`{place.text}` was not evaluated: add `--eval`, or set `evaluate`"
            )
            return False
        try:
            value = self.reader.evaluate(place.source, place.format)
        except Exception as error:
            raise ConfigurationError(
                f"`{place.text}` raised {error_text(error)}"
            ) from error
        self._add_value(value, place, place.source)
        return True

    def _is_known(self, name: str) -> bool:
        try:
            self.reader.lookup(name)
        except KeyError:
            return False
        return True

    def _add_value(
        self, value: object, place: Field | Expression, name: str, spec: str = ""
    ) -> None:
        image = self.reader.image(value, name)
        if image is not None:
            self.images[name] = image
            self.parts.append(f"`{name}`")
            if image.required:
                return
        described = self.reader.describe(value, name, spec=spec, question=self.text)
        if image is not None:
            self.appended[name, spec] = Appended(name, described)
        elif described.inline:
            self.parts.append(described.inline)
        elif _has_its_line(self.text, place):
            if not isinstance(value, str):
                self.parts.append(f"`{name}`:\n\n")
            self.parts.append(described)
            self.names.append(name)
        else:
            self.parts.append(f"`{name}`")
            self.appended[name, spec] = Appended(name, described)
            self.names.append(name)


def _has_its_line(text: str, place: Field | Expression) -> bool:
    """Return whether a place is all that its line has."""
    begin = text.rfind("\n", 0, place.start) + 1
    line_end = text.find("\n", place.end)
    after = text[place.end : line_end if line_end >= 0 else None]
    return not (text[begin : place.start].strip() or after.strip())


def follow(value: object, place: Field) -> object:
    """Return what the attributes and indexes of a field lead to."""
    for step in place.path:
        try:
            value = _step(value, step)
        except Exception as error:
            problem = _problem(value, step, error)
            raise ConfigurationError(f"`{place.text}`: {problem}") from error
    return value


def _step(value: object, step: Step) -> object:
    if isinstance(step, Attribute):
        return getattr(value, step.name)
    made = hasattr(type(value), "__missing__") and not isinstance(value, Counter)
    if made and isinstance(value, Mapping) and step.key not in value:
        raise KeyError(step.key)  # a defaultdict would make the key
    return value[step.key]  # type: ignore[index]


def _problem(value: object, step: Step, error: Exception) -> str:
    kind = type(value).__name__
    if isinstance(step, Attribute):
        # One that exists has a getter, which is what raised.
        if isinstance(error, AttributeError) and (
            inspect.getattr_static(value, step.name, _MISSING) is _MISSING
        ):
            eager = is_table(value) and "Lazy" not in kind  # those warn of the work
            columns = getattr(value, "columns", ()) if eager else ()
            hint = _nearest(step.name, columns)
            if "did you mean" not in hint:
                hint = _nearest(step.name, _attributes(value)) or hint
            return f"{kind} has no attribute {step.name!r}{hint}"
        return f"reading {step.name!r} raised {error_text(error)}"
    if isinstance(error, KeyError) and isinstance(value, Mapping):
        return f"{kind} has no key {step.key!r}{_nearest(step.key, value)}"
    if isinstance(error, KeyError) and hasattr(value, "columns"):
        return f"{kind} has no column {step.key!r}{_nearest(step.key, value.columns)}"
    return f"[{step.key!r}] raised {error_text(error)}"


def _attributes(value: object) -> list[str]:
    try:
        return [name for name in dir(value) if not name.startswith("_")]
    except Exception:
        return []


def _nearest(name: int | str, known: Iterable[object]) -> str:
    """Return a hint for a mistyped name, if one is similar or few are known."""
    names = [each for each in islice(known, _CANDIDATES) if isinstance(each, str)]
    if not names or not isinstance(name, str):
        return ""
    hint = did_you_mean(name, [" ".join(each.split())[:_LONG] for each in names])
    return f": {hint}" if "did you mean" in hint or len(names) <= _FEW else ""
