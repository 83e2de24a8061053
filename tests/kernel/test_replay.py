"""A notebook of fifty answers that answers itself: without a request, byte for byte."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from h2o_magic.conversation.record import Record
from tests.backends.scripted import ScriptedServer
from tests.kernel.conftest import Notebook, running_kernel
from tests.kernel.fifty_answers import ANSWERS, notebook, serving
from tests.kernel.forked import forked_kernels
from tests.stand_in import StandIn, stand_in

ROOT = Path(__file__).parents[2]
#: The footer of an answer, in Markdown and in plain text.
_FOOTER = re.compile(r"<sub>[^\n]*</sub>|\n\[[^\n]*\]\n?$")
_NOT_ASKED = " As stored in answers/: the server was not asked."


#: The keys of some questions begin so. If one changes, so do those of users' questions:
#: their folders have no answers to these any more.
KEYS = {
    "What is a replay?": "3d7663ae7cd5",
    "Third idea?": "f225caf5d64a",
    "Which city is {best.name}?": "b780d86eb51e",
    "Give me a table.": "a35fcd34a322",
    "The data are {df}, the words are {words}, {settings} and so on.": "26a26293a6d0",
    "What are {plain}?": "a5a244975715",
    "What is on {picture}?": "3e4235aa4259",
    "Briefly?": "d4b7323ba408",
    "With more?": "5c9932d5fb81",
}


class Servers:
    """Both servers of the notebook, which count everything that they are asked."""

    def __init__(self, chat: ScriptedServer, gptgm: StandIn) -> None:
        self._chat, self._gptgm = chat, gptgm
        self.notebook = notebook(chat.url, gptgm.url)

    @property
    def requests(self) -> int:
        return len(self._chat.requests) + len(self._gptgm.requests)

    def close(self) -> None:
        """Have the server that answers nearly all refuse connections."""
        self._chat.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the notebook, with the files that it attaches."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    Image.new("RGB", (40, 30), (0, 0, 255)).save(folder / "figure.png")
    (folder / "notes.txt").write_text("Some notes.\n" * 5)
    return folder


@pytest.fixture
def servers() -> Iterator[Servers]:
    with serving() as chat, stand_in() as gptgm:
        yield Servers(chat, gptgm)


def run_all(
    made: NotebookNode,
    folder: Path,
    home: str,
    *,
    forked: bool = True,
    errors: bool = False,
    kernel: str = "python3",
    **environ: str,
) -> str:
    """Run a notebook in a new kernel, and return it as it is saved."""
    ran = deepcopy(made)
    client = NotebookClient(
        ran,
        timeout=120,
        kernel_name=kernel,
        resources={"metadata": {"path": str(folder)}},
        allow_errors=errors,
        record_timing=False,
        coalesce_streams=True,  # what is printed comes in pieces, by a clock
    )
    home = str(folder.parent / home)
    with forked_kernels() if forked else nullcontext():
        client.execute(env={**os.environ, "H2O_MAGIC_HOME": home, **environ})
    ran.metadata.pop("language_info")  # which interpreter ran it
    return str(nbformat.writes(ran))


def without_footers(ran: str) -> str:
    """Return a saved notebook without what says whether it was replayed."""
    made = nbformat.reads(ran, as_version=4)
    for output in (output for cell in made.cells for output in cell.outputs):
        output.get("metadata", {}).get("h2o_magic", {}).pop("first_answered", None)
        for kind, text in output.get("data", {}).items():
            if isinstance(text, str):
                output.data[kind] = _FOOTER.sub("", text).replace(_NOT_ASKED, "")
    return str(nbformat.writes(made))


def facts_of(ran: str) -> dict[str, dict[str, Any]]:
    """Return the facts of the last answer of each cell that shows one."""
    return {
        cell.id: output.metadata.h2o_magic
        for cell in nbformat.reads(ran, as_version=4).cells
        for output in cell.outputs
        if "h2o_magic" in output.get("metadata", {})
    }


def keys_of(ran: str) -> dict[str, str]:
    """Return the beginning of the key of each question that has a cell of its own."""
    facts = facts_of(ran)
    sources = {c.id: c.source for c in nbformat.reads(ran, as_version=4).cells}
    return {
        sources[cell].partition("\n")[2]: known["replay_key"][:12]
        for cell, known in facts.items()
    }


def files(folder: Path) -> dict[Path, int]:
    """Return when each file was written."""
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*.*")}


def clone(folder: Path, name: str) -> Path:
    """Commit a folder, and return a clone of it that is elsewhere."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    target = folder.parent / name / "a clone"
    for command in (
        [*git, "init", "--quiet"],
        [*git, "add", "."],
        [*git, "commit", "--quiet", "--allow-empty", "-m", "Keep answers"],
        [*git, "clone", "--quiet", str(folder), str(target)],
    ):
        subprocess.run(command, cwd=folder, check=True)
    return target


