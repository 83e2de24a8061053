"""Where an answer appears: the view that fits the front end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import publish_display_data

from h2o_magic.rendering.tables import printable

#: Columns of a terminal's line that a notice takes at most: a longer one would go on
#: on a second line, which cannot be taken back.
_LONGEST_NOTICE = 78


class AnswerView(Protocol):
    """Where an answer appears while it comes. Use it as a context manager."""

    def wait(self) -> None:
        """Show that an answer is awaited."""

    def notice(self, text: str) -> None:
        """Show what is being done before the first text; empty takes it back."""

    def write(self, text: str) -> None:
        """Append text."""

    def replace(self, text: str) -> None:
        """Show `text` in place of everything that was written."""

    def finish(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Show the end result, by media type, after which the view is done."""

    def clear(self) -> None:
        """Take the sign of life away: no text came, and none will."""

    def __enter__(self) -> AnswerView:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """Release what the view holds."""


def make_view(
    shell: InteractiveShell | None, *, waiting: str, owns_cell: bool, live: bool = True
) -> AnswerView:
    """Return the view that fits the front end."""
    if not hasattr(shell, "kernel"):
        return TerminalView(live=live)
    if not live:
        return FinalView()
    from h2o_magic.ipython.display.live import SingleView, StreamedView  # noqa: PLC0415 - a line needs none

    return StreamedView(waiting) if owns_cell else SingleView(waiting)


#: Takes the Markdown that would be shown, where somebody else shows it.
_taker: ContextVar[Callable[[str], None] | None] = ContextVar("taker", default=None)


@contextmanager
def shown_by(taker: Callable[[str], None]) -> Iterator[None]:
    """Give `taker` what :func:`show_markdown` is to show meanwhile in this thread."""
    token = _taker.set(taker)
    try:
        yield
    finally:
        _taker.reset(token)


def show_markdown(shell: InteractiveShell | None, markdown: str, plain: str) -> None:
    """Show a text once, as Markdown in a notebook and plainly in a terminal."""
    taker = _taker.get()
    if taker is not None:
        taker(markdown)
    elif hasattr(shell, "kernel"):
        publish_display_data({"text/markdown": markdown, "text/plain": plain})
    else:
        _print(printable(plain) + "\n")


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


class TerminalView:
    """Prints the text as it comes, then only what follows it."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._shown = ""
        self._notice = ""

    def __enter__(self) -> TerminalView:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def clear(self) -> None:
        """Take back what was said; no text was shown."""
        self._take_back()

    def wait(self) -> None:
        """Print nothing: who waits for long is told by a notice."""

    def notice(self, text: str) -> None:
        """Print it on a line that can be taken back; in a file it could not be."""
        if self._shown or not sys.stdout.isatty():
            return
        self._take_back()
        self._notice = printable(" ".join(text.split()))[:_LONGEST_NOTICE]
        _print(self._notice)

    def _take_back(self) -> None:
        if self._notice:
            _print("\r" + " " * len(self._notice) + "\r")
            self._notice = ""

    def write(self, text: str) -> None:
        """Print more text."""
        self._take_back()
        if self._live:
            _print(printable(text))
            self._shown += text

    def replace(self, text: str) -> None:
        """Print the text anew, or what it adds to the printed one."""
        self._take_back()
        if self._live:
            added = text.removeprefix(self._shown)
            _print(printable(added if len(added) < len(text) else f"\n{text}"))
            self._shown = text

    def finish(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:  # noqa: ARG002
        """Print what the end result has beyond the printed text."""
        self._take_back()
        shown = self._shown.strip()
        rest = str(data["text/plain"]).lstrip()
        _print(printable(rest.removeprefix(shown) if shown else rest) + "\n")


class FinalView:
    """Shows the end result only."""

    def __enter__(self) -> FinalView:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def clear(self) -> None:
        """Nothing was shown."""

    def wait(self) -> None:
        """Wait for the end."""

    def notice(self, text: str) -> None:
        """Wait for the end."""

    def write(self, text: str) -> None:
        """Wait for the end."""

    def replace(self, text: str) -> None:
        """Wait for the end."""

    def finish(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Show the end result."""
        publish_display_data(data, metadata=metadata)
