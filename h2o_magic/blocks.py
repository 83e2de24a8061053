"""Growing Markdown: what is settled and will not change, and the live tail.

A live view that sends the whole text for every token sends the square of its length.
This module cuts the text while it grows, so that a view sends each settled piece once
and redraws only the tail. It holds no more than the unsettled end of the text, and
reads every character once.

The pieces are for the live view only: a piece of a long code block or table is closed
and the next one opened again, so each can be shown alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["BlockSplitter", "close_fence"]

#: Longest live piece of one block, in characters.
PIECE_LIMIT = 1500

_FENCE = re.compile(r"^[ \t]*(?P<mark>`{3,}|~{3,})(?P<info>[^\n]*)$")
_TABLE_RULE = re.compile(
    r"^ {0,3}\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$"
)
_SENTENCE_END = re.compile(r"[.!?][)\"'*_]*\s+(?=\S)")


@dataclass(slots=True)
class _Fence:
    """An open code fence: its whole first line and its mark."""

    opener: str
    mark: str

    def closed_by(self, line: str) -> bool:
        text = line.strip()
        return len(text) >= len(self.mark) and not text.strip(self.mark[0])

    @property
    def closer(self) -> str:
        indent = self.opener[: len(self.opener) - len(self.opener.lstrip())]
        return f"{indent}{self.mark}\n"


def _opened_fence(line: str) -> _Fence | None:
    match = _FENCE.match(line.rstrip("\r\n"))
    if match is None or ("`" in match["mark"] and "`" in match["info"]):
        return None
    return _Fence(line.rstrip("\r\n") + "\n", match["mark"])


def close_fence(text: str) -> str:
    """Return `text` with a code fence that it left open closed.

    Text appended afterwards (a footer) then stands outside the code.
    """
    fence: _Fence | None = None
    for line in text.split("\n"):
        if fence is None:
            fence = _opened_fence(line)
        elif fence.closed_by(line):
            fence = None
    if fence is None:
        return text
    return text + ("" if text.endswith("\n") else "\n") + fence.closer


class BlockSplitter:
    """Cuts growing Markdown into settled pieces and a live tail.

    Feed it text as it comes; :meth:`feed` returns the pieces that have settled since,
    and :attr:`tail` is what a view must still redraw.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []  # complete lines of the unsettled block
        self._size = 0
        self._partial: list[str] = []  # the line that has no end yet, in parts
        self._partial_size = 0
        self._fence: _Fence | None = None
        self._reopen = ""  # what a piece needs before it: fence opener, table head
        self._blank = False  # the block ends with a blank line
        self._settled: list[str] = []

    @property
    def tail(self) -> str:
        """The unsettled end of the text, as Markdown that can be shown alone."""
        body = "".join((*self._lines, *self._partial))
        if not body.strip():
            return ""
        text = self._reopen + body
        if self._fence is None:
            return text
        if self._fence.closed_by("".join(self._partial)):
            return text  # the closing fence is here, only its line end is not
        return text + ("" if text.endswith("\n") else "\n") + self._fence.closer

    def feed(self, text: str) -> list[str]:
        """Take more text and return the pieces that have settled, in order."""
        first, *rest = text.split("\n")
        self._extend(first)
        for part in rest:
            self._end_line()
            self._extend(part)
        self._cut_long_line()
        settled, self._settled = self._settled, []
        return settled

    def _extend(self, part: str) -> None:
        if part:
            self._partial.append(part)
            self._partial_size += len(part)

    def _end_line(self) -> None:
        line = "".join(self._partial) + "\n"
        self._partial, self._partial_size = [], 0
        if self._fence is not None:
            self._add_code(line, self._fence)
        else:
            self._add_prose(line)
        if self._size > PIECE_LIMIT:
            self._settle()

    def _add_code(self, line: str, fence: _Fence) -> None:
        if not fence.closed_by(line):
            self._add(line)
            return
        self._fence = None
        if self._reopen and not self._lines:  # all of it has settled: nothing to close
            self._reopen = ""
            return
        self._add(line)
        if self._reopen or fence.opener[0] in "`~":  # an indented one is in a list
            self._settle()
        self._reopen = ""

    def _add_prose(self, line: str) -> None:
        if not line.strip():
            self._blank = bool(self._lines)
            self._add(line)
            return
        fence = _opened_fence(line)
        starts_block = line[0] not in " \t" and (self._blank or fence is not None)
        if starts_block and self._lines:
            self._settle()
            self._reopen = ""
        self._blank = False
        self._fence = fence
        self._add(line)
        if len(self._lines) == 2 and _TABLE_RULE.match(line) and "|" in self._lines[0]:
            self._reopen = "".join(self._lines)
            self._lines, self._size = [], 0

    def _add(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line)

    def _settle(self) -> None:
        body = "".join(self._lines)
        self._lines, self._size, self._blank = [], 0, False
        if not (self._reopen + body).strip():
            return
        if self._fence is not None:
            self._settled.append(self._reopen + body + self._fence.closer)
            self._reopen = self._fence.opener
        else:
            self._settled.append(self._reopen + body)

    def _cut_long_line(self) -> None:
        while self._partial_size > 2 * PIECE_LIMIT:
            line = "".join(self._partial)
            place = _cut_place(line, code=self._fence is not None)
            self._add(line[:place] + ("\n" if self._fence is not None else ""))
            self._partial, self._partial_size = [line[place:]], len(line) - place
            self._settle()


def _cut_place(line: str, *, code: bool) -> int:
    """Return where a long line is cut: after a sentence, a space, or anywhere."""
    if code:
        return PIECE_LIMIT
    ends = [m.end() for m in _SENTENCE_END.finditer(line, 0, PIECE_LIMIT)]
    if ends:
        return ends[-1]
    space = line.rfind(" ", 1, PIECE_LIMIT)
    return space + 1 if space > 0 else PIECE_LIMIT
