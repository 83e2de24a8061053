"""An answer in a terminal: rendered block by block; in a pipe, as it comes."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TextIO

from h2o_magic.ipython.display.pacer import Pacer
from h2o_magic.ipython.display.status_line import StatusLine
from h2o_magic.rendering.blocks import BlockSplitter, Piece, joined
from h2o_magic.rendering.literal import printable
from h2o_magic.rendering.streams import can_redraw, columns, is_terminal, write

#: Seconds without a finished block after which the growing one is hinted at, and
#: between two such hints.
_PATIENCE = 0.5
_INTERVAL = 0.15

_MARKS = re.compile(r"[*_`#~|>]+")


def markdown_renderer(stream: TextIO) -> Callable[[str], str]:
    """Return what renders Markdown for a terminal: rich, where it is installed."""
    if can_redraw(stream) and not os.environ.get("NO_COLOR"):
        try:
            rich = import_module("h2o_magic.ipython.display.rich_text")
            return _safe(rich.renderer(stream, columns()))
        except Exception:  # it is not installed, or not as expected
            return as_plain_text
    return as_plain_text


def _safe(render: Callable[[str], str]) -> Callable[[str], str]:
    """Return `render`, with the plain text for what it fails at."""

    def rendered(markdown: str) -> str:
        try:
            return render(markdown)
        except Exception:  # the text is a model's, and there is another way
            return as_plain_text(markdown)

    return rendered


def as_plain_text(markdown: str) -> str:
    """Return Markdown as plain text."""
    shown: str = import_module("h2o_magic.rendering.plain").as_plain(markdown)
    return shown


def answer_stream(stream: TextIO, *, markdown: bool = True) -> AnswerStream:
    """Return where an answer is written: rendered, if a terminal shows Markdown."""
    rendered = markdown and is_terminal(stream)
    return RenderedStream(stream) if rendered else AnswerStream(stream)


class AnswerStream:
    """Writes an answer's text as it comes; use it as a context manager.

    `error` is why the stream takes it no longer.
    """

    def __init__(self, stream: TextIO) -> None:
        self.error: Exception | None = None
        self.text = ""  # that was given
        self._stream = stream
        self._terminal = is_terminal(stream)

    def __enter__(self) -> AnswerStream:
        """Start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write nothing more."""

    def write(self, text: str) -> None:
        """Write more text."""
        self.text += text
        self._add(text)

    def replace(self, text: str) -> None:
        """Write what `text` adds to the written one, or all of it below that."""
        added = text.removeprefix(self.text)
        if self.text and added == text:
            self._begin_anew()
        self.text = text
        self._add(added)

    def end(self, rest: str) -> None:
        """Write what follows the text."""
        self._print(rest)

    def _add(self, text: str) -> None:
        # What would steer a terminal is left out.
        self._print(printable(text) if self._terminal else text)

    def _begin_anew(self) -> None:
        self._print("\n")

    def _print(self, text: str) -> None:
        self.error = write(text, self._stream) or self.error


class RenderedStream(AnswerStream):
    """Renders each block of Markdown once it is finished.

    While one is long in coming, a line below shows how it grows.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._line = StatusLine(stream)
        self._pacer = Pacer(self._draw)
        # Written by the reader of the answer, drawn on the pacer's thread; None begins
        # another text.
        self._pending: deque[str | None] = deque()
        self._splitter = BlockSplitter()
        self._held = Piece()  # a table that goes on
        self._render: Callable[[str], str] | None = None
        self._last = 0.0  # when a block was finished

    def __enter__(self) -> AnswerStream:
        """Start to draw."""
        self._pacer.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing."""
        self._pacer.close()
        self._line.erase()

    def end(self, rest: str) -> None:
        """Write the last block and what follows it."""
        self._pacer.close()
        self._begin_anew()
        self._put(self._finished())
        self._print(rest.removeprefix("\n") if self._render else rest)

    def _add(self, text: str) -> None:
        self._last = self._last or time.monotonic()
        self._pending.append(text)
        self._pacer.request()

    def _begin_anew(self) -> None:
        self._pending.append(None)

    def _draw(self) -> float:
        self._put(self._finished())
        tail = self._splitter.tail
        if tail and time.monotonic() - self._last > _PATIENCE:
            self._line.show(_MARKS.sub("", tail), end=True)
        elif tail and self._line.works:
            self._pacer.again()
        return _INTERVAL

    def _finished(self) -> Iterator[Piece]:
        """Yield the blocks that have come to their end; a table's parts as one."""
        while self._pending:
            text = self._pending.popleft()
            if text is None:
                pieces, self._splitter = [self._splitter.tail], BlockSplitter()
            else:
                pieces = self._splitter.feed(text)
            for piece in pieces:
                if not piece.head:
                    yield self._held
                    self._held = Piece()
                self._held = joined(self._held, piece)
            if not self._splitter.in_table:
                yield self._held
                self._held = Piece()

    def _put(self, pieces: Iterator[Piece]) -> None:
        for piece in filter(str.strip, pieces):
            between = "\n" if self._render and not piece.head else ""
            self._render = self._render or markdown_renderer(self._stream)
            self._line.erase()
            self._print(f"{between}{self._render(printable(piece))}\n")
            self._last = time.monotonic()
