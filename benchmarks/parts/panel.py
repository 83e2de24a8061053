"""The chat panel in a real JupyterLab: how far behind the server, and at what cost.

What the page shows, and what comes over its sockets, is noted in a headless Chromium.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, WebSocket, expect

from benchmarks.apparatus.answers import answer
from benchmarks.apparatus.notebooks import notebook, turns_cell
from benchmarks.apparatus.speaker import Speaker, question, speaking
from benchmarks.apparatus.watching import note_growth, noted
from benchmarks.bars import Bar
from benchmarks.parts import Options
from tests.browser.conftest import LabNotebook, Opener, chromium, running_lab

__all__ = ["measure"]

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


def measure(_options: Options) -> Iterator[Bar]:
    """Yield the figures of two answers, and of a long conversation."""
    home = Path(tempfile.mkdtemp(prefix="h2o-panel-"))
    with running_lab(home) as lab, chromium() as browser, speaking() as speaker:
        page = browser.new_context(viewport={"width": 1200, "height": 1000}).new_page()
        opener = Opener(lab, page)
        received: list[int] = []

        def on_socket(socket: WebSocket) -> None:
            if "/channels" in socket.url:
                socket.on("framereceived", lambda frame: received.append(len(frame)))

        page.on("websocket", on_socket)
        for shape, tokens, rate in (("mixed", 2000, 200), ("code", 8000, 400)):
            _open(opener, f"{shape}.ipynb", speaker.url)
            yield from _one_answer(
                page, speaker, received, shape=shape, tokens=tokens, rate=rate
            )
        many = turns_cell(1000)
        opened = _open(opener, "many.ipynb", speaker.url, many, show=False)
        yield from _long_conversation(page, opened)


def _open(
    opener: Opener, name: str, url: str, *cells: str, show: bool = True
) -> LabNotebook:
    setup = f"%load_ext h2o_magic\n%config H2OMagics.server = '{url}'"
    sources = [setup, *cells, "%h2o panel"]
    opened = opener(name, notebook(*sources))
    for index in range(len(sources) - (not show)):
        opened.run_to_end(index)
    if show:
        expect(opener.page.get_by_label("Message")).to_be_enabled()
    return opened


def _one_answer(
    page: Page,
    speaker: Speaker,
    received: list[int],
    *,
    shape: str,
    tokens: int,
    rate: int,
) -> Iterator[Bar]:
    page.wait_for_timeout(3000)  # JupyterLab's own start is over
    note_growth(page, ".h2o-log", ".h2o-turn .h2o-body", ".h2o-code-head")
    received.clear()
    page.get_by_label("Message").fill(question(shape, tokens, rate))
    page.get_by_label("Message").press("Enter")
    expect(page.locator(".h2o-facts")).to_be_visible()
    page.wait_for_timeout(3000)  # the transcript comes
    seen, said = noted(page), speaker.said()[-1]
    first, last = said["first"], said["last"]
    size = len("".join(answer(shape, tokens)).encode())
    what = f"{tokens} tokens of {shape} at {rate}/s: "
    yield Bar(f"{what}last text after the server's", seen.whole - last, "s", most=0.3)
    updates = seen.updates(first, last)
    yield Bar(f"{what}visible updates", updates, "a second", least=8)
    longest = seen.longest_task(first, last)
    yield Bar(f"{what}longest task while it streams", longest, "ms", most=100)
    last_task = seen.longest_task(last, float("inf"))
    yield Bar(f"{what}longest task of the last drawing", last_task, "ms")
    yield Bar(f"{what}bytes on the wire", sum(received) / size, "x text", most=12)


def _long_conversation(page: Page, opened: LabNotebook) -> Iterator[Bar]:
    page.evaluate(_OPENING)
    opened.run_to_end(2)
    page.wait_for_function("() => window.opening.shown", timeout=60_000)
    opening = page.evaluate("() => window.opening")
    built = page.locator(".h2o-question").count()
    page.wait_for_timeout(2000)
    page.get_by_role("log").hover()
    page.mouse.wheel(0, -100)
    frames = page.evaluate(_SCROLL)
    took = opening["shown"] - opening["built"]
    yield Bar("2,000 messages open in", took, "ms", most=1000)
    yield Bar("turns built then", built, "of 1000")
    yield Bar("frame while scrolling, median", frames[len(frames) // 2], "ms", most=34)
    yield Bar("frame while scrolling, 95 %", frames[int(len(frames) * 0.95)], "ms")
