"""What a page takes minutes to show, as plain text: long runs of marks, and too many.

Readers of Markdown take a time that grows with the square or the cube of these: 9,999
backticks stop JupyterLab. So where Markdown is shown, runs of one mark are cut, and
what nests deeper or acts more often than anybody writes is text. What is kept, copied
and sent holds all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from h2o_magic.rendering.fences import Fence, fence_after

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore

#: Marks of a run that are shown; a fence around it has one more.
LONGEST_RUN = 99
#: Marks that act in a paragraph, containers of a line, columns of a table, and cells
#: that its short rows lack.
_MOST_MARKS, _DEEPEST, _MOST_COLUMNS, _MOST_MISSING = 1000, 50, 99, 2000

# Also characters that are drawn over others, or not at all.
_RUN = re.compile(
    rf"([!-/:-@\[-`{{-~])\1{{{LONGEST_RUN},}}"
    r"|[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    rf"\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\ufeff]{{{LONGEST_RUN + 1},}}"
)
_TICKS = re.compile(rf"([`~])\1{{{LONGEST_RUN},}}")

_MARKS = re.compile(r"[\\`*_~\[\]!<$]")
_AS_TEXT = str.maketrans({mark: f"&#{ord(mark)};" for mark in r"\`*_~[]!<$"})
_CONTAINER = r"[ \t]*(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]))"
_NESTED = re.compile(rf"^((?:{_CONTAINER}){{{_DEEPEST}}}[ \t]*\d{{0,9}})(?=[->*+.)])")
_BLOCK = re.compile(r"(?P<indent>[ \t>]*)(?:[-*+]|#{1,6}|(?P<number>\d{1,9})[.)])[ \t]")


def cut_runs(text: str) -> str:
    """Return prose with its runs of one mark cut."""
    return _RUN.sub(lambda run: run[0][:LONGEST_RUN], text)


def cut_fences(code: str) -> str:
    """Return code without long runs of what fences are made of; others do no harm."""
    return _TICKS.sub(lambda run: run[0][:LONGEST_RUN], code)


def tame(markdown: str) -> str:
    """Return Markdown that is shown quickly; fenced code stays as it is."""
    if len(markdown) <= LONGEST_RUN:
        return markdown
    written: list[str] = []
    prose: list[str] = []
    fence: Fence | None = None
    for line in markdown.split("\n"):
        inside, fence = fence is not None, fence_after(fence, line)
        if not (inside or fence) and line.strip():
            prose.append(line)
            continue
        written += [*tamed(prose), line]
        prose = []
    return "\n".join([*written, *tamed(prose)])


def tamed(lines: Sequence[str]) -> list[str]:
    """Return lines of prose between blank lines so that they are shown quickly."""
    lines = [_tamed_line(line) for line in lines]
    rule = _table_rule(lines)
    if rule and _is_too_large(lines, rule):
        lines[rule] = re.sub(r"\S", r"\\\g<0>", lines[rule], count=1)
    return lines


def limit_marks(parser: MarkdownIt) -> None:
    """Make a parser of ours take all but the first marks of a paragraph for text."""
    parser.core.ruler.before("inline", "set_marks_aside", _set_marks_aside)
    parser.core.ruler.after("inline", "put_marks_back", _put_marks_back)


def _set_marks_aside(state: StateCore) -> None:
    for token in state.tokens:
        marks = _MARKS.finditer(token.content) if token.type == "inline" else ()
        if last := next(islice(marks, _MOST_MARKS, None), None):
            token.meta["rest"] = token.content[last.start() :]
            token.content = token.content[: last.start()]


def _put_marks_back(state: StateCore) -> None:
    for token in state.tokens:
        if rest := token.meta.get("rest"):
            text = type(token)("text", "", 0, content=rest)
            token.children = [*(token.children or ()), text]


def few_marks(lines: Sequence[str]) -> list[str]:
    """Return lines of prose between blank lines with few enough marks that act.

    For parsers that are not ours: they find the others as entities.
    """
    if sum(len(_MARKS.findall(line)) for line in lines) <= _MOST_MARKS:
        return list(lines)
    return list(_with_few_marks(lines, _table_rule(lines)))


def _tamed_line(line: str) -> str:
    if len(line) <= LONGEST_RUN:
        return line
    # A long run begins no fence, and so it must not when it is cut.
    line = _TICKS.sub(lambda run: f"&#{ord(run[1])};{run[0][2:LONGEST_RUN]}", line)
    return _NESTED.sub(r"\1\\", cut_runs(line))


def _table_rule(lines: Sequence[str]) -> int:
    """Return the place of the line below a table's head; 0 if there is none."""
    for place, (head, line) in enumerate(pairwise(lines), 1):
        is_rule = "-" in line and not line.strip(" \t|:-")
        if is_rule and _columns(line) == _columns(head):
            return place
    return 0


def _columns(row: str) -> int:
    bare = row.strip().removeprefix("|")
    return bare.count("|") - bare.count("\\|") + (not bare.endswith("|"))


def _is_too_large(lines: Sequence[str], rule: int) -> bool:
    columns = _columns(lines[rule])
    missing = sum(max(0, columns - _columns(row)) for row in lines[rule + 1 :])
    return columns > _MOST_COLUMNS or missing > _MOST_MISSING


def _with_few_marks(lines: Sequence[str], rule: int) -> Iterator[str]:
    """Yield lines in which the marks of each paragraph act, up to a number."""
    left, reach = _MOST_MARKS, 3  # columns before a marker that begins a block
    for place, line in enumerate(lines):
        if 0 < rule < place:
            left = _MOST_MARKS
        elif block := _BLOCK.match(line):
            indent = len(block["indent"].expandtabs(4))
            may_interrupt = reach > 3 or not place or block["number"] in (None, "1")
            if indent <= reach and may_interrupt:
                left, reach = _MOST_MARKS, indent + 7
        marks = [mark.start() for mark in _MARKS.finditer(line)]
        end = marks[left] if len(marks) > left else len(line)
        yield line[:end] + line[end:].translate(_AS_TEXT)
        left = max(0, left - len(marks))
