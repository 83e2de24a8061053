"""JupyterLab's start with this package's extension, and without it.

One page loads one server's JupyterLab again and again, in turn with and without.
Without it, the page's configuration does not name it, so that nothing of it is loaded.
What counts is the time that the page's thread has worked: by the clock, one start
differs from the next by more than the bar.
"""

from __future__ import annotations

import json
import re
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from playwright.sync_api import CDPSession, Page, Route

from benchmarks.bars import Bar
from benchmarks.parts import LEAST_ROUNDS, Options
from tests.browser.conftest import LABEXTENSION, Lab, chromium, running_lab

__all__ = ["measure"]

#: Milliseconds that the page's thread has worked, and those of the clock.
_Start: TypeAlias = tuple[float, float]

_NAME = "h2o-magic"
_MOST_MS = 20.0
_MOST_BYTES = 30_000
_CONFIGURATION = re.compile(
    r'(<script id="jupyter-config-data"[^>]*>)(.*?)(</script>)', re.S
)

#: Notes when JupyterLab has started, in milliseconds of the page.
_NOTE_START = """
let app;
Object.defineProperty(window, "jupyterapp", {
  get: () => app,
  set: (made) => {
    app = made;
    app.restored.then(() => { window.startedAt = performance.now(); });
  },
});
"""


def measure(options: Options) -> Iterator[Bar]:
    """Yield how much later JupyterLab has started, and the size of the modules."""
    rounds = max(options.rounds, LEAST_ROUNDS["extension"])
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        running_lab(Path(folder)) as lab,
        chromium() as browser,
    ):
        page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        page.add_init_script(_NOTE_START)
        chrome = page.context.new_cdp_session(page)
        chrome.send("Performance.enable", {"timeDomain": "threadTicks"})
        opened = _Opened(page, chrome, lab)
        for named in (True, False):  # fills the browser's cache
            opened.start(named=named)
        pairs = [opened.pair(first=number % 2 == 0) for number in range(rounds)]
    with_it, without = zip(*pairs, strict=True)
    (ours, ours_clock), (plain, plain_clock) = (
        [statistics.median(figures) for figures in zip(*side, strict=True)]
        for side in (with_it, without)
    )
    yield Bar.median(
        "JupyterLab's start with the extension, beside without",
        (first[0] - second[0] for first, second in pairs),
        "ms of work more",
        most=_MOST_MS,
        note=f"{rounds} pairs: {ours:.0f} and {plain:.0f} ms of work, "
        f"{ours_clock:.0f} and {plain_clock:.0f} ms by the clock",
        beside={"ours": ours / 1000, "without": plain / 1000},
    )
    size = sum(path.stat().st_size for path in LABEXTENSION.glob("static/*.js"))
    yield Bar("the extension's JavaScript", size, "bytes", most=_MOST_BYTES)


@dataclass
class _Opened:
    """A page that JupyterLab is loaded in, and what Chromium says of it."""

    page: Page
    chrome: CDPSession
    lab: Lab

    def pair(self, *, first: bool) -> tuple[_Start, _Start]:
        """Return a start with it and one without, which is first unless `first`."""
        starts = {named: self.start(named=named) for named in (first, not first)}
        return starts[True], starts[False]

    def start(self, *, named: bool) -> _Start:
        """Load the page until JupyterLab has started; return how long that took."""

        def serve(route: Route) -> None:
            answer = route.fetch()
            body = _configured(answer.text(), named=named)
            route.fulfill(response=answer, body=body)

        self.page.route("**/lab?*", serve)
        self.page.goto(f"{self.lab.url}lab?token={self.lab.token}")
        self.page.wait_for_function("() => window.startedAt")
        clock: float = self.page.evaluate("() => window.startedAt")
        metrics = self.chrome.send("Performance.getMetrics")["metrics"]
        work = next(m["value"] for m in metrics if m["name"] == "TaskDuration")
        loaded = self.page.evaluate("() => 'h2o-magic' in window._JUPYTERLAB")
        self.page.unroute("**/lab?*")
        if loaded is not named:
            raise RuntimeError(f"the extension was loaded: {loaded}, expected {named}")
        return work * 1000, clock


def _configured(html: str, *, named: bool) -> str:
    """Return the page with or without the extension; both are written anew."""

    def change(found: re.Match[str]) -> str:
        settings = json.loads(found[2])
        extensions = settings["federated_extensions"]
        settings["federated_extensions"] = [
            each for each in extensions if named or each["name"] != _NAME
        ]
        return found[1] + json.dumps(settings) + found[3]

    return _CONFIGURATION.sub(change, html)