def with_line_ends_of_windows(folder: Path) -> None:
    for file in (*folder.glob("answers/**/*.*"), folder / "notes.txt"):
        if file.is_file():
            file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))


def with_equal_times(folder: Path) -> None:
    for file in folder.rglob("*"):
        os.utime(file, (1_700_000_000, 1_700_000_000))


def test_a_notebook_of_fifty_answers_answers_itself(folder: Path) -> None:
    with serving() as chat, stand_in() as gptgm:
        servers = Servers(chat, gptgm)
        first = run_all(servers.notebook, folder, "home")
        asked = [r for r in chat.requests if r.path == "/v1/chat/completions"]
        assert len(asked) + len(gptgm.asked) == ANSWERS
        before = servers.requests, files(folder)
        second = run_all(servers.notebook, folder, "home")
        assert (servers.requests, files(folder)) == before
    elsewhere = clone(folder, "clones")
    with_line_ends_of_windows(elsewhere)
    with_equal_times(elsewhere)
    only = {"forked": False, "H2O_MAGIC_REPLAY": "only"}
    third = run_all(servers.notebook, elsewhere, "home", **only)  # type: ignore[arg-type]
    assert third == second
    assert without_footers(second) == without_footers(first)
    assert not any(facts["first_answered"] for facts in facts_of(first).values())
    assert all(facts["first_answered"] for facts in facts_of(second).values())
    keys = keys_of(first)
    assert {question: keys[question] for question in KEYS} == KEYS


#: What is done to a clone, and the environment in which it is run.
VARIANTS: dict[str, tuple[Callable[[Path], object], dict[str, str]]] = {
    "the server is gone": (lambda _: None, {}),
    "only": (lambda _: None, {"H2O_MAGIC_REPLAY": "only"}),
    "line ends of Windows": (with_line_ends_of_windows, {}),
    "equal times": (with_equal_times, {}),
    "other hashes": (lambda _: None, {"PYTHONHASHSEED": "7"}),
    "another time zone": (lambda _: None, {"TZ": "Pacific/Kiritimati"}),
    "another language": (lambda _: None, {"LC_ALL": "C", "PYTHONUTF8": "0"}),
}


@pytest.fixture
def replayed(folder: Path, servers: Servers) -> str:
    """The notebook as it is saved after it was asked once, and replayed."""
    run_all(servers.notebook, folder, "home")
    return run_all(servers.notebook, folder, "home")


@pytest.mark.nightly
def test_nothing_around_the_notebook_changes_what_it_shows(
    folder: Path, servers: Servers, replayed: str
) -> None:
    servers.close()
    before = servers.requests
    for number, (name, (change, environ)) in enumerate(VARIANTS.items()):
        elsewhere = clone(folder, f"clone {number}")
        change(elsewhere)
        ran = run_all(servers.notebook, elsewhere, "home", forked=False, **environ)
        assert ran == replayed, name
    assert servers.requests == before


@pytest.mark.nightly
def test_what_was_asked_anew_is_what_is_replayed_later(
    folder: Path, servers: Servers, replayed: str
) -> None:
    refreshed = run_all(servers.notebook, folder, "home", H2O_MAGIC_REPLAY="refresh")
    assert without_footers(refreshed) != without_footers(replayed)
    before = servers.requests
    again = run_all(servers.notebook, folder, "home")
    assert without_footers(again) == without_footers(refreshed)
    assert servers.requests == before


@pytest.mark.nightly
@pytest.mark.parametrize("version", range(10, 15))
def test_another_python_shows_the_same(
    folder: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
) -> None:
    python = shutil.which(f"python3.{version}")
    needed = "import ipykernel, ipywidgets, requests, pandas, PIL, h2o_magic.ipython"
    environ = {"PYTHONPATH": str(ROOT)}
    trial = [python or "python", "-c", needed]
    if not python or subprocess.run(trial, env=environ, check=False).returncode:
        pytest.skip(f"no Python 3.{version} with what this package needs")
    spec = folder.parent / "kernels/other/kernel.json"
    spec.parent.mkdir(parents=True)
    start = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": start, "display_name": "", "language": ""}))
    monkeypatch.setenv("JUPYTER_PATH", str(folder.parent))
    replayed, servers = (request.getfixturevalue(n) for n in ("replayed", "servers"))
    made = servers.notebook
    ran = run_all(made, folder, "other", forked=False, kernel="other", **environ)
    assert ran == replayed


def shown(kernel: Notebook, made: NotebookNode) -> list[list[dict[str, Any]]]:
    """Run the cells as JupyterLab does, and return what each one shows at its end."""
    return [kernel.run(cell.source, cell.id).outputs for cell in made.cells]


