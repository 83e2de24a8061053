"""Several answers side by side: one output, redrawn while they come.

While they grow, each column shows the end of its answer, so that a message has the same
size however long the answers are. At the end the output is drawn once in full: columns
as HTML, and sections as Markdown and plain text.
"""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from h2o_magic.ipython.display.front_end import publishes, updates
from h2o_magic.ipython.display.live import DRAW_INTERVAL, REDRAW_BUDGET, Output
from h2o_magic.ipython.display.pacer import Pacer
from h2o_magic.ipython.display.views import show_markdown
from h2o_magic.rendering.blocks import BlockSplitter, Piece, joined
from h2o_magic.rendering.direction import without_directions
from h2o_magic.rendering.literal import literal

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Characters of settled text that stay in a column while its answer grows.
_WINDOW = 900
_GREY = "color:var(--jp-ui-font-color2,#666)"
_LINE = "1px solid var(--jp-border-color2,#ccc)"
_GRID = (
    '<div style="display:grid;gap:16px 24px;align-items:start;padding-top:8px;'
    'grid-template-columns:repeat(auto-fit,minmax(min(180px,100%),1fr))">'
)
_CODE = (
    '<pre style="overflow-x:auto;margin:0 0 1em;padding:8px;'
    'background:var(--jp-layout-color2,#f5f5f5)">'
    '<code style="white-space:pre;padding:0;background:none"'
)


@dataclass(frozen=True, slots=True)
class Column:
    """An ended answer with its footer; `before` is HTML that stands above its `body`.

    `body` is Markdown, if that of the column in HTML is another one.
    """

    markdown: str
    plain: str
    body: str = ""
    before: str = ""


class Columns:
    """Shows answers, each under a name. Use it as a context manager."""

    def __init__(
        self, shell: InteractiveShell | None, names: Sequence[str], *, live: bool
    ) -> None:
        self.names = tuple(names)
        self._shell = shell
        self._live = live and publishes(shell) and updates(shell)
        self._columns = {name: _Growing() for name in names}
        self._ended: dict[str, Column] = {}
        self._output = Output()
        self._pacer = Pacer(self._draw)

    def __enter__(self) -> Columns:
        """Start to draw."""
        self._pacer.__enter__()
        self._request()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing."""
        self._pacer.close()

    def write(self, name: str, text: str) -> None:
        """Append text to a column; any thread may."""
        self._columns[name].pending.append((False, text))
        self._request()

    def replace(self, name: str, text: str) -> None:
        """Show `text` in place of all that a column has."""
        self._columns[name].pending.append((True, text))
        self._request()

    def notice(self, name: str, text: str) -> None:
        """Show what is being done before a column's first text."""
        self._columns[name].notice = text
        self._request()

    def end(self, name: str, column: Column) -> None:
        """Add a column's footer: no more will come."""
        self._ended[name] = column
        self._columns[name].footer = column.markdown.rpartition("\n\n")[2]
        self._request()

    def finish(self, used: str) -> None:
        """Show all in full; the conversation goes on with the answer of `used`."""
        self._pacer.close()
        said = self._said(used)
        titles = {name: f"{name} ✓" if name == used else name for name in self.names}
        sections = [
            f"### {literal(titles[name])}\n\n{self._ended[name].markdown}"
            for name in self.names
        ]
        plain = [
            f"── {titles[name]} ──\n\n{self._ended[name].plain}" for name in self.names
        ]
        columns = {titles[name]: self._full(self._ended[name]) for name in self.names}
        shown = {
            "text/html": _grid(columns) + _as_html(said),
            "text/markdown": "\n\n".join(filter(None, [*sections, said])),
            "text/plain": "\n\n".join(plain),
        }
        if self._live:
            self._output.show(shown, {})
        else:
            show_markdown(self._shell, shown["text/markdown"], shown["text/plain"])

    def clear(self) -> None:
        """Empty the output: no text came."""
        if self._live:
            self._pacer.close()
            self._output.draw(" ")

    def _request(self) -> None:
        if self._live:
            self._pacer.request()

    def _draw(self) -> float:
        shown = _grid({name: self._columns[name].html() for name in self.names})
        plain = " · ".join(f"{name} …" for name in self.names)
        self._output.show({"text/html": shown, "text/plain": plain}, {})
        return max(DRAW_INTERVAL, len(shown) / REDRAW_BUDGET)

    def _said(self, used: str) -> str:
        other = next((name for name in self.names if name != used), "")
        if not used:
            return ""
        return (
            f"<sub>The conversation goes on with {literal(used)}. To go on with "
            f"another, add `--use {other}` to the first line, and run it again.</sub>"
        )

    def _full(self, column: Column) -> str:
        body = without_directions(column.body or column.markdown)
        return column.before + _as_html(body)


class _Growing:
    """What a column shows of a growing answer: its end, from where a block begins."""

    def __init__(self) -> None:
        self.pending: deque[tuple[bool, str]] = deque()
        self.notice = ""
        self.footer = ""
        self._start_over()

    def _start_over(self) -> None:
        self._splitter = BlockSplitter(_WINDOW)
        self._settled: deque[Piece] = deque()
        self._cut = False
        self._html = ""

    def html(self) -> str:
        """Return it, with what came since; rendered anew only if something did."""
        changed = not self._html or bool(self.footer or self.notice)
        while self.pending:
            changed = True
            anew, text = self.pending.popleft()
            if anew:
                self._start_over()
            self._settled.extend(self._splitter.feed(text))
        while sum(map(len, self._settled)) > _WINDOW and len(self._settled) > 1:
            self._settled.popleft()
            self._cut = True
        if changed:
            self._html = self._render()
        return self._html

    def _render(self) -> str:
        text = Piece()
        for piece in (*self._settled, self._splitter.tail):
            text = joined(text, piece)
        if not text:
            return f'<p style="{_GREY}">{html.escape(self.notice or "…")}</p>'
        before = f'<p style="{_GREY};margin:0">⋮</p>' if self._cut else ""
        return before + _as_html(text) + _as_html(self.footer)


def _grid(columns: dict[str, str]) -> str:
    """Return columns as HTML; where styles are taken away, they follow each other."""
    cells = "".join(
        '<div style="min-width:0;overflow-x:auto;overflow-wrap:break-word">'
        f'<h4 style="margin:0 0 8px;padding-bottom:4px;border-bottom:{_LINE}">'
        f"{html.escape(name)}</h4>"
        f"{shown}</div>"
        for name, shown in columns.items()
    )
    return f"{_GRID}{cells}</div>"


def _as_html(markdown: str) -> str:
    from h2o_magic.chat_panel.html import as_html  # noqa: PLC0415 - after the questions

    return as_html(markdown, framed=False).replace("<pre><code", _CODE)
