"""The parts of a prompt outside fenced and inline code.

Code is found as CommonMark has it, but for two things that people type and mean: a
fence may stand at any indentation, and inside a list it ends only with its mark.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from h2o_magic.rendering.fences import Fence, opened

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