def kept(home: Path, path: Path) -> dict[str, Any]:
    """Return the turns of all threads, with the versions of each."""
    record = Record(home / "conversations.sqlite3", f"file:{path}")
    kept = {}
    for thread in record.threads():
        turns = record.turns(thread.name)
        kept[thread.name] = [(t, record.versions(thread.name, t.number)) for t in turns]
    record.close()
    return kept


def test_restarted_and_run_again_in_jupyterlab_the_conversation_is_the_same(
    folder: Path, home: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    path = folder / "n.ipynb"
    made = servers.notebook
    made.cells.append(new_code_cell("%h2o history --last 100", id="history"))
    seen = []
    for _ in range(2):
        with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
            outputs = shown(kernel, made)
        seen.append((servers.requests, kept(home, path), outputs[-1]))
    assert seen[1] == seen[0]
    turns = [turn for kept in seen[0][1].values() for turn, _ in kept]
    assert len(turns) == 42
    assert not any(turn.outdated for turn in turns)
    versions = [versions for kept in seen[0][1].values() for _, versions in kept]
    assert {len(each.turns) for each in versions} == {1}


def small(server: str, *cells: str) -> NotebookNode:
    """Return a notebook of a few cells that stores its answers."""
    begin = "%load_ext h2o_magic\n%config H2OMagics.replay = 'answers/'\n%cd -q /"
    texts = [begin, f"%h2o connect {server} --name lab", *cells]
    made = [new_code_cell(text, id=f"c{n}") for n, text in enumerate(texts)]
    return new_notebook(cells=made)


ASIDE = "%%h2o --no-history\nHow many lived here in {}?"
LINES = (ASIDE.format(2023), "%%h2o\nFirst?", "%%h2o\nSecond?", "%%h2o\nThird?")


def test_only_what_was_changed_fails_in_only_and_is_asked_in_on(folder: Path) -> None:
    only = {"H2O_MAGIC_REPLAY": "only"}
    with serving() as chat:
        first = run_all(small(chat.url, *LINES), folder, "home")
        asked = len(chat.requests)
        changed = small(chat.url, ASIDE.format(2024), *LINES[1:])
        ran = run_all(changed, folder, "home", errors=True, **only)
        before, cells = (
            json.loads(without_footers(each))["cells"] for each in (first, ran)
        )
        assert cells[3:] == before[3:]
        (failed,) = cells[2]["outputs"]
        assert re.search("was .*2023.*now .*2024", failed["text"][0])
        with pytest.raises(CellExecutionError, match=r"the prompt \(was"):
            run_all(changed, folder, "home", **only)
        assert len(chat.requests) == asked
        changed.cells[4].source = "%%h2o\nSecond one?"
        ran = run_all(changed, folder, "home")
        # The answer that changed was read by the question that follows.
        later = chat.requests[asked:]
        questions = [each.json["messages"][-1] for each in later if each.body]
        assert len(later) - len(questions) <= 1  # whether the default model is there
        assert [each["content"].split()[0] for each in questions] == [
            "How",
            "Second",
            "Third?",
        ]
    aside, kept, second, third = (known["notes"] for known in facts_of(ran).values())
    assert re.search("asked again: .*2023.*2024", str(aside))
    assert kept == []
    assert "Second one" in second[0]
    assert "an earlier question" in third[0]


CELL = "%%h2o\nWhat is a replay?"


def test_a_replay_comes_as_it_first_came_and_can_be_stopped(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    path = folder / "n.ipynb"
    with serving() as chat, running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        shown(kernel, small(chat.url, CELL))
        pause_after_one_piece(folder)
        requests = len(chat.requests)
        whole = kernel.run(CELL, "c2").markdown
        asked = kernel.start(CELL.replace("\n", " --replay-speed 1\n"), "c2")
        seen = kernel.read(asked, lambda run: "**Answer 1**" in str(run.outputs))
        kernel.manager.interrupt_kernel()
        run = kernel.finish(asked, seen)
        assert run.status == "error"
        answer, _ = run.outputs
        assert "\n\n<sub>■ stopped" in answer["data"]["text/markdown"]
        ((turn, _),) = kept(home, path)["main"]
        assert (turn.status, len(turn.answer)) == ("stopped", 40)
        assert kernel.run(CELL, "c2").markdown == whole
        ((turn, _),) = kept(home, path)["main"]
        assert turn.status == "complete"
        assert len(chat.requests) == requests


def pause_after_one_piece(folder: Path) -> None:
    """Have the stored answer's second piece come an hour after the first."""
    for file in folder.glob("answers/??/*.json"):
        entry = json.loads(file.read_bytes())
        if entry["kind"] == "answer":
            (_, first), *others = entry["pieces"]
            entry["pieces"] = [[0, first], *([3_600_000, size] for _, size in others)]
            entry["seconds"] = 3600
            file.write_text(json.dumps(entry))
