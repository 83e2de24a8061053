"""What is promised of tracebacks in a prompt: they are the same in each process."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import pytest

from h2o_magic.prompts.tracebacks import stable_traceback

CELL = "/tmp/ipykernel_12/{}.py"


def place(file: str, code: str = "") -> str:
    """Return what becomes of a line that names a file, with a line of code below."""
    told = stable_traceback(f'Traceback:\n  File "{file}", line 3, in f\n    {code}')
    return told.split("\n")[1].strip().removesuffix(", line 3, in f")


@pytest.mark.parametrize(
    "folders",
    [
        ["/usr/lib/python3.11", "/usr/lib/python3.11/site-packages"],
        ["/home/a b/.venv/lib", "/home/a b/.venv/lib/python3.13/site-packages"],
    ],
)
def test_a_file_has_the_name_by_which_it_is_imported(
    folders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", folders)
    library, packages = folders
    assert place(f"{library}/json/decoder.py") == 'File "json/decoder.py"'
    assert place(f"{packages}/pandas/core/frame.py") == 'File "pandas/core/frame.py"'


def test_an_import_error_names_the_module_as_it_is_imported() -> None:
    with pytest.raises(ImportError) as caught:
        exec("from json import nothing")
    told = stable_traceback(f"ImportError: {caught.value}")
    assert told.endswith("cannot import name 'nothing' from 'json' (json/__init__.py)")


@pytest.mark.parametrize("folder", ["one", "another"])
def test_a_file_of_the_users_has_its_own_name(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder / "trees").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / folder)
    monkeypatch.setattr(sys, "path", ["/", ""])
    assert place(os.path.abspath("trees/oak.py")) == 'File "trees/oak.py"'
    assert place("trees/oak.py") == 'File "trees/oak.py"'
    assert place(str(tmp_path / "elsewhere.py")) == 'File "elsewhere.py"'


@pytest.mark.parametrize("file", ["<string>", "<frozen runpy>", "<stdin>"])
def test_what_is_no_file_keeps_its_name(file: str) -> None:
    assert place(file) == f'File "{file}"'


@pytest.mark.parametrize(
    "file", [CELL.format(34), "/a b/ipykernel_1/2.py", "<ipython-input-12-0a1b>"]
)
def test_an_only_cell_needs_no_number(file: str) -> None:
    assert place(file) == "The cell"


def test_several_cells_are_told_apart_by_letters_in_their_order() -> None:
    files = [CELL.format(number) for number in (9, 5, 9, *range(10, 40))]
    text = "\n".join(f'  File "{file}", line 1' for file in files)
    places = [
        line.strip().removesuffix(", line 1")
        for line in stable_traceback(text).split("\n")
    ]
    assert places[:4] == ["Cell A", "Cell B", "Cell A", "Cell C"]
    assert places[25:28] == ["Cell Y", "Cell Z", "Cell A1"]


@pytest.mark.parametrize("before", ["", "  | ", "    | "])
def test_the_message_is_stable_and_the_code_stays(before: str) -> None:
    code = "    if x in {'b', 'a'}: raise error  # <C at 0x7f3a5c0d>"
    text = (
        f"{before}{code}\n{before}ValueError: <C at 0x7f3a5c0d> is none of {{'b', 'a'}}"
    )
    assert stable_traceback(text).split("\n") == [
        f"{before}{code}",
        f"{before}ValueError: <C at 0x…> is none of {{'a', 'b'}}",
    ]


OLD = """\
Traceback (most recent call last):
  The cell, line 9, in <module>
    get(
  File "trees.py", line 2, in get
    return d['x'] + 1
  [Previous line repeated 3 more times]
  File "parser.py", line 1
    x = = 2
        ^
SyntaxError: invalid syntax
    as the parser says"""
NEW = """\
Traceback (most recent call last):
  File "<ipython-input-1-0a1b>", line 9, in <module>
    get(
    ~~~^
        d,
        ^^
    )
    ^
  File "trees.py", line 2, in get
    return d['x'] + 1
           ~^^^^^
  [Previous line repeated 3 more times]
  File "parser.py", line 1
    x = = 2
        ^
SyntaxError: invalid syntax
    as the parser says"""


@pytest.mark.parametrize("before", ["", "  | ", "    | "])
def test_a_frame_has_one_line_of_code_as_in_any_version_of_python(before: str) -> None:
    old, new = (
        "\n".join(before + line for line in text.split("\n")) for text in (OLD, NEW)
    )
    assert stable_traceback(new) == old
    assert stable_traceback(old) == old


def test_an_error_reads_alike_with_and_without_carets() -> None:
    values: dict[str, int] = {}
    with pytest.raises(KeyError) as caught:
        values["x"] += 1
    told = stable_traceback("".join(traceback.format_exception(caught.value)))
    assert told.split("\n")[2:] == [
        '    values["x"] += 1',
        "KeyError: 'x'",
        "",
    ]
