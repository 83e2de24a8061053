"""Where an answer appears: the view that fits the front end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import publish_display_data

from h2o_magic.rendering.literal import phrase, printable, without_marks

#: Columns of a terminal's line that a notice takes at most: a longer one would go on
#: on a second line, which cannot be erased.
_LONGEST_NOTICE = 78


class AnswerView:
    """Where an answer appears: this one shows it only when it is complete.

    Use it as a context manager.
    """

    def __enter__(self) -> AnswerView:
        """Start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release what the view holds."""

    def wait(self) -> None:
        """Show that an answer is awaited."""

    def notice(self, text: str) -> None:
        """Show what is being done before the first text; empty removes it."""

    def write(self, text: str) -> None:
        """Append text."""

    def replace(self, text: str) -> None:
        """Show `text` in place of everything that was written."""

    def finish(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Show the result, by media type, after which the view is done."""
        publish_display_data(data, metadata=metadata)

    def clear(self) -> None:
        """Remove everything: no text came, and none will."""


#: Receives the Markdown that would be shown, where somebody else shows it.
_receiver: ContextVar[Callable[[str], None] | None] = ContextVar(
    "receiver", default=None
)


@contextmanager
def capture_markdown(receiver: Callable[[str], None]) -> Iterator[None]:
    """Pass the Markdown of :func:`show_markdown` to `receiver`, in this thread."""
    token = _receiver.set(receiver)
    try:
        yield
    finally:
        _receiver.reset(token)


def show_markdown(shell: InteractiveShell | None, markdown: str, plain: str) -> None:
    """Show a text once, as Markdown in a notebook and plainly in a terminal."""
    receiver = _receiver.get()
    if receiver is not None:
        receiver(markdown)
    elif hasattr(shell, "kernel"):
        publish_display_data({"text/markdown": markdown, "text/plain": plain})
    else:
        _print(f"{plain}\n")


def show_line(shell: InteractiveShell | None, line: str) -> None:
    """Show words of this package, in which backticks mark code."""
    show_markdown(shell, phrase(line), without_marks(line))


def _print(text: str) -> None:
    sys.stdout.write(printable(text))
    sys.stdout.flush()


class TerminalView(AnswerView):
    """Prints the text as it comes, then only what follows it."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._shown = ""
        self._notice = ""

    def clear(self) -> None:
        """Erase the notice."""
        if self._notice:
            sys.stdout.write("\r" + " " * len(self._notice) + "\r")
            sys.stdout.flush()
            self._notice = ""

    def notice(self, text: str) -> None:
        """Print it on a line that can be erased; in a file it could not be."""
        if self._shown or not sys.stdout.isatty():
            return
        self.clear()
        self._notice = printable(" ".join(text.split()))[:_LONGEST_NOTICE]
        _print(self._notice)

    def write(self, text: str) -> None:
        """Print more text."""
        self.clear()
        if self._live:
            _print(text)
            self._shown += text

    def replace(self, text: str) -> None:
        """Print what the text adds to the printed one, or all of it again."""
        self.clear()
        if self._live:
            added = text.removeprefix(self._shown)
            _print(added if len(added) < len(text) else f"\n{text}")
            self._shown = text

    def finish(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:  # noqa: ARG002
        """Print what the result has beyond the printed text."""
        self.clear()
        shown = self._shown.strip()
        rest = str(data["text/plain"]).lstrip()
        _print((rest.removeprefix(shown) if shown else rest) + "\n")
