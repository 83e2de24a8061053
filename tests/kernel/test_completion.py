"""Tab completion as JupyterLab asks for it: the kernel's own ``complete_request``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from h2o_magic.config.models import MODELS
from h2o_magic.ipython.commands import SUBCOMMANDS
from tests.kernel.conftest import TIMEOUT, Notebook
from tests.stand_in import StandIn


def complete(notebook: Notebook, text: str) -> dict[str, Any]:
    """Return the kernel's reply where ``|`` marks the cursor."""
    before, _, after = text.partition("|")
    request = notebook.client.complete(before + after, len(before))
    while True:
        reply = notebook.client.get_shell_msg(timeout=TIMEOUT)
        if reply["parent_header"].get("msg_id") == request:
            assert reply["content"]["status"] == "ok"
            return dict(reply["content"])


def completed(notebook: Notebook, text: str) -> list[str]:
    """Return the cell as it would be with each of the matches, ``|`` at its end."""
    cell = text.replace("|", "", 1)
    reply = complete(notebook, text)
    start, end = reply["cursor_start"], reply["cursor_end"]
    return [f"{cell[:start]}{match}|{cell[end:]}" for match in reply["matches"]]


def matches(notebook: Notebook, text: str) -> list[str]:
    return list(complete(notebook, text)["matches"])


@pytest.fixture(params=[True, False], ids=["jedi", "no-jedi"])
def lab(shared_chat: Notebook, request: pytest.FixtureRequest) -> Notebook:
    shared_chat.run(f"%config IPCompleter.use_jedi = {request.param}")
    return shared_chat


def test_options_and_their_values(lab: Notebook) -> None:
    assert completed(lab, "%%h2o --mo| --strict\nhi") == ["%%h2o --model| --strict\nhi"]
    assert "code" in matches(lab, "%%h2o --as |\nhi")
    assert completed(lab, "%%h2o --as=jso|\nhi") == ["%%h2o --as=json|\nhi"]


def test_model_names(lab: Notebook) -> None:
    # The stand-in has no list, as servers of 2023: the known models take its place.
    assert set(matches(lab, "%%h2o --model |")) >= {"falcon-7b", "falcon-40b"}
    assert completed(lab, "%%h2o -m falcon-4|") == ["%%h2o -m falcon-40b|"]
    assert matches(lab, "%h2o pull |") == [name for name in MODELS if name != "demo"]


def test_thread_names_with_a_space(lab: Notebook) -> None:
    lab.run("%%h2o --thread 'plot ideas'\nhello", "c1")
    assert completed(lab, "%h2o history --thread pl|") == [
        '%h2o history --thread "plot ideas"|'
    ]
    assert completed(lab, "%%h2o --thread 'pl|'\nhi") == [
        "%%h2o --thread 'plot ideas|'\nhi"
    ]


def test_subcommands_and_their_options(lab: Notebook) -> None:
    assert matches(lab, "%h2o |") == list(SUBCOMMANDS)
    assert completed(lab, "1 + 1\n%h2o hist|") == ["1 + 1\n%h2o history|"]
    assert matches(lab, "%h2o reset --|") == ["--thread", "--all", "--erase"]


def test_files(lab: Notebook, tmp_path: Path) -> None:
    (tmp_path / "my chat.json").touch()
    lab.run(f"%cd -q {tmp_path}")
    assert completed(lab, "%h2o import my|") == ['%h2o import "my chat.json"|']


def test_names_in_braces(lab: Notebook) -> None:
    lab.run("rows = [{'first name': 1}]\nclass A:\n    size = 3\nthing = A()")
    assert completed(lab, "%%h2o\n😀 {ro|} 😀\nmore") == ["%%h2o\n😀 {rows|} 😀\nmore"]
    assert completed(lab, "%%h2o\n{rows[|") == ["%%h2o\n{rows[0]|"]
    assert completed(lab, "%%h2o\n{rows[0]['|']}") == [
        "%%h2o\n{rows[0]['first name|']}"
    ]
    assert completed(lab, "%%h2o\n{thing.|") == ["%%h2o\n{thing.size|"]


def test_columns_of_a_table(lab: Notebook) -> None:
    pytest.importorskip("pandas")
    lab.run("import pandas as pd\ndf = pd.DataFrame({'age': [1], 'full name': ['x']})")
    assert {"columns", "dtypes"} <= set(matches(lab, "%%h2o\n{df.|"))
    assert completed(lab, "%%h2o\n{df['f|']}") == ["%%h2o\n{df['full name|']}"]


def test_prose_and_code_have_none(lab: Notebook) -> None:
    lab.run("import_rate = 1")
    for text in ("how do I impo|", "```\n{impo|\n```", "in `{impo|`, say", "|"):
        assert matches(lab, f"%%h2o\n{text}") == []
    assert "import_rate" in matches(lab, "impo|")


def test_ten_thousand_names(lab: Notebook) -> None:
    lab.run("globals().update({f'variable_{n:05}': n for n in range(10_000)})")
    assert 0 < len(matches(lab, "%%h2o\n{variab|")) <= 500
    assert matches(lab, "%%h2o\n{variable_0999|")[0] == "variable_09990"


def test_completing_neither_asks_nor_says_anything(
    lab: Notebook, shared_server: StandIn
) -> None:
    asked = len(shared_server.asked)
    complete(lab, "%%h2o --thread |")
    complete(lab, "%%h2o\n{|")
    assert len(shared_server.asked) == asked
    run = lab.run("1")
    assert [o["data"]["text/plain"] for o in run.outputs] == ["1"]
