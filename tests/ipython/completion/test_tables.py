"""Tab completion in cells that ask a table, through a shell's own completer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from h2o_magic.ipython.extension import load, unload
from tests.ipython.completion.test_completion import texts
from tests.shells import ipython


@pytest.fixture
def shell(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InteractiveShell]:
    del home
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("text,lang\nhello,en\n")
    with ipython() as shell:
        load(shell)
        shell.user_ns |= {
            "reviews": pandas.DataFrame({"text": ["a"], "stars": [1]}),
            "records": [{"body": "x", "first name": "y"}],
            "review_count": 3,
            "texture": "fine",
        }
        yield shell
        unload(shell)


def test_map_is_offered_where_a_cell_begins(shell: InteractiveShell) -> None:
    assert texts(shell, "%%h2o ma|\nx") == ["map"]


def test_tables_are_offered_and_other_variables_are_not(
    shell: InteractiveShell,
) -> None:
    offered = texts(shell, "%%h2o map |\nx")
    assert offered[:2] == ["records", "reviews"]
    assert "review_count" not in offered
    assert texts(shell, "%%h2o map rev|\nx") == ["reviews"]
    assert texts(shell, "%%h2o map ro|\nx") == ["rows.csv"]


def test_the_options_of_tables_are_offered(shell: InteractiveShell) -> None:
    offered = texts(shell, "%%h2o map reviews --|\nx")
    assert {"--out", "--first", "--budget", "--temperature"} <= set(offered)
    assert not {"--attach", "--thread", "--stream"} & set(offered)
    assert texts(shell, "%%h2o map reviews --bu|\nx") == ["--budget"]


COLUMNS = {
    "all": ("map reviews --out x", "Rate {|", ["text", "stars"]),
    "begun": ("map reviews", "Rate {te|", ["text", "texture"]),
    "records": ("map --first 3 records", "Rate {|}", ["body", "first name"]),
    "spaces": ("map records", "Rate {first n|", ["first name"]),
}


@pytest.mark.parametrize(("line", "prompt", "first"), COLUMNS.values(), ids=COLUMNS)
def test_columns_are_offered_before_variables(
    shell: InteractiveShell, line: str, prompt: str, first: list[str]
) -> None:
    assert texts(shell, f"%%h2o {line}\n{prompt}")[: len(first)] == first


def test_columns_say_their_types(shell: InteractiveShell) -> None:
    text = "%%h2o map reviews\n{sta"
    with provisionalcompleter():
        found = [*shell.Completer.completions(text, len(text))]
    assert [(each.text, each.type) for each in found] == [("stars", "int64")]


def test_in_a_question_variables_alone_are_offered(shell: InteractiveShell) -> None:
    assert "stars" not in texts(shell, "%%h2o\n{|")
