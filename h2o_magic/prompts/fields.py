"""The fields of a prompt outside code: ``{name}``, ``{df.columns}``, ``{d[0]['a']}``.

A field is a name with nothing but attributes and constant indexes after it, in braces
that touch it: a call, a format or a space in them makes it plain text. Code is found as
CommonMark has it, but for two things that people type and mean: a fence may stand at
any indentation, and inside a list it ends only with its mark.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from h2o_magic.rendering.fences import Fence, opened

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
# Single braces are a field, double ones an escape, three neither.
_FIELD = re.compile(
    rf"(?<!\{{)(?:\{{(?P<field>{_PLAIN})\}}|\{{\{{(?P<escaped>{_PLAIN})\}}\}})"
)
_STEPS = re.compile(rf"(?P<step>{_STEP})")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}

#: Start and end of a piece of text.
Span = tuple[int, int]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_QUOTES = re.compile(r"(?:[ \t]*> ?)*")
# What begins a block of its own, so that inline code of the line above ends before it.
_BLOCK = re.compile(
    r"[ \t]*(?:>[ \t]*)*(?:$|[-*+][ \t]|\d{1,9}[.)][ \t]|#{1,6}(?:[ \t]|$)|\|)"
)
_HEADING = re.compile(r"[ \t]*#{1,6}(?:[ \t]|$)")
_ESCAPE_OR_TICKS = re.compile(r"\\.|`+", re.DOTALL)
_TICKS = re.compile(r"`+")


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
        return self.text.strip("{}")


def fields(text: str) -> Iterator[Field]:
    """Yield the fields of a prompt in order, whether their names exist or not."""
    if "{" not in text:
        return
    for span in prose(text):
        yield from filter(None, map(_as_field, _FIELD.finditer(text, *span)))


def names_in(text: str) -> tuple[str, ...]:
    """Return the names in the fields of a prompt, each once, in order."""
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
    return name.isidentifier() and not keyword.iskeyword(name) and name[:2] != "__"


def _parts(source: str) -> Iterator[Step]:
    for found in _STEPS.finditer(f".{source}"):
        step = found["step"]
        if step.startswith("."):
            # As Python normalizes identifiers.
            yield Attribute(unicodedata.normalize("NFKC", step[1:]))
        elif step[1] in "'\"":
            yield Index(_ESCAPE.sub(_unescaped, step[2:-2]))
        else:
            yield Index(int(step[1:-1]))


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPED.get(found[1], found[1])


def prose(text: str) -> Iterator[Span]:
    """Yield the spans outside code, in order; an open fence holds all that follows."""
    for begin, end in _blocks(text):
        yield from _outside_inline_code(text, begin, end)


def _blocks(text: str) -> Iterator[Span]:
    """Yield the blocks outside fences; inline code ends within its block."""
    begin = quotes = 0
    fence: Fence | None = None
    after_heading = False
    for found in _LINE.finditer(text):
        line = found[0].rstrip("\r\n")
        marks = _QUOTES.match(line)
        bare = line[marks.end() :] if marks else line
        quoted = line[: len(line) - len(bare)].count(">")
        if fence is not None and quotes > quoted:
            fence, begin = None, found.start()  # its quote has ended
        if fence is not None:
            if fence.closed_by(bare if quotes else line):
                fence, begin = None, found.end()
            continue
        fence = opened(bare)
        if fence or after_heading or quoted > quotes or _BLOCK.match(line):
            yield begin, found.start()
            begin = found.start()
        quotes, after_heading = quoted, _HEADING.match(line) is not None
    if fence is None:
        yield begin, len(text)


def _outside_inline_code(text: str, begin: int, end: int) -> Iterator[Span]:
    runs: defaultdict[int, list[int]] = defaultdict(list)
    for run in _TICKS.finditer(text, begin, end):
        runs[len(run[0])].append(run.start())
    place = begin
    while (opener := _next_opener(text, place, end)) is not None:
        size = len(opener[0])
        after = bisect_left(runs[size], opener.end())
        if after == len(runs[size]):
            yield begin, opener.end()
            begin = place = opener.end()
            continue
        yield begin, opener.start()
        begin = place = runs[size][after] + size
    yield begin, end


def _next_opener(text: str, begin: int, end: int) -> re.Match[str] | None:
    """Return the next run of backticks, without one that a backslash escapes."""
    for found in _ESCAPE_OR_TICKS.finditer(text, begin, end):
        if found[0].startswith("`"):
            return found
    return None
