"""The questions that an empty panel offers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure

from h2o_magic.ipython.extension import load, unload
from h2o_magic.ipython.panel_host import PanelHost
from h2o_magic.ipython.starters import starters
from tests.shells import ipython

ASK = "What can I ask here?"


@pytest.fixture
def shell(home: Path) -> Iterator[InteractiveShell]:
    with ipython() as shell:
        load(shell)
        yield shell
        unload(shell)


def labels(shell: InteractiveShell, *, sees: bool = False) -> list[str]:
    return [label for label, _ in starters(shell, sees=sees)]


def run(shell: InteractiveShell, *cells: str) -> None:
    for cell in cells:
        shell.run_cell(cell, store_history=True)


def test_a_cell_that_has_run_is_told_until_nobody_wants_to_know(
    shell: InteractiveShell,
) -> None:
    ran: list[int] = []
    stop = PanelHost(SimpleNamespace(shell=shell)).on_cell_run(lambda: ran.append(1))  # type: ignore[arg-type]
    run(shell, "x = 1", "x = 2")
    stop()
    run(shell, "x = 3")
    assert len(ran) == 2


def test_an_empty_notebook_offers_one_question(shell: InteractiveShell) -> None:
    assert starters(shell, sees=True) == [(ASK, ASK)]


def test_the_last_error_comes_first_with_its_traceback(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "x = 1", "1 / 0", "%h2o version")
    assert labels(shell) == ["Explain my last error", ASK]
    assert starters(shell, sees=False)[0][1].endswith(": {Err[2]}")
    run(shell, "x = 2")
    assert labels(shell) == [ASK]


def test_the_frame_that_was_used_last_is_asked_about(shell: InteractiveShell) -> None:
    shell.user_ns.update(old=pd.DataFrame({"a": [1]}), new=pd.DataFrame({"a": [1]}))
    assert labels(shell) == ["What stands out in new?", "Summarise new", ASK]
    run(shell, "[new, old.head()];")
    assert labels(shell)[:2] == ["What stands out in old?", "Summarise old"]
    assert starters(shell, sees=False)[1][1] == "Summarise {old}."
    run(shell, "1 / 0")
    assert labels(shell) == ["Explain my last error", "What stands out in old?", ASK]


def test_other_data_is_asked_about_where_there_is_no_frame(
    shell: InteractiveShell,
) -> None:
    shell.user_ns.update(n=3, password=["x"], _hidden=[1], apply=len)
    assert labels(shell) == [ASK]
    shell.user_ns["prices"] = [1, 2]
    assert labels(shell) == ["What is in prices?", ASK]
    shell.user_ns["chart"] = Figure()
    assert labels(shell, sees=True) == ["What does chart show?", ASK]
    assert labels(shell, sees=False) == ["What is in prices?", ASK]
