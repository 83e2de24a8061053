"""The notebooks, run with what the README's first command installs: all that is shown.

A real kernel, the real local server and a real model. Every output is read: a cell that
fails, a table that does not parse, a name in braces that was not filled, and a footer
of two lines would be seen by everybody who tries the product.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

from tests.local import ended_at_exit

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
#: Those that ask a model; the last one replays what it was answered.
NAMES = sorted(path.name for path in NOTEBOOKS.glob("0[1-5]_*.ipynb"))

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_BRACES = re.compile(r"\{\w[\w.\[\]']*\}")
_FOOTER = re.compile(r"<sub>(.*?)</sub>", re.DOTALL)
_LONGEST_FOOTER = 120

Cells = dict[str, nbformat.NotebookNode]


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, hub_with_a_model: Path
) -> Iterator[Path]:
    """Where notebooks are run, which share a local server that has a real model."""
    folder = tmp_path_factory.mktemp("showroom")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("H2O_MAGIC_HOME", str(folder / "home"))
        patch.setenv("HF_HUB_CACHE", str(hub_with_a_model))
        with ended_at_exit(folder / "home"):
            yield folder


def _run(name: str, folder: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=900, resources=where).execute()


def code_of(notebook: nbformat.NotebookNode) -> Cells:
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def markdown_of(cell: nbformat.NotebookNode) -> list[str]:
    return [
        str(output.data["text/markdown"])
        for output in cell.outputs
        if "text/markdown" in output.get("data", {})
    ]


def texts_of(cell: nbformat.NotebookNode) -> str:
    parts = []
    for output in cell.outputs:
        data = output.get("data", {})
        parts.append(output.get("text") or data.get("text/markdown") or "")
        parts.append(str(data.get("text/plain", "")))
    return "\n".join(parts)


def prose(tokens: list[Token]) -> Iterator[str]:
    """Yield the text that a reader sees and that is no code."""
    for token in tokens:
        if token.type == "text":
            yield token.content
        elif token.children:
            yield from prose(token.children)


def check_cell(cell: nbformat.NotebookNode) -> None:
    """Check that no cell fails or complains, and that all of it can be read."""
    for output in cell.outputs:
        assert output.output_type != "error", output.get("evalue")
        assert output.get("name") != "stderr", output.get("text")
    for markdown in markdown_of(cell):
        tokens = _MARKDOWN.parse(markdown)
        for token, following in pairwise(tokens):
            if token.type == "paragraph_open":  # a table that fell apart is text
                lines = following.content.splitlines()
                assert not [line for line in lines if line.startswith("|")]
        assert not _BRACES.search("\n".join(prose(tokens)))


def check_answer(cell: nbformat.NotebookNode) -> None:
    """Check that an answer is whole and has a footer of one short line."""
    (output,) = cell.outputs
    facts = output.metadata["h2o_magic"]
    assert (facts["status"], facts["finish_reason"]) == ("complete", "end")
    assert facts["demo"] is False
    (footer,) = _FOOTER.findall(output.data["text/markdown"])
    assert "\n" not in footer
    assert len(footer) <= _LONGEST_FOOTER, footer
    assert re.search(r"\d tokens · [\d.]+ s$", footer), footer


def asks_a_real_model_about_data(cells: Cells) -> None:
    assert "Newton" in texts_of(cells["follow"])
    asked = cells["data-ask"].outputs[0]
    assert asked.metadata["h2o_magic"]["model"] == "smollm2-135m"
    assert "Paris" in asked.data["text/markdown"]
    assert "<sub>SmolLM2-135M · " in asked.data["text/markdown"]
    assert "The code is in the cell below" in texts_of(cells["code"])
    assert re.search(r"stopped after \d+ words", texts_of(cells["stop"]))
    assert "<sub>Built-in demo · " in texts_of(cells["second"])
    assert "Interrupt a running answer" in texts_of(cells["second"])
    status = texts_of(cells["status"])
    assert "recommended for smollm2-135m" in status
    assert "the best on this machine" in status


def has_the_conversation_that_its_cells_asked(cells: Cells) -> None:
    for cell, capital in (("first", "Paris"), ("second", "Rome"), ("third", "Tokyo")):
        assert capital in texts_of(cells[cell])
    assert "1 What is the capital of France? → " in texts_of(cells["python"])
    assert "2 And of Italy? → " in texts_of(cells["python"])
    assert "Japan" not in texts_of(cells["python"])


def puts_data_in_and_gets_values_out(cells: Cells) -> None:
    assert "pandas DataFrame, 4 rows x 3 columns" in texts_of(cells["preview"])
    for row in (r"\| Maria \| 34 \|", r"\| Tom \| 29 \|", r"\| Anna \| 41 \|"):
        assert re.search(row, texts_of(cells["table"]))
    assert re.search(r"Tom +29\n.*Maria +34\n.*Anna +41", texts_of(cells["frame"]))
    assert "The code is in the cell below" in texts_of(cells["code"])
    facts = texts_of(cells["facts"])
    assert "PARIS" in facts
    assert "'SmolLM2-135M-Instruct Q4_1'" in facts


def gets_the_same_answer_of_two_servers_and_leaves_nothing(cells: Cells) -> None:
    assert "SmolLM2-135M stands in" in texts_of(cells["models"])
    assert "OpenAI-compatible (h2o_magic), 2 models" in texts_of(cells["connect"])
    assert "Paris" in texts_of(cells["ask"])
    assert "the same answer: True" in texts_of(cells["compare"])
    assert "is already downloaded" in texts_of(cells["pull"])


def saves_a_panel_with_the_conversation_as_markdown(cells: Cells) -> None:
    widget, transcript = cells["panel"].outputs
    assert "application/vnd.jupyter.widget-view+json" in widget.data
    assert "What is photosynthesis?" in transcript.data["text/markdown"]
    assert "preset precise" in texts_of(cells["status"])


PROMISES: dict[str, Callable[[Cells], None]] = {
    "01_quickstart.ipynb": asks_a_real_model_about_data,
    "02_conversation.ipynb": has_the_conversation_that_its_cells_asked,
    "03_data.ipynb": puts_data_in_and_gets_values_out,
    "04_servers.ipynb": gets_the_same_answer_of_two_servers_and_leaves_nothing,
    "05_panel.ipynb": saves_a_panel_with_the_conversation_as_markdown,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_shows_what_it_promises(folder: Path, name: str) -> None:
    notebook = _run(name, folder)
    cells = code_of(notebook)
    for cell in cells.values():
        check_cell(cell)
    asking = [cell for cell in cells.values() if cell.source.startswith("%%h2o")]
    answers = [cell for cell in asking if "--preview" not in cell.source]
    assert answers
    for cell in answers:
        check_answer(cell)
    PROMISES[name](cells)
    page, _ = MarkdownExporter().from_notebook_node(notebook)
    for cell in answers:
        assert markdown_of(cell)[0] in page
