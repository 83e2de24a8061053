"""The live views of a notebook: an answer drawn while it grows.

How a long answer streams without sending its text again for every token: outputs of
the cell are *sealed* (never touched again), one is *recent* (settled blocks are merged
into it until it is full, then it is sealed) and the last is the *tail*, the unfinished
block, the only one that is redrawn all the time. JupyterLab shows at most 50 outputs of
a cell, so full means a share of the answer. At the end all give way to one output with
the whole answer, which needs no widget and reads well on GitHub.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from IPython.display import clear_output, publish_display_data

from h2o_magic.blocks import BlockSplitter
from h2o_magic.pacing import Pacer
from h2o_magic.safe_markdown import harmless
from h2o_magic.tables import literal

__all__ = ["Output", "SingleView", "StreamedView"]

#: Seconds of quiet after each message to the notebook: at most 14 messages a second.
MESSAGE_INTERVAL = 0.07
#: A recent output is sealed at this many characters, or this share of the answer.
RECENT_LIMIT = 3000
RECENT_SHARE = 10
#: Most characters a second that redrawing a whole answer may send.
REDRAW_BUDGET = 50_000


class Output:
    """One output of a cell that can be redrawn."""

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex
        self._drawn: str | None = None

    def draw(self, markdown: str) -> int:
        """Show `markdown`; return 1 if a message was needed, else 0."""
        if markdown == (self._drawn or ""):
            return 0
        self.show({"text/markdown": harmless(markdown)}, {})
        self._drawn = markdown
        return 1

    def show(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Show something by its media types."""
        publish_display_data(
            data,
            metadata=metadata,
            transient={"display_id": self._id},
            update=self._drawn is not None,
        )
        self._drawn = ""


class _PacedView:
    """What the live views share: a pacer, and a sign of life before the first text."""

    def __init__(self, draw: Callable[[], int], waiting: str) -> None:
        self._awaited = waiting
        self._waiting = f"<sub>{waiting}</sub>"
        self._pacer = Pacer(draw, MESSAGE_INTERVAL)

    def notice(self, text: str) -> None:
        """Show what is being done in place of the sign of life; empty: that again."""
        self._waiting = f"<sub>{literal(text) or self._awaited}</sub>"
        self._pacer.request()

    def __exit__(self, *_: object) -> None:
        self._pacer.__exit__(None, None, None)


class SingleView(_PacedView):
    """Redraws one output: for a cell that shows other things too.

    The whole text is sent each time, so it is redrawn the more seldom the longer it is.
    """

    def __init__(self, waiting: str) -> None:
        super().__init__(self._draw, waiting)
        self._output = Output()
        self._text = ""

    def __enter__(self) -> SingleView:
        """Begin to draw."""
        self._pacer.__enter__()
        return self

    def wait(self) -> None:
        """Show the sign of life; the first text need not wait after it."""
        self._output.draw(self._waiting)

    def write(self, text: str) -> None:
        """Append text."""
        self._text += text
        self._pacer.request()

    def replace(self, text: str) -> None:
        """Show `text` in place of everything."""
        self._text = text
        self._pacer.request()

    def finish(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Turn the output into the end result."""
        self._pacer.__exit__(None, None, None)
        self._output.show(data, metadata)

    def clear(self) -> None:
        """Empty the output."""
        self._pacer.__exit__(None, None, None)
        self._output.draw(" ")

    def _draw(self) -> int:
        text = self._text
        sent = self._output.draw(text if text.strip() else self._waiting)
        return sent + int(len(text) / REDRAW_BUDGET / MESSAGE_INTERVAL)


class StreamedView(_PacedView):
    """Sealed, recent and tail outputs, replaced by one at the end."""

    def __init__(self, waiting: str) -> None:
        super().__init__(self._draw, waiting)
        # Written by the reader of the answer, drawn on the pacer's thread: True marks
        # a text that replaces all before it.
        self._news: deque[tuple[bool, str]] = deque()
        self._start_over()

    def __enter__(self) -> StreamedView:
        """Begin to draw."""
        self._pacer.__enter__()
        return self

    def wait(self) -> None:
        """Show the sign of life; the first text need not wait after it."""
        self._tail.draw(self._waiting)

    def write(self, text: str) -> None:
        """Append text."""
        self._news.append((False, text))
        self._pacer.request()

    def replace(self, text: str) -> None:
        """Clear the cell and show `text`."""
        self._news.append((True, text))
        self._pacer.request()

    def finish(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Replace all outputs by the end result."""
        self._pacer.__exit__(None, None, None)
        clear_output(wait=True)
        publish_display_data(data, metadata=metadata)

    def clear(self) -> None:
        """Clear the cell."""
        self._pacer.__exit__(None, None, None)
        clear_output()

    def _start_over(self) -> None:
        self._splitter = BlockSplitter()
        self._size = 0
        self._recent: Output | None = None
        self._recent_text = ""
        self._tail = Output()

    def _draw(self) -> int:
        cost = 0
        while self._news:
            anew, text = self._news.popleft()
            if anew:
                self._start_over()
                clear_output(wait=True)
                cost += 1
            self._size += len(text)
            cost += sum(self._place(piece) for piece in self._splitter.feed(text))
        if self._recent is not None:
            cost += self._recent.draw(self._recent_text)
        return cost + self._tail.draw(self._splitter.tail or self._placeholder())

    def _placeholder(self) -> str:
        return "" if self._recent is not None else self._waiting

    def _place(self, piece: str) -> int:
        """Merge a settled piece into the recent output, or make the tail the recent."""
        if self._recent is None:
            return self._promote_tail(piece)
        merged = self._recent_text + _joined(self._recent_text, piece)
        if len(merged) <= max(RECENT_LIMIT, self._size // RECENT_SHARE):
            self._recent_text = merged
            return 0
        return self._recent.draw(self._recent_text) + self._promote_tail(piece)

    def _promote_tail(self, piece: str) -> int:
        self._recent, self._recent_text = self._tail, piece
        self._tail = Output()
        return self._recent.draw(piece)


def _joined(before: str, piece: str) -> str:
    """Return `piece` with the line end it needs to stand after `before`."""
    return piece if before.endswith("\n") else f"\n\n{piece}"
