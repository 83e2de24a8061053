"""A table asked in a real kernel: how often it draws, how it stops, what is left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook

from tests.kernel.conftest import Notebook, running_kernel
from tests.tables.rows_server import RowsServer, rows_server

MAKE = "reviews = [{'id': n, 'text': f'review {n}'} for n in range(%d)]"


@pytest.fixture(scope="module")
def server() -> Iterator[RowsServer]:
    with rows_server() as running:
        yield running


@pytest.fixture(scope="module")
def kernel(
    server: RowsServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Notebook]:
    """A kernel that all tests here ask in."""
    home = str(tmp_path_factory.mktemp("home"))
    with running_kernel(H2O_MAGIC_HOME=home) as made:
        made.run("%load_ext h2o_magic\nimport h2o_magic")
        made.run(
            f"%config H2OMagics.server = '{server.url}/v1'\n"
            "%config H2OMagics.model = 'mock'"
        )
        yield made


def test_a_run_draws_one_output_five_times_a_second_at_most(
    kernel: Notebook, server: RowsServer
) -> None:
    server.configure(delay=0.05, slots=8)
    kernel.run(MAKE % 400)
    run = kernel.run("%%h2o map reviews --out rated\nDraw: {text}", cell="draw")
    shown = run.of("display_data"), run.of("update_display_data")
    drawn = [output["data"]["text/plain"] for kind in shown for output in kind]
    took = float(kernel.run("print(rated.progress.seconds)").outputs[0]["text"])
    assert len(run.of("display_data")) == 1
    assert 3 <= len(drawn) <= 5 * took + 3
    assert re.match(r"[\d,]+ of 400 · [\d.]+ rows/s · \d+:\d\d left", drawn[-2])
    (output,) = run.outputs
    assert output["data"]["text/markdown"].startswith("400 rows in ")
    assert "| review 4 | Answer to: Draw: review 4 |" in run.markdown
    assert "review 5" not in run.markdown


def test_an_interrupt_keeps_the_table_so_far(
    kernel: Notebook, server: RowsServer
) -> None:
    server.configure(delay=0.1, slots=8)
    kernel.run(MAKE % 5000)
    request = kernel.start("%%h2o map reviews --out rated\nStop: {text}", cell="stop")
    begun = kernel.read(request, lambda run: len(run.of("update_display_data")) > 3)
    asked = server.stats()["requests"]
    kernel.manager.interrupt_kernel()
    run = kernel.finish(request, begun)
    assert run.status == "error"  # a Run All ends here, too
    shown, *_ = run.outputs
    assert shown["data"]["text/plain"].startswith("Stopped after ")
    # In half a second eight slots answer 40 rows, for which others may be sent.
    assert server.stats()["requests"] <= asked + 40
    said = kernel.run(
        "done = [row for row in rated.table if row['error'] is None]\n"
        "print(len(done), rated.progress.done, len(rated.table))"
    )
    done, counted, rows = map(int, said.outputs[0]["text"].split())
    assert 0 < done == counted <= rows
    turns = "print([(t.status, t.number) for t in h2o_magic.session().turns()][-1])"
    assert "stopped" in kernel.run(turns).outputs[0]["text"]


def test_a_cell_that_runs_again_replaces_its_turn(
    kernel: Notebook, server: RowsServer
) -> None:
    server.configure(delay=0, slots=0)
    kernel.run(MAKE % 5)
    count = "print(len(h2o_magic.session().turns()))"
    before = int(kernel.run(count).outputs[0]["text"])
    for prompt in ("First: {text}", "Second: {text}"):
        kernel.run(f"%%h2o map reviews\n{prompt}", cell="again")
    assert int(kernel.run(count).outputs[0]["text"]) == before + 1
    last = "print(h2o_magic.session().turns()[-1].question)"
    assert "Second: {text}" in kernel.run(last).outputs[0]["text"]


def test_python_in_a_cell_shows_the_line_and_the_value_the_rows(
    kernel: Notebook, server: RowsServer
) -> None:
    server.configure(delay=0, slots=0)
    kernel.run(MAKE % 7)
    run = kernel.run("h2o_magic.map(reviews, 'Python: {text}')", cell="python")
    line, value = run.outputs
    assert line["data"]["text/plain"].startswith("7 rows in ")
    assert "|" not in line["data"]["text/markdown"]
    assert "| review 4 |" in value["data"]["text/markdown"]


def test_a_front_end_that_changes_no_outputs_gets_the_end_alone(
    kernel: Notebook, server: RowsServer
) -> None:
    server.configure(delay=0.05, slots=4)
    kernel.run(MAKE % 60)
    run = kernel.run("%%h2o map reviews\nQuiet: {text}")
    assert run.of("update_display_data") == []
    assert run.plain.startswith("60 rows in ")


def test_a_saved_notebook_shows_the_run_without_a_kernel(
    server: RowsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))
    server.configure(delay=0, slots=0)
    setup = (
        "%load_ext h2o_magic\n"
        f"%config H2OMagics.server = '{server.url}/v1'\n"
        "%config H2OMagics.model = 'mock'\n" + MAKE % 8
    )
    cells = [setup, "%%h2o map reviews --out rated\nSaved: {text}"]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    nbformat.validate(notebook)
    (output,) = notebook.cells[1].outputs
    assert output["data"]["text/markdown"].count("\n| ") == 7
    html, _ = HTMLExporter().from_notebook_node(notebook)
    assert "<td>Answer to: Saved: review 4</td>" in html
    assert "<td>review 5</td>" not in html
