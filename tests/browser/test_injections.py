"""What a model writes never acts in JupyterLab, however it is written."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, overload

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page, expect

from tests.browser.conftest import LabNotebook, Opener
from tests.injections import INJECTIONS, injection
from tests.server.client import until
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser

#: JupyterLab shows no more outputs of one cell.
PER_CELL = 40

FRAME = """
from IPython.display import display
from h2o_magic.rendering.sanitize import sandboxed
display({'text/html': sandboxed('''<p>In the frame.</p><script>top.ran(901)</script>
<img src=SITE/902 onerror="top.ran(902)"><svg onload=top.ran(903)></svg>
<meta http-equiv=refresh content="0;url=SITE/904"><link rel=stylesheet href=SITE/905>
"></iframe><img src=SITE/906 onerror=ran(906)>
<form action=SITE/907 target=_top><input autofocus onfocus=top.ran(907)></form>
''')}, raw=True)
"""

CONTROL = """
from IPython.display import HTML, Markdown, display
display(HTML("<script>ran(801)</script>"))
display(Markdown("<img src=x onerror=ran(802)>"))
display(Markdown("text\\n\\n![x](SITE/803)"))
display(Markdown("[x](https://example.org '$\\" onmouseover=\\"ran(804)\\" x=\\"$')"))
display(Markdown("[x](javascript:ran(805))"))
"""
CONTROLS = {801, 802, 804, 805}

# Point at everything, click on everything; only links to other pages are not followed.
TOUCH_ALL = """
() => {
  const stay = event => {
    const link = event.target.closest && event.target.closest('a');
    if (!link || /^https?:$/.test(link.protocol)) event.preventDefault();
    if (link) link.target = '_self';
  };
  document.addEventListener('click', stay, true);
  for (const node of document.querySelectorAll('.jp-RenderedHTMLCommon *')) {
    for (const kind of ['mouseover', 'focus', 'error', 'load'])
      node.dispatchEvent(new Event(kind));
    node.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}));
  }
  document.removeEventListener('click', stay, true);
}
"""

# What could act, in everything that is shown of answers.
ACTIVE_PARTS = """
() => [...document.querySelectorAll('.jp-RenderedMarkdown *')].flatMap(node => {
  const found = [];
  const inFormula = node.closest('mjx-container');
  if (/^(script|iframe|object|embed|form|style|link|base|meta|template)$/i
      .test(node.localName)) found.push(node.localName);
  for (const {name, value} of node.attributes) {
    if (/^on/i.test(name)) found.push(`${node.localName} ${name}`);
    if (/^(src|srcset|data|action|formaction)$/.test(name)
        && !/^data:image\\/(png|svg\\+xml)/.test(value))
      found.push(`${node.localName} ${name}=${value}`);
    if (name.endsWith('href')
        && !/^(https?:|#|[\\w./]*$)/.test(value)) found.push(`href=${value}`);
  }
  return inFormula && found.every(what => /^style/.test(what)) ? [] : found;
})
"""

NOTE = "window.ran = n => window.seen.push(n); window.seen = [];"

#: Asks for an image, and waits until it has come, or has not.
LOAD = """url => new Promise(done => {
  const image = new Image();
  image.onload = image.onerror = () => done();
  image.src = url;
})"""


class InTurn(Sequence[Any]):
    """A script that is another one each time it is played."""

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = iter(answers)

    def __iter__(self) -> Iterator[str]:
        answer = next(self._answers)
        return (answer[start : start + 7] for start in range(0, len(answer), 7))

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        raise NotImplementedError  # the server only iterates its script

    def __len__(self) -> int:
        raise NotImplementedError  # as above


@contextmanager
def canary() -> Iterator[tuple[str, list[str]]]:
    """A server that nobody should ask, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Watch:
    """What happened in a page that should not."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.events: list[str] = []
        page.add_init_script(NOTE)
        page.evaluate(NOTE)
        page.on("dialog", self._dialog)
        page.context.on("page", lambda popup: self.events.append(f"window {popup.url}"))

    def _dialog(self, dialog: Any) -> None:
        if dialog.type != "beforeunload":
            self.events.append(f"dialog {dialog.message}")
        dialog.accept()

    def touch_all(self) -> None:
        """Move through the whole notebook, and touch all that is in its outputs."""
        cells = self.page.locator(".jp-Notebook .jp-Cell")
        for index in range(cells.count()):
            cells.nth(index).scroll_into_view_if_needed()
            self.page.evaluate(TOUCH_ALL)

    @property
    def ran(self) -> set[int]:
        return set(self.page.evaluate("() => window.seen"))

    @property
    def active_parts(self) -> list[str]:
        return list(self.page.evaluate(ACTIVE_PARTS))


def asking(count: int) -> str:
    return (
        f"for _ in range({count}):\n"
        "    get_ipython().run_line_magic('h2o', 'ask What now?')"
    )


def sources(server: StandIn, site: str, alone: int) -> list[str]:
    """Return cells that ask for all in one answer, and for `alone` in one each."""
    numbers = range(alone)
    groups = [numbers[i : i + PER_CELL] for i in range(0, alone, PER_CELL)]
    return [
        f"%load_ext h2o_magic\n%config H2OMagics.server = '{server.url}'",
        "%%h2o\nAll at once",
        *(asking(len(group)) for group in groups),
        FRAME.replace("SITE", site),
    ]


def opened(open_notebook: Opener, name: str, cells: Sequence[str]) -> LabNotebook:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = new_notebook(
        cells=[new_code_cell(source) for source in cells],
        metadata={"kernelspec": kernel},
    )
    return open_notebook(name, made)


def settle(page: Page, site: str, asked: list[str]) -> None:
    """Ask the site for something, so that all that was asked for before has come."""
    page.evaluate(LOAD, f"{site}/settled")
    until(lambda: "/settled" in asked)
    asked.remove("/settled")


def reopen(open_notebook: Opener, notebook: LabNotebook, name: str) -> None:
    """Save the notebook and load it: its outputs are trusted, as they were run."""
    notebook.save()
    rendered = notebook.page.locator(".jp-RenderedMarkdown, .jp-RenderedHTMLCommon")
    before = rendered.count()
    open_notebook.load(name)
    expect(rendered).to_have_count(before)


@pytest.mark.parametrize(
    "step", [pytest.param(1, marks=pytest.mark.nightly), 3], ids=["each", "a third"]
)
def test_nothing_in_an_answer_acts(
    open_notebook: Opener, server: StandIn, step: int
) -> None:
    assert len(INJECTIONS) >= 60
    with canary() as (site, asked):
        watch = Watch(open_notebook.page)
        each = [injection(number, site) for number in range(len(INJECTIONS))]
        alone = each[::step]
        server.script = InTurn(["\n\nNext:\n\n".join(each), *alone])
        cells = sources(server, site, len(alone))
        notebook = opened(open_notebook, "injections.ipynb", cells)
        home = notebook.page.url
        for index in range(len(cells)):
            notebook.run_to_end(index)
        watch.touch_all()
        settle(notebook.page, site, asked)
        frame = notebook.page.frame_locator("iframe[sandbox]").first
        expect(frame.get_by_text("In the frame.")).to_be_visible()
        notebook.screenshot("injections-frame")
        assert (watch.ran, asked, watch.events) == (set(), [], [])
        assert watch.active_parts == []
        assert notebook.page.url == home
        shown = notebook.output(2).locator(".jp-RenderedMarkdown").nth(6)
        shown.scroll_into_view_if_needed()
        expect(shown).to_be_in_viewport()
        notebook.page.wait_for_timeout(500)
        notebook.screenshot("injections")
        reopen(open_notebook, notebook, "injections.ipynb")
        watch.touch_all()
        settle(notebook.page, site, asked)
        assert (watch.ran, asked, watch.events) == (set(), [], [])
        assert watch.active_parts == []


def test_the_same_acts_where_it_is_not_sanitized(open_notebook: Opener) -> None:
    with canary() as (site, asked):
        watch = Watch(open_notebook.page)
        cells = ["0", CONTROL.replace("SITE", site)]
        notebook = opened(open_notebook, "control.ipynb", cells)
        for index in range(len(cells)):
            notebook.run_to_end(index)
        notebook.page.wait_for_function("() => window.seen.length >= 2")
        watch.touch_all()
        notebook.page.wait_for_function("() => new Set(window.seen).size >= 4")
        assert watch.ran == CONTROLS
        until(lambda: "/803" in asked)
        assert watch.active_parts != []
        reopen(open_notebook, notebook, "control.ipynb")
        notebook.page.wait_for_function("() => window.seen.includes(802)")


def test_reasoning_is_folded_and_opens_at_a_click(
    open_notebook: Opener, server: StandIn
) -> None:
    watch = Watch(open_notebook.page)
    thought = "1. *First*, <img src=x onerror=ran(1)> `x < y`\n\n```html\n<b>\n```"
    server.script = InTurn([f"<think>{thought}</think>\n\nIt is **so**."])
    setup = f"%load_ext h2o_magic\n%config H2OMagics.server = '{server.url}'"
    notebook = opened(open_notebook, "reasoning.ipynb", [setup, "%%h2o\nWhy?"])
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    output = notebook.output(1)
    expect(output.locator("strong")).to_have_text("so")
    expect(output.locator("em")).to_be_hidden()
    notebook.screenshot("reasoning-folded")
    output.locator("summary").click()
    expect(output.locator("em")).to_have_text("First")
    expect(output.locator("pre")).to_contain_text("<b>")
    notebook.screenshot("reasoning-open")
    assert watch.ran == set()
    assert watch.active_parts == []
