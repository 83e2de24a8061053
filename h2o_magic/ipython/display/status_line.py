"""A line of a terminal that is drawn again and again, and erased."""

from __future__ import annotations

from typing import TextIO

from h2o_magic.rendering.literal import one_line
from h2o_magic.rendering.streams import can_redraw, columns, write
from h2o_magic.rendering.tables import columns as columns_of


class StatusLine:
    """Such a line; `works` says whether there is one: a file has none."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.works = can_redraw(stream)
        self._drawn = 0

    def show(self, text: str, *, end: bool = False) -> None:
        """Show the beginning of a text, or its `end`, as much as there is room for."""
        if self.works:
            line = _fitting(one_line(text), columns() - 1, end=end)
            width = columns_of(line)
            write("\r" + line + " " * (self._drawn - width), self._stream)
            self._drawn = width

    def erase(self) -> None:
        """Leave the line empty."""
        if self._drawn:
            write("\r" + " " * self._drawn + "\r", self._stream)
            self._drawn = 0

    def keep(self) -> None:
        """Go on below the line."""
        if self._drawn:
            write("\n", self._stream)
            self._drawn = 0


def _fitting(text: str, width: int, *, end: bool) -> str:
    text = text[-width:] if end else text[:width]
    while columns_of(text) > width:
        text = text[1:] if end else text[:-1]
    return text
