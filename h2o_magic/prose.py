"""Where a Markdown text is prose: outside its code fences and its inline code.

The places are found as CommonMark has it, but for two things that people type and mean:
a fence may stand at any indentation, and inside a list it ends only with its mark.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

__all__ = ["Span", "prose"]

#: Where a piece of a text begins, and where it ends.
Span = tuple[int, int]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
# A fence may stand on the line of a quote's or a list's mark: ``> - ```sh``.
_FENCE = re.compile(
    r"(?P<quotes>[ \t]*(?:>[ \t]*)*)(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*"
    r"(?P<mark>`{3,}(?=[^`\r\n]*$)|~{3,})"
)
_QUOTES = re.compile(r"[ \t]*(?:>[ \t]*)*")
# What begins a block of its own, so that inline code of the line above ends before it.
_BLOCK = re.compile(
    r"[ \t]*(?:>[ \t]*)*(?:$|[-*+][ \t]|\d{1,9}[.)][ \t]|#{1,6}(?:[ \t]|$)|\|)"
)
_HEADING = re.compile(r"[ \t]*#{1,6}(?:[ \t]|$)")
_ESCAPE_OR_TICKS = re.compile(r"\\.|`+", re.DOTALL)
_TICKS = re.compile(r"`+")


def prose(text: str) -> Iterator[Span]:
    """Yield the places of `text` that are no code, in order.

    A fence that is never closed holds all that follows; a run of backticks that is
    never closed is no code.

    Parameters
    ----------
    text
        Markdown.

    Yields
    ------
    tuple of int
        Beginning and end of a piece of prose.
    """
    for begin, end in _blocks(text):
        yield from _outside_inline_code(text, begin, end)


def _blocks(text: str) -> Iterator[Span]:
    """Yield the blocks outside the fences; no inline code goes beyond one."""
    begin = quotes = 0
    fence: re.Match[str] | None = None
    after_heading = False
    for found in _LINE.finditer(text):
        line = found[0].rstrip("\r\n")
        if fence is not None and _quoted(fence["quotes"]) > _quoted(line):
            fence, begin = None, found.start()  # its quote has ended
        if fence is not None:
            if _closes(line, fence):
                fence, begin = None, found.end()
            continue
        fence = _FENCE.match(line)
        deeper = _quoted(line) > quotes
        if fence or after_heading or deeper or _BLOCK.match(line):
            yield begin, found.start()
            begin = found.start()
        quotes, after_heading = _quoted(line), _HEADING.match(line) is not None
    if fence is None:
        yield begin, len(text)


def _quoted(line: str) -> int:
    """Return how many quotes a line stands in."""
    marks = _QUOTES.match(line)
    return marks[0].count(">") if marks else 0


def _closes(line: str, fence: re.Match[str]) -> bool:
    rest = line.lstrip(" \t>" if ">" in fence["quotes"] else " \t")
    if len(line) - len(rest) > fence.start("mark") + 3:  # CommonMark 0.31, section 4.5
        return False
    return rest.startswith(fence["mark"]) and not rest.rstrip().strip(fence["mark"][0])


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
    """Return the next run of backticks, without one that a backslash takes."""
    for found in _ESCAPE_OR_TICKS.finditer(text, begin, end):
        if found[0].startswith("`"):
            return found
    return None
