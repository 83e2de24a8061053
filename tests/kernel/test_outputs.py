"""Where an answer's output stands among others, in a real kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tests.kernel.conftest import Notebook, Run, running_kernel
from tests.stand_in import StandIn, stand_in

ANSWER = "Hello world\n\n[llama-13b"


@pytest.fixture(scope="module")
def answering() -> Iterator[StandIn]:
    """A server that all tests here ask."""
    with stand_in() as state:
        yield state


@pytest.fixture(scope="module")
def kernel(
    answering: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Notebook]:
    """A kernel that all tests here ask in."""
    home = str(tmp_path_factory.mktemp("home"))
    with running_kernel(H2O_MAGIC_HOME=home) as made:
        made.run("%load_ext h2o_magic")
        made.run("ask = get_ipython().run_cell_magic\ndef shows(): print('shown')")
        made.run("line = get_ipython().run_line_magic")
        made.run(f"%config H2OMagics.server = '{answering.url}'")
        yield made


def texts(run: Run) -> list[str]:
    """Return what stands below the cell: text, or the beginning of an answer."""
    found = []
    for output in run.outputs:
        data = output.get("data", {})
        text = data.get("text/plain") or output.get("text") or output["ename"]
        found.append(ANSWER if text.startswith(ANSWER) else text.strip())
    return found


OTHERS = {
    "print": ("print('shown')\nask('h2o', '', 'x')", ["shown", ANSWER]),
    "display": ("display(1)\nask('h2o', '', 'x')", ["1", ANSWER]),
    "loop": ("for q in 'abc': ask('h2o', '', q)", [ANSWER] * 3),
    "two lines": ("%h2o ask a\n%h2o ask b", [ANSWER] * 2),
    "lines in a loop": (
        "for q in 'ab':\n    print(q)\n    line('h2o', 'ask x')",
        ["a", ANSWER, "b", ANSWER],
    ),
    "a cell within": (
        "print('shown')\nget_ipython().run_cell('%%h2o\\nx');",
        ["shown", ANSWER],
    ),
    "a logger": (
        "import logging\nlogging.warning('careful')\nask('h2o', '', 'x')",
        ["WARNING:root:careful", ANSWER],
    ),
    "a failed cell within": (
        "get_ipython().run_cell('1/0')\nask('h2o', '', 'x')",
        ["ZeroDivisionError", ANSWER],
    ),
    "code in the question": (
        "%%h2o --eval\n{shows()}",
        ["shown", ANSWER],
    ),
}


@pytest.mark.parametrize(("code", "left"), OTHERS.values(), ids=OTHERS)
def test_an_answer_leaves_the_other_outputs_of_its_cell(
    kernel: Notebook, code: str, left: list[str]
) -> None:
    run = kernel.run(code, "c1")
    assert texts(run) == left
    assert run.of("clear_output") == []


def test_an_answer_leaves_a_plot(kernel: Notebook) -> None:
    run = kernel.run(
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\n"
        "plt.show()\nask('h2o', '', 'x')",
        "c1",
    )
    assert "image/png" in run.outputs[0]["data"]
    assert texts(run)[1:] == [ANSWER]


def test_a_notebook_and_a_script_that_are_run_keep_all_outputs(
    kernel: Notebook, tmp_path: Path
) -> None:
    cells = [new_code_cell("print('shown')"), new_code_cell("%%h2o\nx")]
    nbformat.write(new_notebook(cells=cells), tmp_path / "n.ipynb")
    (tmp_path / "s.ipy").write_text("print('shown')\nask('h2o', '', 'x')\n")
    for name in ("n.ipynb", "s.ipy"):
        run = kernel.run(f"print('begin')\n%run -i {tmp_path / name}", "c1")
        assert texts(run)[-1] == ANSWER
        assert "".join(texts(run)[:-1]).replace("\n", "") == "beginshown"


def test_a_warning_of_a_value_stays_beside_a_long_answer(
    kernel: Notebook, answering: StandIn
) -> None:
    kernel.run(
        "class Noisy:\n    def __repr__(self):\n        import warnings\n"
        "        warnings.warn('careful')\n        return 'noisy'\nnoisy = Noisy()"
    )
    answering.script = [f"Part {n}. {'word ' * 60}\n\n" for n in range(40)]
    run = kernel.run("%%h2o\n{noisy}", "c1")
    answering.script = ["Hello", " world"]
    assert "UserWarning: careful" in run.stderr
    assert "UserWarning: careful" in "".join(texts(run))
    whole = [text for text in texts(run) if "Part 0." in text and "Part 39." in text]
    assert len(whole) == 1


def test_what_is_captured_is_the_answer(kernel: Notebook) -> None:
    captured = kernel.run("%%capture c\nask('h2o', '', 'x')", "c1")
    assert captured.outputs == []
    run = kernel.run(
        "from IPython.utils.capture import capture_output\n"
        "with capture_output() as d: line('h2o', 'ask x')\n"
        "[(k.outputs[0].data['text/plain'], k.stdout, k.stderr) for k in (c, d)]",
        "c2",
    )
    for plain, out, err in eval(run.of("execute_result")[0]["data"]["text/plain"]):
        assert plain.startswith(ANSWER)
        assert (out, err) == ("", "")
    shown = kernel.run("c.show()", "c3")
    assert texts(shown) == [ANSWER]


def test_an_output_widget_gets_the_answer_at_its_end(kernel: Notebook) -> None:
    run = kernel.run(
        "import ipywidgets\nout = ipywidgets.Output()\nwith out: ask('h2o', '', 'x')",
        "c1",
    )
    assert texts(run) == [ANSWER]
    assert run.of("update_display_data") == run.of("clear_output") == []


COMMANDS = ["%%h2o\nx", "%h2o ask x", "%h2o retry", "%h2o ask --as json [1]"]


@pytest.mark.parametrize("code", COMMANDS)
def test_a_front_end_that_names_no_cell_gets_one_plain_output(
    kernel: Notebook, answering: StandIn, code: str
) -> None:
    answering.script = ["[1]"] if "json" in code else ["Hello", " world"]
    run = kernel.run(code)
    answering.script = ["Hello", " world"]
    (output,) = run.of("display_data")
    assert {"text/plain", "text/markdown"} == set(output["data"])
    assert output["transient"] == {}
    assert output["data"]["text/plain"].startswith(
        "[\n  1\n]" if "json" in code else ANSWER
    )
    for kind in ("update_display_data", "clear_output", "stream"):
        assert run.of(kind) == []


def test_a_console_gets_an_answer_without_marks(
    kernel: Notebook, answering: StandIn
) -> None:
    answering.script = ["# Title\n\n**bold**"]
    run = asked_by_console(kernel, "%h2o ask x")
    answering.script = ["Hello", " world"]
    assert run.plain.startswith("Title\n=====\n\nbold\n\n[llama-13b")
    assert "**bold**" in run.markdown
    again = asked_by_console(kernel, "%h2o retry")
    assert texts(again) == [ANSWER]


def asked_by_console(kernel: Notebook, code: str) -> Run:
    request = kernel.client.execute(code, allow_stdin=True)
    return kernel.finish(request)


def test_an_executed_notebook_has_one_output_for_each_answer(
    answering: StandIn, home: Path
) -> None:
    cells = [
        f"%load_ext h2o_magic\n%config H2OMagics.server = '{answering.url}'",
        "%%h2o\nx",
        "print('shown')\n%h2o ask x",
        "for q in 'ab': get_ipython().run_cell_magic('h2o', '', q)",
    ]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    kinds: list[list[str]] = [
        [output["output_type"] for output in cell["outputs"]]
        for cell in notebook.cells[1:]
    ]
    one = "display_data"
    assert kinds == [[one], ["stream", one], [one, one]]
    shown: Any = json.dumps(notebook.cells[1]["outputs"])
    assert "Hello world" in shown
