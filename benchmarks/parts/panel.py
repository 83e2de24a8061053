"""The chat panel in a real JupyterLab: how far behind the server, and at what cost.

A server in this process writes an answer of Markdown at a set speed; what the page
shows, and what comes over its sockets, is noted in a headless Chromium.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page, WebSocket, expect

from benchmarks.bars import Bar
from benchmarks.parts import Options
from tests.browser.conftest import LabNotebook, Opener, chromium, running_lab
from tests.stand_in import stand_in

__all__ = ["measure"]

_PART = """## Part {}

Some words with *stress*, `code` and a [link](https://example.org), as answers have
them, and a second sentence that makes the paragraph somewhat longer than its heading.

- one thing, and
- another one

```python
def total(values: list[float]) -> float:
    result = 0.0
    for value in values:
        result += value
    return result
```

| name | value |
|------|-------|
| a    | 1     |
"""

#: 2,000 messages, put into the record as a file's would be.
_MANY = """
import h2o_magic
from h2o_magic.turns import Thread, Turn
answer = "Some **words**, and\\n\\n```python\\nprint(1)\\n```\\n"
many = [Turn(f"Question {n}?", f"Answer {n}. " + answer) for n in range(1000)]
h2o_magic.session().record.add([Thread("main", tuple(many))])
"""

_WATCH = """() => {
  window.bench = { seen: [], long: [], ended: 0 };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.bench.long.push(entry.duration);
  }).observe({ entryTypes: ["longtask"] });
  let asked = false;
  new MutationObserver(() => {
    const turn = document.querySelector(".h2o-turn:last-child");
    if (turn?.querySelector(".h2o-facts")) window.bench.ended ||= Date.now() / 1000;
    else if (turn && !asked) {
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        window.bench.seen.push(Date.now());
      });
    }
  }).observe(document.querySelector(".h2o-log"), {
    childList: true, subtree: true, characterData: true,
  });
}"""

_OPENING = """() => {
  window.opening = { built: 0, shown: 0 };
  new MutationObserver(() => {
    const { opening } = window;
    if (document.querySelector(".h2o-chat")) opening.built ||= performance.now();
    const last = document.querySelector(".h2o-turn:last-child .h2o-facts");
    if (last) opening.shown ||= performance.now();
  }).observe(document.body, { childList: true, subtree: true });
}"""

_SCROLL = """async () => {
  const box = document.querySelector(".h2o-log");
  const times = [];
  let last = performance.now();
  for (let step = 0; step < 150; step += 1) {
    box.scrollTop -= 300;
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - last);
    last = performance.now();
  }
  return times.sort((a, b) => a - b);
}"""


class _Paced(Sequence[Any]):
    """Tokens of an answer, each in its time."""

    def __init__(self, tokens: int, rate: float) -> None:
        text = "".join(_PART.format(part) for part in range(1 + tokens // 90))
        self.tokens = [text[start : start + 5] for start in range(0, 5 * tokens, 5)]
        self.rate = rate
        self.ended = 0.0

    def __iter__(self) -> Iterator[str]:
        began = time.monotonic()
        for count, token in enumerate(self.tokens, 1):
            time.sleep(max(began + count / self.rate - time.monotonic(), 0))
            yield token
        self.ended = time.time()

    def __len__(self) -> int:
        return len(self.tokens)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        return self.tokens[place]


def measure(_options: Options, tokens: int = 2000, rate: float = 200) -> list[Bar]:
    """Return the figures of one answer, and of a long conversation."""
    home = Path(tempfile.mkdtemp(prefix="h2o-panel-"))
    with running_lab(home) as lab, chromium() as browser, stand_in() as server:
        page = browser.new_context(viewport={"width": 1200, "height": 1000}).new_page()
        opener = Opener(lab, page)
        paced = _Paced(tokens, rate)
        server.script = paced
        received: list[int] = []

        def on_socket(socket: WebSocket) -> None:
            if "/channels" in socket.url:
                socket.on("framereceived", lambda frame: received.append(len(frame)))

        page.on("websocket", on_socket)
        _open(opener, "answer.ipynb", server.url)
        answer = _one_answer(page, paced, received)
        notebook = _open(opener, "many.ipynb", server.url, _MANY, show=False)
        return [*answer, *_long_conversation(page, notebook)]


def _open(
    opener: Opener, name: str, url: str, *cells: str, show: bool = True
) -> LabNotebook:
    setup = f"%load_ext h2o_magic\n%config H2OMagics.server = '{url}'"
    sources = [setup, *cells, "%h2o panel"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = new_notebook(
        cells=[new_code_cell(source) for source in sources],
        metadata={"kernelspec": kernel},
    )
    notebook = opener(name, made)
    for index in range(len(sources) - (not show)):
        notebook.run_to_end(index)
    if show:
        expect(opener.page.get_by_label("Message")).to_be_enabled()
    return notebook


def _one_answer(page: Page, paced: _Paced, received: list[int]) -> list[Bar]:
    page.wait_for_timeout(3000)  # JupyterLab's own start is over
    page.evaluate(_WATCH)
    received.clear()
    page.get_by_label("Message").fill("A long answer?")
    page.get_by_label("Message").press("Enter")
    page.wait_for_function("() => window.bench.ended", timeout=120_000)
    page.wait_for_timeout(3000)  # the transcript comes
    found = page.evaluate("() => window.bench")
    seconds = len(paced) / paced.rate
    text = "".join(paced.tokens)
    return [
        Bar("done after the server", found["ended"] - paced.ended, "s", most=0.3),
        Bar("visible updates", len(found["seen"]) / seconds, "a second", least=8),
        Bar("longest task", max([0, *found["long"]]), "ms", most=100),
        Bar("bytes on the wire", sum(received) / len(text.encode()), "x", most=12),
    ]


def _long_conversation(page: Page, notebook: LabNotebook) -> list[Bar]:
    page.evaluate(_OPENING)
    notebook.run_to_end(2)
    page.wait_for_function("() => window.opening.shown", timeout=60_000)
    opening = page.evaluate("() => window.opening")
    built = page.locator(".h2o-question").count()
    page.wait_for_timeout(2000)
    page.get_by_role("log").hover()
    page.mouse.wheel(0, -100)
    frames = page.evaluate(_SCROLL)
    return [
        Bar(
            "2,000 messages open in",
            opening["shown"] - opening["built"],
            "ms",
            most=1000,
        ),
        Bar("turns built then", built, "of 1000"),
        Bar("frame while scrolling, median", frames[len(frames) // 2], "ms", most=34),
        Bar("frame while scrolling, 95 %", frames[int(len(frames) * 0.95)], "ms"),
    ]
