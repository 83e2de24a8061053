"""The chat beside the notebook, by JupyterLab's extension."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener
from tests.browser.test_lab import chat_notebook
from tests.browser.test_panel import ANSWER, Panel
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser
OUT = "/tmp/scratch/h19/a-dock"


PROBE = """async () => {
  const p = jupyterapp.shell.currentWidget;
  const out = [];
  for (const c of p.content.model.cells) for (let i = 0; i < (c.outputs?.length ?? 0); i++) {
    const o = c.outputs.get(i); out.push([JSON.stringify(o.metadata), JSON.stringify(o.data).slice(0, 300)]);
  }
  return out;
}"""


def test_explore(open_notebook: Opener, server: StandIn) -> None:
    page = open_notebook.page
    page.on("console", lambda m: print("CONSOLE", m.type, m.text[:300]))
    page.on("pageerror", lambda e: print("PAGEERROR", e))
    page.set_viewport_size({"width": 1400, "height": 900})
    source = chat_notebook(
        server,
        "rows = [1, 2, 3]\ncity = 'Oslo'",
        "%%h2o --model gpt-sim --temperature 0.2 --system \"be short\"\n"
        "Why is the mean of {rows} not in the list? Don't import anything, and\n"
        "def not a class: explain it for {city} in 2 sentences, as \"new\".\n"
        "- is `{rows}` code?\n- and {{rows}}?\n\n```\n{rows}\n```\n",
        "%h2o panel",
        "for x in rows:\n    print(x)  # still Python",
        "%h2o connect sim --name \"x y\" --forget",
    )
    server.script = ANSWER
    notebook = open_notebook("dock.ipynb", source)
    page.wait_for_timeout(1500)
    page.screenshot(path=f"{OUT}/1-prose.png")
    for index in (0, 1, 3):
        notebook.run_to_end(index)
    page.wait_for_timeout(1000)
    cell = Panel(notebook.output(3).locator(".h2o-panel"))
    cell.ask("Some code?")
    cell.wait_for_end(1, "from the panel")
    page.screenshot(path=f"{OUT}/2-cell.png")
    print(page.evaluate(PROBE))
    cell.press("Dock on the right")
    dock = Panel(page.locator(".h2o-dock .h2o-panel"))
    page.wait_for_timeout(3000)
    page.wait_for_timeout(500)
    page.screenshot(path=f"{OUT}/3-docked.png")
    print("WIDTH", page.locator(".h2o-dock").evaluate("e => e.getBoundingClientRect().width"))
    print("FOCUS", page.evaluate("document.activeElement.outerHTML.slice(0,200)"))
    page.evaluate("() => jupyterapp.commands.execute('h2o-magic:open-tab')")
    page.wait_for_timeout(1500)
    page.screenshot(path=f"{OUT}/4-tab.png")
    page.evaluate("() => jupyterapp.commands.execute('h2o-magic:show-in-cell')")
    page.wait_for_timeout(1500)
    page.screenshot(path=f"{OUT}/5-back.png")
    page.evaluate("() => jupyterapp.commands.execute('h2o-magic:dock')")
    page.wait_for_timeout(1500)
    page.evaluate("() => jupyterapp.shell.currentWidget.context.sessionContext.restartKernel()")
    page.wait_for_timeout(4000)
    page.screenshot(path=f"{OUT}/6-lost.png")
    page.locator(".h2o-dock").get_by_text("Reconnect").click()
    page.wait_for_timeout(4000)
    page.screenshot(path=f"{OUT}/7-again.png")
