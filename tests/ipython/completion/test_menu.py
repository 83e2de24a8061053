"""The menu of a panel's composer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from h2o_magic.chat_panel.host import Entry
from h2o_magic.ipython import sessions
from h2o_magic.ipython.commands import SUBCOMMANDS
from h2o_magic.ipython.completion.menu import menu
from h2o_magic.ipython.extension import load, unload
from tests.shells import ipython


@pytest.fixture
def shell(home: Path) -> Iterator[InteractiveShell]:
    with ipython() as shell:
        load(shell)
        yield shell
        unload(shell)


def entries(shell: InteractiveShell, text: str, *without: str) -> list[Entry]:
    before, _, after = text.partition("|")
    return menu(shell, before, after, without=without)[1]


def texts(shell: InteractiveShell, text: str) -> list[str]:
    return [text for text, *_ in entries(shell, text)]


def test_a_slash_alone_shows_all_commands_with_their_help(
    shell: InteractiveShell,
) -> None:
    found = entries(shell, "/|", "panel", "ask")
    assert {text for text, *_ in found} == set(SUBCOMMANDS) - {"panel", "ask"}
    assert all(about for _, about, _ in found)
    assert ("status", SUBCOMMANDS["status"].help, "") in found
    assert ("thread", SUBCOMMANDS["thread"].help, " ") in found  # takes a name


def test_arguments_are_narrowed_like_commands(shell: InteractiveShell) -> None:
    sessions.get_state(shell).session.thread = "status"  # as a command is called
    assert entries(shell, "/thread st|", "status") == [("status", "", "")]
    assert texts(shell, "/preset pre|") == ["precise"]


def test_data_frames_come_first_and_code_last(shell: InteractiveShell) -> None:
    shell.user_ns.update(ages=[1, 2], apply=len, frame=pd.DataFrame({"a": [1]}))
    found = [e for e in entries(shell, "{|") if e[0] in ("ages", "apply", "frame")]
    assert found == [
        ("frame", "DataFrame · 1 × 1", "}"),
        ("ages", "list · 2", "}"),
        ("apply", "function", "}"),
    ]


def test_parts_of_a_value_are_told_too(shell: InteractiveShell) -> None:
    shell.user_ns["d"] = {"one": [1], "two": "x"}
    assert entries(shell, "{d[|") == [
        ("'one']", "list · 1", "}"),
        ("'two']", "str · 1 character", "}"),
    ]
    shell.user_ns["df"] = pd.DataFrame({"age": [1], "name": ["x"]})
    assert entries(shell, "{df['a|")[0] == ("'age']", "int64", "}")


@pytest.mark.parametrize(
    ("text", "then"),
    [("{ag|", "}"), ("{ag|}", ""), ("{ag| and {b}", "}"), ("{ag|.x}", "")],
)
def test_a_brace_is_closed_once(shell: InteractiveShell, text: str, then: str) -> None:
    shell.user_ns["ages"] = [1]
    assert [then for *_, then in entries(shell, text)] == [then]


def test_outputs_of_cells_are_offered_newest_first(shell: InteractiveShell) -> None:
    shell.user_ns["Out"].update({2: [1], 11: "x"})
    assert texts(shell, "{Out|") == ["Out[11]", "Out[2]"]
    assert entries(shell, "{Out|")[0][1] == "str · 1 character"
    assert texts(shell, "{Out[1|") == ["11]"]
    assert "Out[2]" not in texts(shell, "{|")
