"""A table asked in a cell, and in the panel, as a person sees it in JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

from tests.browser.conftest import Opener
from tests.browser.test_panel import Panel, violations
from tests.tables.rows_server import RowsServer, rows_server

pytestmark = pytest.mark.browser

SETUP = """%load_ext h2o_magic
%config H2OMagics.server = '{url}/v1'
%config H2OMagics.model = 'mock'
texts = ["Arrived a day early, and it works.", "Broken after a week.", "As described."]
reviews = [{{"id": n, "text": f"{{texts[n % 3]}} ({{n}})"}} for n in range(600)]
Rating = {{"type": "object", "required": ["rating", "why"], "properties":
          {{"rating": {{"type": "integer"}}, "why": {{"type": "string"}}}}}}"""
MAP = "%%h2o map reviews --out rated --schema Rating\nRate this review: {text}"


@pytest.fixture(scope="module")
def rows() -> Iterator[RowsServer]:
    """A server that answers rows slowly."""
    with rows_server(delay=0.5, slots=20) as running:
        yield running


def test_the_panel_shows_a_run_and_stops_it_while_its_cell_runs(
    open_notebook: Opener, rows: RowsServer
) -> None:
    cells = [SETUP.format(url=rows.url), "%h2o panel", MAP]
    source = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    notebook = open_notebook("panel-map.ipynb", source)
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    panel = Panel(notebook.output(1).locator(".h2o-panel"))
    panel.wait_until_open()
    notebook.run(2)
    line = re.compile(r"\d+ of 600 · [\d.]+ rows/s · \d+:\d\d left")
    expect(notebook.output(2)).to_contain_text(line)
    notebook.screenshot("map-begun")
    expect(panel.turn(1)).to_contain_text("Rate this review: {text}")
    expect(panel.turn(1).locator(".h2o-notice")).to_contain_text(line)
    notebook.screenshot("map-running")
    assert violations(panel.place.page) == []
    panel.press("Stop the run over the table")
    notebook.wait_idle(2)
    stopped = re.compile(r"Stopped after \d+ of 600 rows")
    expect(notebook.output(2)).to_contain_text(stopped)
    expect(notebook.output(2).locator("tr")).to_have_count(6)
    expect(panel.turn(1)).to_contain_text(stopped)
    expect(panel.turn(1).locator("tr")).to_have_count(6)
    expect(panel.turn(1).get_by_role("button", name="Ask again")).to_have_count(0)
    notebook.screenshot("map-stopped")
    rows.configure(delay=0.02, slots=0)
    notebook.run_again(2)
    expect(notebook.output(2)).to_contain_text(re.compile(r"600 rows in .* known"))
    expect(panel.turns).to_have_count(1)
    expect(panel.turn(1)).to_contain_text("600 rows in ")
    notebook.screenshot("map-done")
    assert rows.stats()["requests"] < 600
