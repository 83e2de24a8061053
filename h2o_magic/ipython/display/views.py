"""Where an answer appears: the view that fits the front end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from h2o_magic.ipython.display.front_end import is_console, publish, publishes
from h2o_magic.ipython.display.status_line import StatusLine
from h2o_magic.ipython.display.terminal import (
    answer_stream,
    as_plain_text,
    markdown_renderer,
)
from h2o_magic.rendering.literal import phrase, printable, without_marks
from h2o_magic.rendering.streams import is_terminal, write


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
        publish(data, metadata)

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


def show_markdown(
    shell: InteractiveShell | None,
    markdown: str,
    plain: str,
    *,
    rendered: Callable[[Callable[[str], str]], str] | None = None,
) -> None:
    """Show a text once, as Markdown in a notebook and plainly in a terminal.

    `rendered` makes the text for a terminal with what renders Markdown there.
    """
    receiver = _receiver.get()
    if receiver is not None:
        receiver(markdown)
    elif publishes(shell):
        if rendered is not None and is_console(shell):
            plain = rendered(as_plain_text)
        publish({"text/markdown": markdown, "text/plain": plain})
    elif rendered is not None and is_terminal(sys.stdout):
        write(f"{rendered(markdown_renderer(sys.stdout))}\n", sys.stdout)
    else:
        write(f"{printable(plain)}\n", sys.stdout)


def show_line(shell: InteractiveShell | None, line: str) -> None:
    """Show words of this package, in which backticks mark code."""
    show_markdown(shell, phrase(line), without_marks(line))


def warn(line: str) -> None:
    """Print a warning."""
    write(f"h2o_magic: {line}\n", sys.stderr)


class ConsoleView(AnswerView):
    """Shows a complete answer to a console, which has only its plain text."""

    def __init__(self) -> None:
        self._text = ""

    def write(self, text: str) -> None:
        """Append text."""
        self._text += text

    def replace(self, text: str) -> None:
        """Take `text` in place of what came."""
        self._text = text

    def finish(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Show the result, its plain text without marks."""
        text, plain = self._text.rstrip(), str(data["text/plain"])
        rest = plain.removeprefix(text)
        if rest != plain:
            data = {**data, "text/plain": f"{as_plain_text(text)}{rest}"}
        super().finish(data, metadata)


class TerminalView(AnswerView):
    """Prints the text as it comes, then only what follows it."""

    def __init__(self, *, live: bool, markdown: bool = True) -> None:
        self._live = live
        self._text = ""
        self._notice = StatusLine(sys.stdout)
        self._stream = answer_stream(sys.stdout, markdown=markdown)

    def __enter__(self) -> AnswerView:
        """Start to draw."""
        self._stream.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing."""
        self.clear()
        self._stream.__exit__()

    def clear(self) -> None:
        """Erase the notice."""
        self._notice.erase()

    def notice(self, text: str) -> None:
        """Show it on a line that is erased; in a file it could not be."""
        if not self._text:
            self._notice.show(text)

    def write(self, text: str) -> None:
        """Print more text."""
        self.clear()
        text = printable(text)
        self._text += text
        if self._live:
            self._stream.write(text)

    def replace(self, text: str) -> None:
        """Print what the text adds to the printed one, or all of it again."""
        self.clear()
        self._text = printable(text)
        if self._live:
            self._stream.replace(self._text)

    def finish(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:  # noqa: ARG002
        """Print what the result has beyond the printed text."""
        self.clear()
        shown, plain = self._text.strip(), printable(str(data["text/plain"])).lstrip()
        rest = plain.removeprefix(shown)
        if rest != plain:
            self._stream.replace(self._text)
        elif self._stream.text:
            rest = f"\n\n{plain}"
        self._stream.end(f"{rest}\n")
