"""What is promised of prompts in another process: they are the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pandas as pd
import pytest
import xarray

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.values import describe

ROOT = Path(__file__).parents[2]
RUN = "from tests.prompts.same_prompts import main; main({})"
HELPER = "def call(function):\n    return function(1)\n"


ADDRESS = "0x7f3a5c0d1e20"


class Plain:
    pass


class Holder:
    """An object with this text."""

    def __init__(self, text: str) -> None:
        self.shown = text

    def __repr__(self) -> str:
        return self.shown


def shown(value: object) -> str:
    return describe(value, "value").text(100_000)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("<C at 0x7f3a5c0d1e20>", "<C at 0x…>"),
        ("<C object at 0x000001F25C0D1E20>", "<C object at 0x…>"),
        ("<weakref at 0x7f3a5; to 'C' at 0x7f3a6>", "<weakref at 0x…; to 'C' at 0x…>"),
        (
            "<md5 _hashlib.HASH object @ 0x7f3a5c0d1e20>",
            "<md5 _hashlib.HASH object @ 0x…>",
        ),
        ("f(<function <lambda> at 0x7f3a5c>, 1)", "f(<function <lambda> at 0x…>, 1)"),
        ("<MagicMock name='m' id='140232'>", "<MagicMock name='m' id='…'>"),
        ("<Thread(T, started daemon 140232)>", "<Thread(T, started daemon …)>"),
        ("x {'b', 'a'} {b'd', b'c', 1}", "x {'a', 'b'} {1, b'c', b'd'}"),
        ("{'it\\'s', \"a\"}", "{\"a\", 'it\\'s'}"),
        ("<f, '/tmp/ipykernel_12/34.py'>", "<f, '<cell>'>"),
        ("'a' '/my tmp/ipykernel_12/34.py:5'", "'a' '<cell>:5'"),
        (r"'C:\\A B\\Temp\\ipykernel_12\\34.py'", "'<cell>'"),
        ("at /tmp/xpython_12/34.py:5", "at <cell>:5"),
        ("in <ipython-input-3-0a1b2c3d4e5f>:5", "in <cell>:5"),
    ],
)
def test_what_is_there_by_chance_is_left_out_of_texts_that_python_made(
    text: str, same: str
) -> None:
    assert shown([Holder(text)]) == f"[{same}]"
    assert shown(Holder(f"{text}.")) == f"{same}."


@pytest.mark.parametrize(
    "text",
    [
        "the program crashed at 0x7f3a5c0d1e20",
        "read 0x7f3a5c0d1e20 <of 4 bytes>",
        "<Instruction at 0x10: nop>",
        "{'b': 1, 'a': 2} {b} {b, a} {3, 1, 2} {'b'}",
        "<p style='x'>\nat 0x7f3a5c0d1e20",
        "/tmp/trees/34.py",
        "started 3 threads, Date: Mon, 30 Nov 2026",
    ],
)
def test_what_a_value_says_of_its_own_stays(text: str) -> None:
    assert shown(Holder(text)) == text
    assert shown([Holder(text)]) == f"[{' '.join(text.split())}]"


@pytest.mark.parametrize(
    "text",
    [f"<C at {ADDRESS}>", "{'b', 'a'}", "/tmp/ipykernel_12/34.py", "<f> id='140232'"],
)
def test_a_text_of_the_users_is_never_changed(text: str) -> None:
    assert shown(text) == text
    assert shown([text, {text: text}]) == str([text, {text: text}])
    assert shown(pd.Series([text])).endswith(f"| {text} |")
    assert shown(pd.DataFrame({text: [1]})).endswith(f"| {text} |\n| --- |\n| 1 |")


def test_the_address_of_the_value_itself_is_left_out_wherever_it_stands() -> None:
    holder = Holder("")
    holder.shown = f"Generator(PCG64) at 0x{id(holder):X}, 0x{id(holder):016x}"
    assert shown(holder) == "Generator(PCG64) at 0x…, 0x…"


def test_what_only_says_where_it_is_stays_refused() -> None:
    plain = Plain()
    with pytest.raises(ConfigurationError, match="no text that says what is in it"):
        shown(weakref.ref(plain))


def test_a_module_in_a_list_does_not_say_where_it_is_installed() -> None:
    assert shown([json, sys]) == "[<module 'json'>, <module 'sys'>]"


def test_the_moment_of_a_summary_of_statsmodels_is_left_out() -> None:
    kind = type("Summary", (Holder,), {"__module__": "statsmodels.iolib.summary"})
    text = "Date:     {}   Prob:\nTime:      {}   Log:\nNo. Observations:  9"
    first, second = (
        shown(kind(text.format(*moment)))
        for moment in [
            ("Mon, 30 Nov 2026", "21:03:31"),
            ("Tue, 01 Dec 2026", "09:00:00"),
        ]
    )
    assert first == second
    assert first.split() == [
        "Date:",
        "Prob:",
        "Time:",
        "Log:",
        "No.",
        "Observations:",
        "9",
    ]
    assert "30 Nov 2026" in shown(Holder(text.format("Mon, 30 Nov 2026", "21:03:31")))


def test_lists_and_sets_in_a_column_are_stable() -> None:
    kept = [[Holder("<C at 0x7f3a5c0d>")], {1, "b", "a"}, {None: 1}, set()]
    said = "; [<C at 0x…>], {1, 'a', 'b'}, {None: 1}, set() |"
    assert said in shown(pd.Series(kept))


def test_objects_in_an_array_of_xarray_are_stable() -> None:
    value = xarray.DataArray(
        [0], attrs={"call": shown, "kin": {"b", "a"}, "own": ADDRESS}
    )
    assert f"call: <function shown at 0x…>; kin: {{'a', 'b'}}; own: {ADDRESS}" in shown(
        value
    )


def test_prompts_and_images_are_the_same_in_another_process_and_folder(
    tmp_path: Path,
) -> None:
    runs = [start(tmp_path / "one", "1", 0), start(tmp_path / "another two", "2", 7)]
    first, second = (json.loads(run.communicate()[0]) for run in runs)
    assert len(first) > 40
    assert first == second


def start(folder: Path, seed: str, cells_before: int) -> subprocess.Popen[str]:
    """Start a process of other hashes, and with folders of its own."""
    (temporary := folder / "tmp").mkdir(parents=True)
    (folder / "helper.py").write_text(HELPER)
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "TMPDIR": str(temporary),
        "MPLCONFIGDIR": str(temporary),
    }
    return subprocess.Popen(
        [sys.executable, "-c", RUN.format(cells_before)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
