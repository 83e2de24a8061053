"""The live views of a notebook: an answer drawn while it grows.

How a long answer streams without sending its text again for every token: outputs of
the cell are *sealed* (never touched again), one is *recent*, and the last is the
*tail*, the only one that is redrawn all the time: the unfinished block, and the few
before it. When those are enough, recent takes them in, or, if it is full, is sealed,
and the tail becomes recent, so that most draws send one message. JupyterLab shows at
most 50 outputs of a cell, so full means a share of a long answer, and a larger one the
more there are. At the end all give way to one output with the whole answer, which needs
no widget and reads well on GitHub.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any

from h2o_magic.ipython.display.front_end import clear, publish
from h2o_magic.ipython.display.pacer import Pacer
from h2o_magic.ipython.display.views import AnswerView
from h2o_magic.rendering.blocks import BlockSplitter, Piece, joined
from h2o_magic.rendering.direction import with_directions
from h2o_magic.rendering.literal import literal
from h2o_magic.rendering.sanitize import sanitize

#: Seconds from draw to draw, so that about nine a second are seen, and the least for
#: each message: at most 14 a second.
DRAW_INTERVAL = 0.112
MESSAGE_INTERVAL = 0.07
#: Characters of settled blocks that leave the tail. A message has some 600 bytes beside
#: its text: fewer would save little. With the answer's length it grows by a share.
TAIL_LIMIT = 500
TAIL_SHARE = 300
#: Characters that a recent output holds before it is sealed: so many, or a share of the
#: answer. It is sent again for each tail it takes in, so a long answer costs the less
#: the smaller they are, and a short one should leave it outputs: `benchmarks iopub`.
RECENT_LIMIT = 1500
RECENT_SHARE = 11
#: Outputs that a cell never has more of, and most characters a second of one.
MOST_OUTPUTS = 50
MOST_CHARACTERS = 200_000
#: Most characters a second that redrawing a whole answer may send.
REDRAW_BUDGET = 50_000


class Output:
    """One output of a cell that can be redrawn."""

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex[:12]  # it is in each message
        self._drawn: str | None = None

    @property
    def drawn(self) -> str:
        """The Markdown that it shows."""
        return self._drawn or ""

    def draw(self, markdown: str, *, own: bool = False) -> int:
        """Show `markdown`, if it is not our `own` sanitized; return 1 if it is new."""
        if markdown == self.drawn:
            return 0
        shown = markdown if own else with_directions(sanitize(markdown))
        if self.show({"text/markdown": shown}, {}):
            self._drawn = markdown
        return 1

    def show(self, data: dict[str, Any], metadata: dict[str, Any]) -> bool:
        """Show something by its media types; return whether that was possible."""
        update = self._drawn is not None
        shown = publish(data, metadata, display_id=self._id, update=update)
        self._drawn = "" if shown else self._drawn
        return shown


class _LiveView(AnswerView, ABC):
    """What the live views share: a pacer, and a placeholder before the first text."""

    def __init__(self, waiting: str) -> None:
        self._waiting = literal(waiting)
        self._placeholder = f"<sub>{self._waiting}</sub>"
        self._pacer = Pacer(self._draw)

    def __enter__(self) -> AnswerView:
        """Start to draw."""
        self._pacer.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing."""
        self._pacer.close()

    def wait(self) -> None:
        """Show the placeholder; the first text need not wait after it."""
        self._draw()

    def notice(self, text: str) -> None:
        """Show what is being done in place of the placeholder; empty: that again."""
        self._placeholder = f"<sub>{literal(text) or self._waiting}</sub>"
        self._pacer.request()

    @abstractmethod
    def _draw(self) -> float:
        """Draw what is new; return how many seconds not to draw again."""


