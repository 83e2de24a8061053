"""What a notebook's own cells do with stored answers, in a shell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook

from tests.ipython.test_cells import Kernel
from tests.shells import ipython
from tests.stand_in import StandIn

CODE = "left = 1"
ANSWER = f"So:\n```python\n{CODE}\n```\nThat is it."
ASK = "%%h2o --as code\nhello"


class Notebook:
    """A shell that runs the cells of a notebook's file, which has one that offers."""

    def __init__(self, shell: Any, path: Path) -> None:
        self.shell, self.path = shell, path
        self._kernel = shell.kernel = Kernel()
        self._requests = 0
        shell.user_ns["__vsc_ipynb_file__"] = str(path)

    def run(self, source: str, cell: str = "c1") -> None:
        self._requests += 1
        self._kernel.serve(f"r{self._requests}", cell)
        self.shell.run_cell(source, cell_id=cell)

    def offered(self, source: str, cell: str = "c1") -> str | None:
        """Run a cell, and return what it offers for a new one."""
        self.shell.rl_next_input = None
        self.run(source, cell)
        text: str | None = self.shell.rl_next_input
        return text

    def save(self, *sources: str) -> None:
        write(new_notebook(cells=[new_code_cell(s) for s in sources]), self.path)

    @property
    def cells(self) -> list[str]:
        """Who asked for each stored answer."""
        entries = map(
            json.loads, map(Path.read_bytes, self.path.parent.rglob("*.json"))
        )
        return sorted(e["cell"] for e in entries if e["kind"] == "answer")


@pytest.fixture
def notebook(home: object, server: StandIn, tmp_path: Path) -> Iterator[Notebook]:
    server.script = [ANSWER]
    (tmp_path / "book").mkdir()
    with ipython() as shell:
        made = Notebook(shell, tmp_path / "book/n.ipynb")
        answers = made.path.parent / "answers"
        made.run("%load_ext h2o_magic")
        made.run(
            f"%config H2OMagics.server = '{server.url}'\n"
            f"%config H2OMagics.replay = '{answers}'"
        )
        yield made
        shell.run_line_magic("unload_ext", "h2o_magic")


def test_the_code_of_the_same_turn_is_offered_once(
    notebook: Notebook, server: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    offered = []
    for _ in range(3):
        offered.append(notebook.offered(ASK))
        shown.append(capsys.readouterr().out)
    assert offered == [CODE, None, None]
    assert shown[1] == shown[2]
    assert "replayed" in shown[2]
    assert len(server.asked) == 1


@pytest.mark.parametrize("ask", [ASK, "%h2o ask --as code hello"])
def test_replayed_code_is_offered_unless_the_saved_notebook_has_it(
    notebook: Notebook, ask: str
) -> None:
    ask = ask.replace("--as", "--no-history --as")
    assert notebook.offered(ask) == CODE
    assert notebook.offered(ask) == CODE
    notebook.save(ask, f"{CODE}  # mine")
    assert notebook.offered(ask) == CODE
    notebook.save(ask, CODE)
    assert notebook.offered(ask) is None
    assert notebook.offered(ask, "another") is None
    assert notebook.offered(ask.replace("--as", "--fresh --as")) == CODE


def test_a_new_cell_that_asks_the_same_gets_its_code(notebook: Notebook) -> None:
    ask = ASK.replace("--as", "--new --as")
    assert notebook.offered(ask) == CODE
    assert notebook.offered(ask) is None
    assert notebook.offered(ask, "c2") == CODE


def test_a_replayed_correction_is_offered_once(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    offered, shown = [], []
    for _ in range(3):
        notebook.run("1 / 0", "failing")
        capsys.readouterr()
        offered.append(notebook.offered("%h2o fix", "fixing"))
        shown.append(capsys.readouterr().out)
    assert offered == [CODE, None, None]
    assert shown[1] == shown[2]
    assert "The corrected cell is in the cell below" in shown[2]


@pytest.mark.parametrize(
    ("source", "cell"),
    [
        ("%%h2o\nhello", "magic"),
        ("\n%%h2o --as code\nhello", "magic"),
        ("%h2o ask hello", ""),
        ("x = %h2o ask hello", ""),
        ("%%capture\n%%h2o\nhello", ""),
        ("%%time\n%%h2o\nhello", ""),
        ("get_ipython().run_cell_magic('h2o', '', 'hello')", ""),
        ("with capture_output():\n    %h2o ask hello", ""),
        ("%h2o fix", ""),
    ],
)
def test_only_a_cell_of_its_own_is_noted_as_the_asker(
    notebook: Notebook, source: str, cell: str
) -> None:
    notebook.run("from IPython.utils.capture import capture_output\n1 / 0")
    notebook.run(source)
    assert notebook.cells == [cell]


def test_an_answer_that_was_asked_again_by_a_line_is_nobodys(
    notebook: Notebook,
) -> None:
    notebook.run("%%h2o\nhello")
    notebook.run("%h2o retry", "c2")
    assert notebook.cells == [""]
