"""What a person sees in JupyterLab."""

from __future__ import annotations

import threading
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Locator, expect

from tests.browser.conftest import LabNotebook, Opener
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
QUICKSTART = NOTEBOOKS / "01_quickstart.ipynb"
DATA = NOTEBOOKS / "03_data.ipynb"


def chat_notebook(server: StandIn, *questions: str) -> nbformat.NotebookNode:
    setup = f"%load_ext h2o_magic\n%config H2OMagics.server = '{server.url}'"
    cells = [new_code_cell(source) for source in (setup, *questions)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def run_all(
    open_notebook: Opener, path: Path, name: str
) -> tuple[LabNotebook, dict[str, int]]:
    """Run a notebook from top to bottom; return where its code cells are, by id."""
    source = nbformat.read(path, as_version=4)
    notebook = open_notebook(f"{name}.ipynb", source)
    code = [i for i, cell in enumerate(source.cells) if cell.cell_type == "code"]
    offers = next(i for i in code if "--as code" in source.cells[i].source)
    notebook.run_to_end(code[0])
    notebook.run_all([index for index in code if index <= offers])
    places = {}
    for index in code:
        place = index + (index > offers)  # the answer's code is a cell of its own
        notebook.cell(place).scroll_into_view_if_needed()
        notebook.wait_idle(place)
        for sign in ("Traceback", "UsageError"):
            expect(notebook.output(place)).not_to_contain_text(sign)
        notebook.screenshot(f"{name}-{index:02d}")
        places[source.cells[index].id] = place
    return notebook, places


# By day tests/kernel/test_showroom.py runs the notebooks.
@pytest.mark.nightly
@pytest.mark.usefixtures("hub_with_a_model")
def test_the_quickstart_runs_from_top_to_bottom(open_notebook: Opener) -> None:
    notebook, places = run_all(open_notebook, QUICKSTART, "quickstart")

    def shown(cell: str) -> Locator:
        notebook.cell(places[cell]).scroll_into_view_if_needed()
        return notebook.output(places[cell])

    for cell in ("ask", "follow", "data-ask", "data-follow", "code"):
        expect(shown(cell).locator("sub")).to_contain_text("SmolLM2-135M · ")
    expect(shown("data-ask")).to_contain_text("Paris")
    expect(shown("second").locator("sub")).to_contain_text("Built-in demo · ")
    expect(shown("status")).to_contain_text("recommended for smollm2-135m")


@pytest.mark.nightly
@pytest.mark.usefixtures("hub_with_a_model")
def test_the_notebook_on_data_runs_from_top_to_bottom(open_notebook: Opener) -> None:
    notebook, places = run_all(open_notebook, DATA, "data")
    offered = places["code"] + 1
    notebook.cell(offered).scroll_into_view_if_needed()
    expect(notebook.cell(offered)).to_contain_text("def square")
    prompt = notebook.cell(offered).locator(".jp-InputArea-prompt")
    expect(prompt).to_have_text("[ ]:")


def test_an_answers_code_is_offered_in_a_cell_below_and_not_run(
    open_notebook: Opener, server: StandIn
) -> None:
    server.script = ["Here:\n\n```python\nprint('offered')\n```\n"]
    cells = chat_notebook(server, "%%h2o --as code\nWrite it.", "'the last cell'")
    notebook = open_notebook("offered.ipynb", cells)
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    expect(notebook.cell(2)).to_contain_text("print('offered')")
    expect(notebook.cell(3)).to_contain_text("the last cell")
    prompt = notebook.cell(2).locator(".jp-InputArea-prompt")
    expect(prompt).to_have_text("[ ]:")


def test_text_grows_in_the_cell_while_it_streams(
    open_notebook: Opener, server: StandIn
) -> None:
    gates = [threading.Event() for _ in range(4)]
    server.script = [step for i, g in enumerate(gates) for step in (f"Part {i}. ", g)]
    notebook = open_notebook("growing.ipynb", chat_notebook(server, "%%h2o\nhello"))
    notebook.run_to_end(0)
    notebook.run(1)
    for i, gate in enumerate(gates):
        expect(notebook.output(1)).to_contain_text(f"Part {i}.")
        expect(notebook.output(1)).not_to_contain_text(f"Part {i + 1}.")
        gate.set()
    expect(notebook.output(1).locator("sub")).to_contain_text("llama-13b")
    expect(notebook.output(1).locator(".jp-OutputArea-child")).to_have_count(1)


def test_the_stop_button_keeps_the_text_and_frees_the_kernel(
    open_notebook: Opener, server: StandIn
) -> None:
    server.script = ["Half an answer, ", "with `code`", threading.Event()]
    cells = chat_notebook(server, "%%h2o\nhello", "6 * 7")
    notebook = open_notebook("stopping.ipynb", cells)
    notebook.run_to_end(0)
    notebook.run(1)
    expect(notebook.output(1)).to_contain_text("Half an answer, with code")
    notebook.screenshot("streaming")
    notebook.page.locator("[data-command='notebook:interrupt-kernel'] >> nth=0").click()
    expect(notebook.output(1)).to_contain_text("stopped, the answer is incomplete")
    expect(notebook.output(1)).to_contain_text("Half an answer, with code")
    assert server.stopped.wait(60)
    notebook.run(2)
    expect(notebook.output(2)).to_contain_text("42")
    notebook.screenshot("stopped")


def test_a_mistyped_option_shows_one_line(
    open_notebook: Opener, server: StandIn
) -> None:
    cells = chat_notebook(server, "%%h2o --temprature 1\nhello")
    notebook = open_notebook("mistyped.ipynb", cells)
    notebook.run_to_end(0)
    notebook.run(1)
    expect(notebook.output(1)).to_contain_text("did you mean '--temperature'?")
    notebook.screenshot("usage-error")