class SingleView(_LiveView):
    """Redraws one output: for a cell that shows other things too.

    The whole text is sent each time, so the longer it is, the less often it is redrawn.
    """

    def __init__(self, waiting: str) -> None:
        super().__init__(waiting)
        self._output = Output()
        self._text = ""

    def write(self, text: str) -> None:
        """Append text."""
        self.replace(self._text + text)

    def replace(self, text: str) -> None:
        """Show `text` in place of everything."""
        self._text = text
        self._pacer.request()

    def finish(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Turn the output into the result."""
        self._pacer.close()
        self._output.show(data, metadata)

    def clear(self) -> None:
        """Empty the output."""
        self._pacer.close()
        self._output.draw(" ")

    def _draw(self) -> float:
        text, waiting = self._text, not self._text.strip()
        sent = self._output.draw(self._placeholder if waiting else text, own=waiting)
        return _rest(sent) + sent * len(text) / REDRAW_BUDGET


class StreamedView(_LiveView):
    """Sealed, recent and tail outputs, replaced by one at the end.

    `alone` says whether the cell has no other outputs, which clearing would remove.
    """

    def __init__(self, waiting: str, alone: Callable[[], bool] = lambda: True) -> None:
        super().__init__(waiting)
        self._alone = alone
        self._outputs: list[Output] = []
        # Written by the reader of the answer, drawn on the pacer's thread: True marks
        # a text that replaces all before it.
        self._pending: deque[tuple[bool, str]] = deque()
        self._start_over()

    def write(self, text: str) -> None:
        """Append text."""
        self._pending.append((False, text))
        self._pacer.request()

    def replace(self, text: str) -> None:
        """Show `text` in place of everything."""
        self._pending.append((True, text))
        self._pacer.request()

    def finish(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Replace all outputs by the result."""
        self._pacer.close()
        self._sweep(wait=True).show(data, metadata)

    def clear(self) -> None:
        """Remove all outputs."""
        self._pacer.close()
        self._sweep(wait=False)

    def _sweep(self, *, wait: bool) -> Output:
        """Take all outputs away, and return one for what is shown in their place."""
        if self._alone():
            clear(wait=wait)
            self._outputs.clear()
        for output in self._outputs:
            if output.drawn:
                output.draw(" ")
        return self._outputs[0] if self._outputs else self._new_output()

    def _new_output(self) -> Output:
        self._outputs.append(Output())
        return self._outputs[-1]

    def _start_over(self) -> None:
        self._splitter = BlockSplitter()
        self._size = 0
        self._sealed = 0  # how many
        self._recent: Output | None = None
        self._recent_text = Piece()
        self._tail = self._sweep(wait=True) if self._outputs else self._new_output()
        self._settled = Piece()  # what of the tail's text will not change

    def _draw(self) -> float:
        cleared = self._take_pending()
        if len(self._settled) > TAIL_LIMIT + self._size // TAIL_SHARE:
            rest = _rest(cleared + self._move_settled())
            return max(rest, len(self._recent_text) / MOST_CHARACTERS)
        text: str = joined(self._settled, self._splitter.tail)
        waiting = not text and self._recent is None
        shown = self._placeholder if waiting else text
        return _rest(cleared + self._tail.draw(shown, own=waiting))

    def _take_pending(self) -> int:
        """Split the pending text; return how many messages cleared the cell."""
        sent = 0
        while self._pending:
            anew, text = self._pending.popleft()
            if anew:
                sent += len(self._outputs)
                self._start_over()
            self._size += len(text)
            for piece in self._splitter.feed(text):
                self._settled = joined(self._settled, piece)
        return sent

    def _move_settled(self) -> int:
        """Take the settled text out of the tail; return the messages it needed."""
        settled, self._settled = self._settled, Piece()
        merged = joined(self._recent_text, settled)
        if self._recent is not None:
            if len(merged) <= self._full():
                self._recent_text = merged
                return self._recent.draw(merged) + self._tail.draw(self._splitter.tail)
            self._sealed += 1
        self._recent, self._recent_text = self._tail, settled
        self._tail = self._new_output()
        if len(settled) < len(self._recent.drawn):  # of a long line
            return self._tail.draw(self._splitter.tail) + self._recent.draw(settled)
        if self._splitter.tail:
            self._pacer.again()
        return self._recent.draw(settled)

    def _full(self) -> int:
        """Return how many characters recent may hold: at last, all that comes."""
        room = MOST_OUTPUTS - self._sealed - 2  # beside recent and the tail
        share = max(1, min(RECENT_SHARE, room // 2))
        return max(RECENT_LIMIT, self._size // share)


def _rest(messages: int) -> float:
    """Return the seconds of quiet after so many messages."""
    return max(DRAW_INTERVAL, messages * MESSAGE_INTERVAL) if messages else 0
