"""The chat panel in a real JupyterLab: how far behind the server, and at what cost.

What the page shows, and what comes over its sockets, is noted in a headless Chromium.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, WebSocket, expect

from benchmarks.apparatus.answers import answer
from benchmarks.apparatus.notebooks import notebook, shut_down, turns_cell
from benchmarks.apparatus.speaker import Speaker, question, speaking
from benchmarks.apparatus.watching import Watched, note_growth, noted
from benchmarks.bars import Bar
from benchmarks.parts import LEAST_ROUNDS, MOST_ROUNDS, Options
from tests.browser.conftest import Lab, LabNotebook, Opener, chromium, running_lab

__all__ = ["measure"]

#: Shapes of answers, their tokens, and how many come in a second: 400 are 300 words.
_ANSWERS = (("mixed", 2000, 200), ("code", 8000, 400), ("table", 2500, 400))
_MOST_ROUNDS = MOST_ROUNDS["panel"]  # each takes half a minute
_LAST = ".h2o-section:last-child > .h2o-turn:last-child"
_NOTE_OPENING = """(newest) => {
  window.opening = { built: 0, shown: 0 };
  new MutationObserver(() => {
    const { opening } = window;
    if (document.querySelector(".h2o-chat")) opening.built ||= performance.now();
    const last = document.querySelector(`${newest} .h2o-facts`);
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
  return times;
}"""

#: Jupyter's server leaves Nagle's algorithm on: at times it holds a message back until
#: the page has acknowledged the one before, 40 ms here. That comes to any conversation,
#: to some connections more than to others, and hides what is compared.
_AT_ONCE = """
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler

def open_at_once(self, kernel_id, opened=KernelWebsocketHandler.open):
    self.set_nodelay(True)
    return opened(self, kernel_id)

KernelWebsocketHandler.open = open_at_once
"""

_LEAST_ASKINGS = LEAST_ROUNDS["asking in panel"]
_FEW, _MANY = 10, 1000
_MOST_LATER = 10  # ms

#: Notes of each question from its Enter on when a frame first has text of its answer,
#: and its facts. The turn that is last at the Enter is not of this question.
_NOTE_ASKINGS = """(last) => {
  const box = document.querySelector(".h2o-log");
  const newest = () => box.querySelector(last);
  let asked = false;
  let before = null;
  const look = () => {
    asked = false;
    const { asking } = window;
    const turn = newest();
    if (!asking || turn === before) return;
    const told = performance.now() - asking.sent;
    if (turn.querySelector(".h2o-body")?.textContent.trim()) asking.first ||= told;
    if (turn.querySelector(".h2o-facts")) asking.end ||= told;
  };
  new MutationObserver(() => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(look);
  }).observe(box, { childList: true, subtree: true, characterData: true });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    before = newest();
    window.asking = { sent: performance.now(), first: 0, end: 0 };
  }, { capture: true });
}"""


@dataclass(frozen=True)
class _Round:
    """One answer as it was seen, and what it cost.

    Attributes
    ----------
    first, last : float
        When the server sent its first and its last token.
    seen : Watched
        What the page showed.
    received : int
        Bytes that came over the page's sockets to the kernel.
    """

    first: float
    last: float
    seen: Watched
    received: int


@dataclass(frozen=True)
class _Opening:
    """A long conversation as it was opened, and scrolled through.

    Attributes
    ----------
    took : float
        Milliseconds from the panel's first element to its last turn.
    built : int
        How many turns had elements of their own then.
    frames : list of float
        Milliseconds of each frame while it was scrolled, in order of length.
    """

    took: float
    built: int
    frames: list[float]

    def frame(self, share: float) -> float:
        """Return what a share of the frames took at most, in milliseconds."""
        return self.frames[int(len(self.frames) * share)]


def measure(options: Options) -> Iterator[Bar]:
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
        for (shape, tokens, rate), docked in product(_ANSWERS, (False, True)):
            rounds = []
            for number in range(min(options.rounds, _MOST_ROUNDS)):
                _open(opener, f"{shape}-{docked:d}-{number}.ipynb", speaker.url)
                _place(page, docked=docked)
                asked = question(shape, tokens, rate)
                rounds.append(_one_answer(page, speaker, received, asked))
                shut_down(page)
            size = len("".join(answer(shape, tokens)).encode())
            place = "docked" if docked else "in a cell"
            what = f"{tokens} tokens of {shape} at {rate}/s, {place}: "
            yield from _bars(what, rounds, size)
        openings = []
        for number in range(min(options.rounds, _MOST_ROUNDS)):
            cells = (speaker.url, turns_cell(_MANY))
            opened = _open(opener, f"many-{number}.ipynb", *cells, show=False)
            openings.append(_opening(page, opened))
            shut_down(page)
        yield from _long_conversation(openings)
        page.close()
    yield from _askings(max(options.rounds, _LEAST_ASKINGS))


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


def _place(page: Page, *, docked: bool) -> None:
    """Show the chat beside the notebook, or in its cell."""
    page.evaluate("() => h2oMagic.undock()")
    if docked:
        page.get_by_role("button", name="Dock on the right").click()
        expect(page.locator(".h2o-dock .h2o-chat")).to_be_visible()


def _one_answer(
    page: Page, speaker: Speaker, received: list[int], asked: str
) -> _Round:
    page.wait_for_timeout(3000)  # JupyterLab's own start is over
    note_growth(page, ".h2o-log", ".h2o-turn .h2o-body", ".h2o-code-head, .h2o-fold")
    received.clear()
    page.get_by_label("Message").fill(asked)
    page.get_by_label("Message").press("Enter")
    # `expect` would read the whole page again and again: tasks of 100 ms and more.
    page.wait_for_function("() => document.querySelector('.h2o-facts')", timeout=60_000)
    page.wait_for_timeout(3000)  # the transcript comes
    said = speaker.said()[-1]
    return _Round(said["first"], said["last"], noted(page), sum(received))


def _bars(what: str, rounds: Sequence[_Round], size: int) -> Iterator[Bar]:
    """Yield the figures of an answer of `size` bytes.

    They are medians, with the worst beside them; where no task may be longer, the
    worst, with the median.
    """

    def bar(
        name: str,
        unit: str,
        figure: Callable[[_Round], float],
        *,
        least: float | None = None,
        most: float | None = None,
        never: bool = False,
        text: int | None = None,
    ) -> Bar:
        figures = [figure(one) for one in rounds]
        middle = statistics.median(figures)
        worst = max(figures) if least is None else min(figures)
        other = f"median {middle:.3g}" if never else f"the worst {worst:.3g}"
        return (Bar.worst if never else Bar.median)(
            what + name,
            figures,
            unit,
            least=least,
            most=most,
            note=f"{len(rounds)} rounds, {other}",
            beside={} if text is None else {"wire": middle * text, "text": text},
        )

    late = "last text after the server's"
    yield bar(late, "s", lambda one: one.seen.whole - one.last, most=0.3)
    yield bar(
        "visible updates",
        "a second",
        lambda one: one.seen.updates(one.first, one.last),
        least=8,
    )
    yield bar(
        "longest task while it streams",
        "ms",
        lambda one: one.seen.longest_task(one.first, one.last),
        most=100,
        never=True,
    )
    yield bar(
        "longest task of the last drawing",
        "ms",
        lambda one: one.seen.longest_task(one.last, float("inf")),
    )
    yield bar(
        "bytes on the wire",
        "x text",
        lambda one: one.received / size,
        most=12,
        text=size,
    )


def _opening(page: Page, opened: LabNotebook) -> _Opening:
    """Open the panel on the turns, and scroll through them."""
    page.evaluate(_NOTE_OPENING, _LAST)
    opened.run_to_end(2)
    page.wait_for_function("() => window.opening.shown", timeout=60_000)
    opening = page.evaluate("() => window.opening")
    built = page.locator(".h2o-question").count()
    page.wait_for_timeout(2000)
    page.get_by_role("log").hover()
    page.mouse.wheel(0, -100)
    frames = sorted(page.evaluate(_SCROLL))
    return _Opening(opening["shown"] - opening["built"], built, frames)


def _long_conversation(openings: Sequence[_Opening]) -> Iterator[Bar]:
    def bar(
        name: str,
        unit: str,
        figure: Callable[[_Opening], float],
        most: float | None = None,
    ) -> Bar:
        figures = [figure(one) for one in openings]
        note = f"{len(figures)} rounds, the worst {max(figures):.3g}"
        return Bar.median(name, figures, unit, most=most, note=note)

    yield bar("2,000 messages open in", "ms", lambda one: one.took, 1000)
    yield bar("turns built then", f"of {_MANY}", lambda one: one.built)
    scrolling = "frame while scrolling, "
    yield bar(scrolling + "median", "ms", lambda one: one.frame(0.5), 34)
    yield bar(scrolling + "95 %", "ms", lambda one: one.frame(0.95))


def _askings(rounds: int) -> Iterator[Bar]:
    """Ask in turn where few and where many turns are open; compare what it takes."""
    home = Path(tempfile.mkdtemp(prefix="h2o-panel-"))
    (home / "config").mkdir()
    (home / "config" / "jupyter_server_config.py").write_text(_AT_ONCE)
    with running_lab(home) as lab, chromium() as browser, speaking() as speaker:
        pairs = _pairs(lab, browser, speaker, rounds)
    yield from _later(pairs)


def _pairs(
    lab: Lab, browser: Browser, speaker: Speaker, rounds: int
) -> list[list[dict[str, float]]]:
    context = browser.new_context(viewport={"width": 1200, "height": 1000})
    pages = [context.new_page(), context.new_page()]
    for page, turns in zip(pages, (_FEW, _MANY), strict=True):
        # On a busy machine JupyterLab may ask something of its own.
        accept = page.locator(".jp-Dialog .jp-mod-accept").first
        page.add_locator_handler(accept, Locator.click, no_wait_after=True)
        page.bring_to_front()
        name = f"asking-{turns}.ipynb"
        _open(Opener(lab, page), name, speaker.url, turns_cell(turns))
        expect(page.locator(".h2o-turn .h2o-body").last).to_be_visible()
        page.wait_for_timeout(3000)  # JupyterLab's own start is over
        page.evaluate(_NOTE_ASKINGS, _LAST)
    return [[_asking(page) for page in pages] for _ in range(rounds + 1)][1:]


def _later(pairs: Sequence[Sequence[dict[str, float]]]) -> Iterator[Bar]:
    """Yield how much later the many turns' answers are seen than the few's."""
    for name, what in (("first", "first text"), ("end", "facts")):
        few, many = ([one[name] for one in side] for side in zip(*pairs, strict=True))
        later = [b - a for a, b in zip(few, many, strict=True)]
        note = (
            f"medians of {len(pairs)}: {statistics.median(many):.0f} ms, with {_FEW} "
            f"{statistics.median(few):.0f} ms; each to the next frame (16.7 ms), "
            f"{statistics.mean(later):.1f} ms more on average"
        )
        yield Bar.median(
            f"asking with {_MANY} turns open, Enter to {what}: more",
            later,
            "ms",
            most=_MOST_LATER,
            note=note,
            beside={
                f"{turns} turns": statistics.median(took) / 1000
                for turns, took in ((_FEW, few), (_MANY, many))
            },
        )


def _asking(page: Page) -> dict[str, float]:
    page.bring_to_front()
    page.get_by_label("Message").fill(question("prose", 5))
    page.wait_for_timeout(500)
    page.get_by_label("Message").press("Enter")
    page.wait_for_function("() => window.asking?.end", timeout=60_000)
    page.wait_for_timeout(2000)  # the transcript comes
    noted: dict[str, float] = page.evaluate("() => window.asking")
    return noted
