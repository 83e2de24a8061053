"""Folders that cannot be used: all goes on in memory, and one line says so."""

from __future__ import annotations

import io
import os
import pwd
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

import h2o_magic
from tests.forks import PROCESSES
from tests.shells import ipython
from tests.stand_in import stand_in
from tests.unprivileged import give_up_privileges

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs modes of files")

CELLS = [
    "%load_ext h2o_magic",
    "%h2o connect {url} --dialect gpt-gm",
    "%%h2o\nhello",
    "%h2o history",
    "%h2o alias fast=llama-13b",
    "%h2o alias",
    "%%h2o --model fast\nhello again",
    "%h2o preset precise",
    "%h2o preset --save mine",
    "%h2o preset",
    "%h2o connect",
    "%h2o models",
    "%h2o status",
]


def _folder(base: Path, mode: int) -> Path:
    folder = base / "home"
    folder.mkdir()
    folder.chmod(mode)
    return folder


def _file(base: Path) -> Path:
    (base / "file").touch()
    return base / "file"


def _loop(base: Path) -> Path:
    (base / "loop").symlink_to(base / "loop")
    return base / "loop"


def _xdg(base: Path) -> dict[str, str]:
    place = str(_folder(base, 0) / "x")
    kinds = ("DATA", "CONFIG", "CACHE", "STATE")
    return {"HOME": str(base), **{f"XDG_{kind}_HOME": place for kind in kinds}}


#: What the environment says, and a part of the line that is said.
PLACES: Mapping[str, tuple[Callable[[Path], dict[str, str]], str]] = {
    "home of another user": (
        lambda b: {"HOME": str(_folder(b, 0))},
        "/home/.local/share/h2o_magic/conversations.sqlite3: Permission denied",
    ),
    "home that cannot be entered": (
        lambda b: {"HOME": str(_folder(b, 0o600))},
        "/home/.local/share/h2o_magic/conversations.sqlite3: Permission denied",
    ),
    "home that cannot be written": (
        lambda b: {"HOME": str(_folder(b, 0o500))},
        "/home/.local/share/h2o_magic/conversations.sqlite3: Permission denied",
    ),
    "home that cannot be made": (
        lambda b: {"HOME": str(_folder(b, 0o500) / "ann")},
        "/home/ann/.local/share/h2o_magic/conversations.sqlite3: Permission denied",
    ),
    "home that is a file": (lambda b: {"HOME": str(_file(b))}, "Not a directory"),
    "no home": (lambda _: {}, "the home folder is not known"),
    "home that is no path": (lambda _: {"HOME": "ann"}, "the home folder is not known"),
    "nobody's home": (
        lambda b: {"HOME": str(b), "H2O_MAGIC_HOME": "~no-such-user/chat"},
        "~no-such-user/chat/conversations.sqlite3: the home folder is not known",
    ),
    "places of the platform": (_xdg, "/home/x/h2o_magic/conversations.sqlite3: Perm"),
    "folder that is closed": (
        lambda b: {"H2O_MAGIC_HOME": str(_folder(b, 0))},
        "/home/conversations.sqlite3: Permission denied",
    ),
    "link to itself": (
        lambda b: {"H2O_MAGIC_HOME": str(_loop(b))},
        "/loop/conversations.sqlite3: Too many levels of symbolic links",
    ),
    "name that is too long": (
        lambda b: {"H2O_MAGIC_HOME": str(b / ("x" * 300))},
        "conversations.sqlite3: File name too long",
    ),
    "path that is too long": (
        lambda b: {"H2O_MAGIC_HOME": str(b / ("x/" * 3000))},
        "conversations.sqlite3: File name too long",
    ),
}

Said = list[tuple[str, str, str]]


def _run_cells(url: str, notebook: Path) -> Said:
    """Run the cells in a new shell; return each with its output and its errors."""
    found: Said = []
    with ipython() as shell:
        request = {"header": {"msg_id": ""}, "metadata": {"cellId": ""}}
        shell.kernel = type("Kernel", (), {"get_parent": lambda *_: request})()  # type: ignore[attr-defined]
        os.environ["JPY_SESSION_NAME"] = str(notebook)
        for number, cell in enumerate(CELLS):
            request["header"]["msg_id"] = str(number)
            request["metadata"]["cellId"] = f"cell {number}"
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                shell.run_cell(cell.format(url=url), cell_id=f"cell {number}")
            found.append((cell, out.getvalue(), err.getvalue()))
        h2o_magic.unload_ipython_extension(shell)
    return found


def _be_nobody(pipe: Connection, base: Path, url: str) -> None:
    """Be a kernel in each place, of a user without an entry and without rights."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    give_up_privileges()
    pwd.getpwuid = unknown  # type: ignore[assignment]
    for name in [n for n in os.environ if n.startswith(("H2O_MAGIC", "XDG", "HOME"))]:
        del os.environ[name]
    before = {**os.environ, "IPYTHONDIR": str(base / "ipython")}
    while True:
        name = pipe.recv()
        folder = base / name
        folder.mkdir()
        os.environ.clear()
        os.environ.update(before | PLACES[name][0](folder))
        pipe.send(_run_cells(url, folder / "chat.ipynb"))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Said]]:
    """Returns what all cells say in a place."""
    base = tmp_path_factory.mktemp("places")
    mine, other = PROCESSES.Pipe()

    @cache
    def ask(place: str) -> Said:
        mine.send(place)
        found: Said = mine.recv()
        return found

    with stand_in() as server:
        process = PROCESSES.Process(target=_be_nobody, args=(other, base, server.url))
        process.start()
        yield ask
        process.kill()
        process.join()


#: One of each kind; the others are for the night.
SOME = ("home of another user", "no home", "nobody's home", "name that is too long")
EACH = pytest.mark.parametrize(
    "place",
    [p if p in SOME else pytest.param(p, marks=pytest.mark.nightly) for p in PLACES],
)


@EACH
def test_where_nothing_can_be_kept_all_goes_on_in_memory(
    place: str, said: Callable[[str], Said]
) -> None:
    outputs = {cell: out for cell, out, _ in said(place)}
    assert "Traceback" not in str(said(place))
    assert outputs["%%h2o\nhello"].count("Hello world") == 1
    assert outputs["%%h2o --model fast\nhello again"].count("Hello world") == 1
    assert "hello" in outputs["%h2o history"]
    assert "llama-13b" in outputs["%h2o alias"]
    assert "mine" in outputs["%h2o preset"]
    assert "127.0.0.1" in outputs["%h2o connect"]
    assert "2 turns, 2 of them complete" in outputs["%h2o status"]


@EACH
def test_one_line_says_which_folder_and_why_and_what_to_do(
    place: str, said: Callable[[str], Said]
) -> None:
    (line,) = "".join(err for _, _, err in said(place)).splitlines()
    assert line.startswith("h2o_magic: cannot save the conversation in /")
    assert PLACES[place][1] in line
    assert "set H2O_MAGIC_HOME to another folder" in line


def test_a_folder_that_may_hold_a_conversation_is_told_of_at_once(
    said: Callable[[str], Said],
) -> None:
    cell, _, err = said("home of another user")[0]
    assert (cell, err.count("\n")) == ("%load_ext h2o_magic", 1)
