"""Growing Markdown: what is settled and will not change, and the live tail.

A view that sends the whole text for every token sends the square of its length. One
that is given settled pieces sends each once and redraws only the tail. The pieces do
not depend on how the text was cut on its way here, and each can be shown alone: a part
of a long code block or table is closed, and the next one opened again.
"""

from __future__ import annotations

import re

from h2o_magic.rendering.fences import Fence, fence_after, opened

#: Longest live piece of one block, in characters.
PIECE_LIMIT = 1500

_TABLE_RULE = re.compile(
    r"^ {0,3}(?:\|[ \t]*)?:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*(?:\|[ \t]*)?$"
)
# Only before a letter: the rest of a line must not look like the start of a block.
_SENTENCE_END = re.compile(r"[.!?][)\"'*_]*\s+(?=[^\W\d_])")
_WORD_END = re.compile(r"\s(?=[^\W\d_])")


def close_fence(text: str) -> str:
    """Return `text` with an open fence closed, so that a footer is not code."""
    if "```" not in text and "~~~" not in text:
        return text
    fence: Fence | None = None
    for line in text.split("\n"):
        fence = fence_after(fence, line)
    if fence is None:
        return text
    end = "" if text.endswith("\n") else "\n"
    return f"{text}{end}{fence.indent}{fence.mark}\n"


class Piece(str):
    """A piece of Markdown that can be shown alone.

    `head` repeats what opens a fence or a table that goes on; `foot` closes a fence.
    """

    head: str = ""
    foot: str = ""

    @classmethod
    def of(cls, body: str, head: str) -> Piece:
        """Return a part of a block that has no head as a piece."""
        open_ended = head + body
        piece = cls(close_fence(open_ended))
        piece.head, piece.foot = head, piece[len(open_ended) :]
        return piece


def joined(before: Piece, after: Piece) -> Piece:
    """Return two neighbouring pieces as one; a block that was cut is whole again."""
    if not before or not after:
        return before or after
    if after.head:
        piece = Piece(before.removesuffix(before.foot) + after[len(after.head) :])
    else:
        piece = Piece(before + after)
    piece.head, piece.foot = before.head, after.foot
    return piece


class BlockSplitter:
    """Cuts growing Markdown into settled pieces and a live tail.

    `prose_limit` is the longest live piece of what cannot be made whole again by
    `joined`: lists and paragraphs.
    """

    def __init__(self, prose_limit: int = PIECE_LIMIT) -> None:
        self._prose_limit = prose_limit
        self._lines: list[str] = []  # complete lines of the unsettled block
        self._size = 0
        self._begun = False  # one of the lines is not blank
        self._blank = False  # the last of them is
        self._partial: list[str] = []  # the line that has no end yet, in parts
        self._partial_size = 0
        self._line_cut = False  # the beginning of that line has settled
        self._fence: Fence | None = None
        self._head = ""  # the first two lines of the table that is unsettled
        self._reopen = ""  # what the next piece needs before it: fence opener, head
        self._settled: list[Piece] = []

    @property
    def tail(self) -> Piece:
        """The unsettled end of the text, which a view must redraw."""
        body = "".join((*self._lines, *self._partial))
        return Piece.of(body, self._reopen) if body.strip() else Piece()

    @property
    def goes_on(self) -> bool:
        """Whether code or a table of which a part has settled may go on."""
        return bool(self._reopen)

    @property
    def in_table(self) -> bool:
        """Whether a table of which a part has settled may go on."""
        return bool(self._reopen) and self._fence is None

    def feed(self, text: str) -> list[Piece]:
        """Add text; return the pieces that have settled since, in order."""
        first, *rest = text.split("\n")
        self._extend(first)
        for part in rest:
            self._end_line()
            self._extend(part)
        settled, self._settled = self._settled, []
        return settled

    def _extend(self, part: str) -> None:
        if part:
            if self._blank and not self._partial:
                self._begin_line(part)
            self._partial.append(part)
            self._partial_size += len(part)
        if self._partial_size > 2 * self._limit:
            self._cut_long_line()

    def _begin_line(self, part: str) -> None:
        """Settle what is before a blank line if its first character ends it."""
        if self._fence is None and self._begun and not part[0].isspace():
            self._settle()
            self._head = self._reopen = ""

    def _end_line(self) -> None:
        line = "".join(self._partial) + "\n"
        if self._fence is not None:
            self._add_code(line, self._fence)
        elif self._line_cut:
            self._add(line)
        else:
            self._add_prose(line)
        self._partial, self._partial_size, self._line_cut = [], 0, False
        if self._size > self._limit:
            self._settle()

    @property
    def _limit(self) -> int:
        is_code = self._fence is not None and not self._fence.lead
        is_whole = is_code or self._head or self._reopen
        return PIECE_LIMIT if is_whole else self._prose_limit

    def _add_code(self, line: str, fence: Fence) -> None:
        if self._line_cut or not fence.closed_by(line):
            self._add(line)
            return
        self._fence = None
        if self._lines or not self._reopen:  # else all of it has settled and is closed
            self._add(line)
            if self._reopen or not fence.lead:
                self._settle()
        self._reopen = ""

    def _add_prose(self, line: str) -> None:
        if not line.strip():
            self._add_blank(line)
            return
        fence = opened(line)
        starts_fence = fence is not None and not fence.lead
        if starts_fence or (self._blank and line[0] not in " \t"):
            if self._begun:
                self._settle()
            self._head = self._reopen = ""
        self._blank = False
        self._fence = fence
        self._add(line)
        if len(self._lines) == 2 and _TABLE_RULE.match(line) and "|" in self._lines[0]:
            self._head = "".join(self._lines)

    def _add_blank(self, line: str) -> None:
        self._head = ""  # a blank line ends a table
        if self._begun:
            self._blank = True
            self._add(line)
        elif not self._lines:  # one says as much as many
            self._reopen = ""
            self._add(line)

    def _add(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line)
        self._begun = self._begun or not line.isspace()

    def _settle(self) -> None:
        self._settled.append(Piece.of("".join(self._lines), self._reopen))
        self._lines, self._size, self._begun, self._blank = [], 0, False, False
        fence = self._fence
        self._reopen = self._head if fence is None else fence.opener

    def _cut_long_line(self) -> None:
        line, limit = "".join(self._partial), self._limit
        start = 0
        while len(line) - start > 2 * limit:
            piece = line[start : start + limit]
            if self._fence is None:
                piece = piece[: _cut_place(piece)]
            start += len(piece)
            self._add(piece if self._fence is None else piece + "\n")
            self._settle()
        self._partial, self._partial_size = [line[start:]], len(line) - start
        self._line_cut = True


def _cut_place(text: str) -> int:
    for end in (_SENTENCE_END, _WORD_END):
        places = [match.end() for match in end.finditer(text)]
        if places:
            return places[-1]
    return len(text)
