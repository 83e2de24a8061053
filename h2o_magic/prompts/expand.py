"""A prompt that names values of the notebook: ``{name}``, ``{df.columns}``, ``{d[0]}``.

Only a name that exists is replaced; everything else in braces stays as it is, and so
does all code. ``{{name}}`` of a name that exists gives ``{name}``. Values are put in by
one pass, so braces in them mean nothing.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.prompts.fields import Attribute, Field, Step, fields
from h2o_magic.prompts.limits import error_text

#: Names of an object that are compared with a mistyped one.
_CANDIDATES = 2000
_FEW = 12
_LONG = 40
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Inserted:
    """A value put into a prompt: what named it, its type, the length of its text."""

    expression: str
    kind: str
    characters: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as it is sent, and what was put into it."""

    text: str
    inserted: tuple[Inserted, ...] = ()


def expand(
    text: str,
    lookup: Callable[[str], object],
    show: Callable[[object, str], str],
    *,
    earlier: str = "",
) -> Prompt:
    """Put the values that a prompt names into it.

    Tables, source and other texts of several lines are set on lines of their own.

    Parameters
    ----------
    text
        The prompt as it was written.
    lookup
        Returns the value of a name; raises KeyError for one that does not exist.
        Called once for each field.
    show
        Returns the text for a value and the expression that named it.
    earlier
        The prompt before it was edited, with values in it: fields that are in it stay
        as they are, since they may be part of a value.

    Raises
    ------
    ConfigurationError
        If an existing name has no such attribute or index, or `show` refuses the value.
    """
    parts: list[str] = []
    inserted: list[Inserted] = []
    end = 0
    for field in fields(text):
        if field.text in earlier:
            continue
        try:
            value = lookup(field.name)
        except KeyError:
            continue
        if field.escaped:
            new = field.text[1:-1]
        else:
            value = _follow(value, field)
            new = show(value, field.expression)
            inserted.append(Inserted(field.expression, type(value).__name__, len(new)))
            if "\n" in new and not isinstance(value, str):
                new = _on_its_own_lines(new, text, field)
        parts += text[end : field.start], new
        end = field.end
    return Prompt("".join([*parts, text[end:]]), tuple(inserted))


def _on_its_own_lines(new: str, text: str, field: Field) -> str:
    line_end = text.find("\n", field.end)
    before = text[text.rfind("\n", 0, field.start) + 1 : field.start].strip()
    after = text[field.end : line_end if line_end >= 0 else None].strip()
    above, below = "\n\n" if before else "", "\n\n" if after else ""
    return f"{above}{new}{below}"


def _follow(value: object, field: Field) -> object:
    for step in field.path:
        try:
            value = _step(value, step)
        except Exception as error:
            problem = _problem(value, step, error)
            raise ConfigurationError(f"`{field.text}`: {problem}") from error
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
            hint = _nearest(step.name, _attributes(value))
            return f"{kind} has no attribute {step.name!r}{hint}"
        return f"reading {step.name!r} raised {error_text(error)}"
    if isinstance(error, KeyError) and isinstance(value, Mapping):
        return f"{kind} has no key {step.key!r}{_nearest(step.key, value)}"
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
