"""How a run over a table is shown: a line while it runs, its first rows at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from h2o_magic.ipython.display.front_end import publish, publishes, updates
from h2o_magic.ipython.display.live import Output
from h2o_magic.ipython.display.status_line import StatusLine
from h2o_magic.rendering.literal import phrase, printable, without_marks
from h2o_magic.rendering.streams import write
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.view import run_markdown, run_plain

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def make_run_view(shell: InteractiveShell | None, *, whole: bool = True) -> RunView:
    """Return the view of a run that fits the front end.

    At its end it shows the run as a `whole`, or its line alone.
    """
    if publishes(shell):
        return NotebookRun(live=updates(shell), whole=whole)
    return RunView(sys.stdout if whole else sys.stderr, whole=whole)


class RunView:
    """Redraws one line of a terminal; a file has the end alone."""

    def __init__(self, stream: TextIO, *, whole: bool) -> None:
        self._stream = stream
        self._whole = whole
        self._line = StatusLine(stream)

    def tell(self, progress: Progress) -> None:
        """Show how far the run is."""
        self._line.show(progress.line())

    def end(self, mapped: MappedTable) -> None:
        """Show what came of it."""
        self._line.erase()
        text = run_plain(mapped, told=True) if self._whole else last_line(mapped)
        write(f"{printable(text)}\n", self._stream)

    def clear(self) -> None:
        """Show nothing: there is an error instead."""
        self._line.erase()


class Told(RunView):
    """Shows nothing: the caller is told."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        super().__init__(sys.stderr, whole=False)
        self.tell = tell  # type: ignore[assignment, method-assign]

    def end(self, mapped: MappedTable) -> None:
        """Tell the last counts."""
        self.tell(mapped.progress)


class NotebookRun(RunView):
    """Redraws one output of the cell, which at the end needs no kernel to be read.

    One that is not `live` shows the end only.
    """

    def __init__(self, *, live: bool, whole: bool) -> None:
        self._live = live
        self._whole = whole
        self._output = Output()
        self._shown = False

    def tell(self, progress: Progress) -> None:
        """Show how far the run is."""
        if self._live:
            self._shown = True
            self._show_line(progress.line())

    def end(self, mapped: MappedTable) -> None:
        """Show what came of it."""
        if self._whole:
            self._show(run_markdown(mapped, told=True), run_plain(mapped, told=True))
        else:
            self._show_line(last_line(mapped))

    def clear(self) -> None:
        """Show nothing: there is an error instead."""
        if self._shown:
            self._show(" ", " ")

    def _show_line(self, line: str) -> None:
        self._show(phrase(line), without_marks(line))

    def _show(self, markdown: str, plain: str) -> None:
        data = {"text/markdown": markdown, "text/plain": printable(plain)}
        self._output.show(data, {}) if self._live else publish(data)


def last_line(mapped: MappedTable) -> str:
    """Return how a run ended, on one line."""
    progress = mapped.progress
    return " · ".join(filter(None, (progress.line(), progress.reason)))
