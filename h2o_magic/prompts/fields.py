"""The grammar of a prompt's fields: ``{name}``, ``{df.columns}``, ``{rows[0]['a']}``.

A field is a name with nothing but attributes and constant indexes after it, in braces
that touch it. What holds more (a call, a format, a blank) is none, nor is anything that
stands in code.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from h2o_magic.prompts.prose import prose

# Any character beyond ASCII here: `str.isidentifier` knows better than a pattern.
_NAME = (
    r"(?!__)[^\s\x00-\x40\x5b-\x5e\x60\x7b-\x7f]"
    r"[^\s\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]*"
)
_STEP = (
    rf"\.{_NAME}"
    r"|\[-?(?:0|[1-9][0-9]{0,17})\]"
    r"|\['(?:[^'\\\r\n]|\\[\\'\"nrt])*'\]"
    r'|\["(?:[^"\\\r\n]|\\[\\\'"nrt])*"\]'
)
_PLAIN = rf"{_NAME}(?:{_STEP})*"
# Braces that stand alone are a field, double ones an escape; three belong to others.
_FIELD = re.compile(
    rf"(?<!\{{)(?:\{{(?P<field>{_PLAIN})\}}|\{{\{{(?P<escaped>{_PLAIN})\}}\}})"
)
_STEPS = re.compile(rf"(?P<step>{_STEP})")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Attribute:
    """A step of a field: ``.columns``."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """A step of a field: ``[0]`` or ``['a']``."""

    key: int | str


Step = Attribute | Index


@dataclass(frozen=True, slots=True)
class Field:
    """A place in a prompt that may name a value."""

    start: int
    end: int
    name: str
    path: tuple[Step, ...]
    text: str
    escaped: bool = False

    @property
    def expression(self) -> str:
        """What stands between the braces."""
        return self.text.strip("{}")


def fields(text: str) -> Iterator[Field]:
    """Yield the fields of a prompt in order, whether their names exist or not.

    Parameters
    ----------
    text
        The prompt as it was written.
    """
    if "{" not in text:
        return
    for begin, end in prose(text):
        for found in _FIELD.finditer(text, begin, end):
            if (field := _as_field(found)) is not None:
                yield field


def names_in(text: str) -> tuple[str, ...]:
    """Return the names that a prompt would look up, each once, in order."""
    return tuple(dict.fromkeys(field.name for field in fields(text)))


def _as_field(found: re.Match[str]) -> Field | None:
    source = found["field"] or found["escaped"]
    name, *path = _parts(source)
    assert isinstance(name, Attribute)  # noqa: S101 - the pattern begins with one
    names = [step.name for step in (name, *path) if isinstance(step, Attribute)]
    if not all(map(_may_be_read, names)):
        return None
    return Field(
        *found.span(), name.name, tuple(path), found[0], found["escaped"] is not None
    )


def _may_be_read(name: str) -> bool:
    """Return whether a name is one; those of Python's inner workings are not read."""
    return name.isidentifier() and not keyword.iskeyword(name) and name[:2] != "__"


def _parts(source: str) -> Iterator[Step]:
    for found in _STEPS.finditer(f".{source}"):
        step = found["step"]
        if step.startswith("."):
            # Python, too, knows an identifier by this form of it.
            yield Attribute(unicodedata.normalize("NFKC", step[1:]))
        elif step[1] in "'\"":
            yield Index(_ESCAPE.sub(_unescaped, step[2:-2]))
        else:
            yield Index(int(step[1:-1]))


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPED.get(found[1], found[1])
