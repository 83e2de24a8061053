"""How a download is shown: in a notebook, in a terminal, in a log."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from h2o_magic.ipython.display.front_end import publish, publishes, updates
from h2o_magic.ipython.display.live import Output
from h2o_magic.ipython.display.status_line import StatusLine
from h2o_magic.rendering.literal import literal, printable
from h2o_magic.rendering.streams import write
from h2o_magic.weights.progress import (
    PullEvent,
    PullPlan,
    PullProgress,
    PullResult,
    Speed,
    bar,
    progress_words,
)

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Seconds between two drawings.
_INTERVAL = 0.5
_WIDTH = 24


def make_pull_view(shell: InteractiveShell | None, model: str) -> PullView:
    """Return the view of a download that fits the front end."""
    if publishes(shell):
        return NotebookPull(model, live=updates(shell))
    return TerminalPull(model, sys.stdout)


class PullView(ABC):
    """What the views of a download share; `command` is what resumes it."""

    def __init__(
        self, model: str, command: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._model = model
        self._command = command
        self._clock = clock
        self._speed = Speed()
        self._next = 0.0
        self._resumes = True

    @abstractmethod
    def update(self, event: PullEvent) -> None:
        """Show an event of the download."""

    def stopped(self) -> str:
        """Show that it was interrupted, and return how to resume it."""
        command = f"`{self._command} {self._model}`"
        if not self._resumes:
            return f"Stopped: {command} starts over."
        return f"Stopped. The partial download is kept: {command} resumes it."

    def _words(self, progress: PullProgress) -> str | None:
        """Return the progress in words; None while the last drawing is too new."""
        now = self._clock()
        if now < self._next and progress.done < progress.total:
            return None
        self._next = now + _INTERVAL
        if progress.verifying:
            return progress_words(progress, None)
        return progress_words(progress, self._speed.add(now, progress.done))


class NotebookPull(PullView):
    """Redraws one output of the cell, which needs no widget and stays readable.

    One that is not `live` shows the end only.
    """

    def __init__(
        self,
        model: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        live: bool = True,
    ) -> None:
        super().__init__(model, "%h2o pull", clock)
        self._live = live
        self._output = Output()
        self._head: tuple[str, ...] = ()
        self._last = ""

    def update(self, event: PullEvent) -> None:
        """Redraw the output."""
        match event:
            case PullPlan():
                self._head, self._resumes = event.lines, event.resumable
                self._draw("starting")
            case PullProgress():
                words = self._words(event)
                if words is not None:
                    self._draw(f"{bar(event, _WIDTH)} {words}")
            case PullResult():
                note = "" if event.how == "local" else " The next answer uses it."
                line = f"{self._model}: {event.path.name} {event.words}.{note}"
                self._draw(line, last=True)

    def stopped(self) -> str:
        """Show that it was interrupted, and return how to resume it."""
        self._draw(f"stopped: {self._last}".removesuffix(": "), last=True)
        return super().stopped()

    def _draw(self, line: str, *, last: bool = False) -> None:
        self._last = line
        if self._live or last:
            shown = [*self._head, line]
            plain = "\n".join(map(printable, shown))
            markdown = "<br>".join(map(literal, shown))
            data = {"text/markdown": markdown, "text/plain": plain}
            self._output.show(data, {}) if self._live else publish(data)


class TerminalPull(PullView):
    """Redraws one line of a terminal; in a file, writes a line for each tenth."""

    def __init__(
        self,
        model: str,
        stream: TextIO,
        command: str = "%h2o pull",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(model, command, clock)
        self._stream = stream
        self._progress_line = StatusLine(stream)
        self._tenths = 0

    def update(self, event: PullEvent) -> None:
        """Print it."""
        match event:
            case PullPlan():
                self._resumes = event.resumable
                self._line(*event.lines)
            case PullProgress():
                self._progress(event)
            case PullResult():
                self._line(f"{self._model}: {event.path.name} {event.words}")

    def stopped(self) -> str:
        """End the line, and return how to resume it."""
        self._progress_line.keep()
        return super().stopped()

    def _progress(self, event: PullProgress) -> None:
        words = self._words(event)
        tenths = 10 * event.done // max(event.total, 1)
        if words is None:
            return
        if self._progress_line.works:
            self._progress_line.show(f"{bar(event, _WIDTH)} {words}")
        elif tenths > self._tenths:
            self._tenths = tenths
            self._line(words)

    def _line(self, *lines: str) -> None:
        self._progress_line.keep()
        write("".join(f"{printable(line)}\n" for line in lines), self._stream)
