"""A growing answer as small steps: what a view adds to what it shows already.

A block of the text is shown as chunks of HTML: code and tables as a frame and the parts
in it, all else as one. What has settled is sent once, and of the others only the part
that differs. So the traffic grows with the text, and not with its square, and a view
draws little anew, however long a block is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from itertools import takewhile
from os.path import commonprefix
from typing import Any

from h2o_magic.chat_panel.code import runs
from h2o_magic.chat_panel.html import Block, as_block
from h2o_magic.conversation.notifications import GrowingAnswer
from h2o_magic.rendering.blocks import BlockSplitter, Piece

#: The number of a chunk in the last block, how much of its HTML stays, in UTF-16 units,
#: and what follows that; the chunks after it go. Or `NEW_BLOCK`, which begins one.
Step = tuple[int, int, str]
NEW_BLOCK: Step = (-1, 0, "")

#: Characters of a list or a paragraph until its first part settles.
_LONGEST_PROSE = 3000
# A line that may yet become one that begins code, or ends it.
_UNDECIDED = re.compile(r" {0,3}(?:`{1,2}|~{1,2}|`{3,}[^`]*|~{3,}.*)")


class HtmlStream:
    """The text of one answer as HTML."""

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._text = ""
        self._splitter = BlockSplitter(_LONGEST_PROSE)
        self._finished: list[str] = []
        self._block = _ShownBlock()
        self._ended = False  # a piece has settled, and nothing of the next is shown

    @property
    def html(self) -> str:
        """What a view shows after all steps."""
        return "".join((*self._finished, self._block.html))

    def update(self, text: str) -> tuple[list[Step], bool]:
        """Return the steps to a new text, and whether a view must restart first."""
        if text == self._text:
            return [], False
        restarted = not text.startswith(self._text)
        if restarted:
            self._restart()
        added, self._text = text[len(self._text) :], text
        return list(self._steps(added)), restarted

    def _steps(self, added: str) -> Iterator[Step]:
        for piece in self._splitter.feed(added):
            yield from self._show(piece)
            self._block.settle()
            self._ended = True
        tail = _decided(self._splitter.tail)
        if tail or not self._splitter.goes_on:
            yield from self._show(tail)

    def _show(self, piece: Piece) -> Iterator[Step]:
        if self._ended and not (piece.head and self._block.has_frame):
            self._finished.append(self._block.html)
            self._block = _ShownBlock()
            yield NEW_BLOCK
        self._ended = False
        yield from self._block.show(piece)


class _ShownBlock:
    """A block as the views show it."""

    def __init__(self) -> None:
        self._block = Block("")
        self._settled: list[str] = []  # chunks
        self._live = [""]
        self._runs: list[tuple[str, str]] = []  # those of the live parts
        self._rest, self._begin = "", 0  # code of settled pieces in them, and its place

    @property
    def has_frame(self) -> bool:
        return bool(self._block.after)

    @property
    def html(self) -> str:
        first, *parts = (*self._settled, *self._live)
        return self._block.html(parts) if self.has_frame else first

    def show(self, piece: Piece) -> Iterator[Step]:
        """Yield the steps to the block with this piece in place of its live chunks."""
        self._block = block = as_block(piece)
        parts, self._runs = [block.body] if block.body else [], []
        if block.code is not None:
            code = self._rest + block.code
            self._runs = list(runs(code, block.language, self._begin))
            parts = [shown for _, shown in self._runs]
        frame = [] if self._settled else [block.html()]
        before, self._live = self._live, [*frame, *parts]
        yield from _steps(before, self._live, len(self._settled))

    def settle(self) -> None:
        """Take the live chunks for settled, but for a run of code that may go on."""
        last = len(self._live) - bool(self._runs)
        self._settled, self._live = self._settled + self._live[:last], self._live[last:]
        if self._runs:
            self._rest = self._runs[-1][0]
            self._begin += sum(len(run) for run, _ in self._runs[:-1])


class AnswerStream:
    """An answer that is being written, and how much of it was sent to the views."""

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self._began = time.monotonic()
        self.answer: GrowingAnswer | None = None
        self.restart()

    @property
    def seconds(self) -> float:
        """For how long it has been coming."""
        return round(time.monotonic() - self._began, 1)

    def restart(self) -> None:
        """Make the next delta hold all of the answer."""
        self._text = HtmlStream()
        self._reasoning = 0  # characters sent
        self._notice = ""
        self._restarted = True

    @property
    def html(self) -> str:
        """What a view shows of the answer after all deltas."""
        return self._text.html

    def delta(self) -> dict[str, Any]:
        """Return what is new since the last call, as JSON values; empty if nothing."""
        if self.answer is None:
            return {}
        steps, restarted = self._text.update(self.answer.text)
        if restarted:
            self._reasoning, self._restarted = 0, True
        delta: dict[str, Any] = {"html": steps} if steps else {}
        reasoning = self.answer.reasoning
        if (
            len(reasoning) > self._reasoning
            and self.answer.question.reasoning != "hide"
        ):
            delta["reasoning"] = reasoning[self._reasoning :]
            self._reasoning = len(reasoning)
        if self.answer.notice != self._notice:
            self._notice = self.answer.notice
            delta["notice"] = self._notice, round(self.answer.waited, 1)
        if delta and self._restarted:
            delta["restart"], self._restarted = 1, False
        return delta


def _decided(tail: Piece) -> Piece:
    """Return the tail without a last line that may yet begin or end code."""
    body = tail[len(tail.head) : len(tail) - len(tail.foot)]
    before, line_end, line = body.rpartition("\n")
    if not _UNDECIDED.fullmatch(line):
        return tail
    return Piece.of(before + line_end, tail.head) if before.strip() else Piece()


def _steps(before: Sequence[str], after: Sequence[str], first: int) -> Iterator[Step]:
    """Yield the steps from chunks to others, of which `first` is the first's number."""
    pairs = zip(before, after, strict=False)
    same = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    if same == len(after) < len(before) and first + same:
        yield first + same - 1, -1, ""
    for place in range(same, len(after)):
        old = before[same] if place == same < len(before) else ""
        kept = commonprefix([old, after[place]])  # noqa: RUF071 - no paths
        # JavaScript counts a character beyond U+FFFF as two.
        units = len(kept.encode("utf-16-le", "surrogatepass")) // 2
        yield first + place, units, after[place][len(kept) :]
