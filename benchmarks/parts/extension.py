"""JupyterLab's start with this package's extension, and without it.

One page loads one server's JupyterLab again and again, in turn with and without.
Without it, the page's configuration does not name it, so that nothing of it is loaded.
"""

from __future__ import annotations

import json
import re
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, Route

from benchmarks.bars import Bar
from benchmarks.parts import LEAST_ROUNDS, Options
from tests.browser.conftest import LABEXTENSION, Lab, chromium, running_lab

__all__ = ["measure"]

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
        for named in (True, False):  # fills the browser's cache
            _start(page, lab, named=named)
        pairs = [_pair(page, lab, first=number % 2 == 0) for number in range(rounds)]
    with_it, without = zip(*pairs, strict=True)
    ours, plain = statistics.median(with_it), statistics.median(without)
    yield Bar.median(
        "JupyterLab's start with the extension, beside without",
        (first - second for first, second in pairs),
        "ms more",
        most=_MOST_MS,
        note=f"{rounds} pairs: {ours:.0f} and {plain:.0f} ms, the fastest "
        f"{min(with_it):.0f} and {min(without):.0f}",
        beside={"ours": ours / 1000, "without": plain / 1000},
    )
    size = sum(path.stat().st_size for path in LABEXTENSION.glob("static/*.js"))
    yield Bar("the extension's JavaScript", size, "bytes", most=_MOST_BYTES)


def _pair(page: Page, lab: Lab, *, first: bool) -> tuple[float, float]:
    """Return how long a start takes with it and without, which is first if `first`."""
    times = {named: _start(page, lab, named=named) for named in (first, not first)}
    return times[True], times[False]


def _start(page: Page, lab: Lab, *, named: bool) -> float:
    """Return milliseconds from loading the page until JupyterLab has started."""

    def serve(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=_configured(answer.text(), named=named))

    page.route("**/lab?*", serve)
    page.goto(f"{lab.url}lab?token={lab.token}")
    page.wait_for_function("() => window.startedAt")
    started: float = page.evaluate("() => window.startedAt")
    loaded = page.evaluate("() => 'h2o-magic' in window._JUPYTERLAB")
    page.unroute("**/lab?*")
    if loaded is not named:
        raise RuntimeError(f"the extension was loaded: {loaded}, expected {named}")
    return started


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
