"""Markdown in a terminal by `rich`, which need not be installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Markdown
from rich.syntax import Syntax

from h2o_magic.rendering.plain import as_plain, parse

_PADDING = re.compile(r" +$", re.MULTILINE)


class _Code(CodeBlock):
    """Code in the terminal's own colours, without padding: its parts fit together."""

    def __rich_console__(self, _: Console, __: ConsoleOptions) -> RenderResult:
        yield Syntax(
            str(self.text).rstrip("\n"),
            self.lexer_name,
            theme="ansi_dark",
            background_color="default",
            word_wrap=True,
        )


class _Markdown(Markdown):
    elements = {**Markdown.elements, "fence": _Code, "code_block": _Code}  # noqa: RUF012

    def __init__(self, markdown: str) -> None:
        super().__init__("")
        self.parsed = parse(markdown)


def renderer(stream: TextIO, columns: int) -> Callable[[str], str]:
    """Return what renders Markdown for a terminal of so many columns."""
    terminal = Console(file=stream, force_terminal=True, width=columns)
    if terminal.legacy_windows or terminal.color_system is None:
        return as_plain

    def render(markdown: str) -> str:
        with terminal.capture() as shown:
            terminal.print(_Markdown(markdown))
        return _PADDING.sub("", shown.get()).strip("\n")

    return render
