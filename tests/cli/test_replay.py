"""``h2o-magic replay``, on folders that a ReplayBackend has filled."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.base import Backend, ChatRequest, ModelInfo
from h2o_magic.backends.replay.backend import ReplayBackend
from h2o_magic.backends.replay.entry import Learned
from h2o_magic.backends.replay.folder import AnswerFolder
from h2o_magic.backends.replay.key import digest, key_of
from h2o_magic.backends.replay.replayed import Replayed
from h2o_magic.backends.servers.connect import Connected
from h2o_magic.chat.events import Event, Finished, Source, TextDelta, Usage
from h2o_magic.chat.messages import system, user
from h2o_magic.cli import main

Capture = pytest.CaptureFixture[str]


class Teller(Backend):
    """A server that says what it was asked."""

    url = "http://gpu:8000"

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        answer = f"About {request.messages[-1].content}"
        yield Source("qwen-7b", "Qwen 7B")
        yield TextDelta(answer)
        yield Usage(12, len(answer))
        yield Finished(answer)

    def models(self) -> list[ModelInfo]:
        return []


class Answers:
    """A folder of answers, made as notebooks make them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = AnswerFolder(path)

    def ask(
        self, question: str, *, server: str = "lab", cell: str = "magic", day: str = ""
    ) -> str:
        """Store the answer to a question; return its key."""
        request = ChatRequest(
            "qwen", (system("Be brief."), user(question)), {"seed": 1}
        )
        replayed = Replayed(self.folder, server, "answers/")
        list(ReplayBackend(Teller, replayed, "on").stream(request))
        key = key_of(request, server)
        self.edit(key, cell=cell, **({"answered": f"{day}T12:00:00Z"} if day else {}))
        return key

    def edit(self, key: str, **values: Any) -> None:
        self.folder.write(key, {**(self.folder.read(key) or {}), **values})

    def learn(self, server: str, what: str = "context", value: object = 4096) -> str:
        """Store a fact about a server; return its key."""
        fact = Learned(what, server, "qwen")
        key = digest(fact)
        self.folder.write(key, {**fact.as_json(key), "value": value})
        return key

    def keys(self) -> set[str]:
        return set(self.folder.keys())


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    return Answers(tmp_path / "my answers")


def notebook(
    path: Path, *keys: str | None, source: str | Sequence[str] = "%%h2o\nWhat?"
) -> Path:
    """Write a notebook with a cell for each key; None is one that was not run."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "metadata": {}, "source": "%%h2o is a magic"},
        _cell("%load_ext h2o_magic", [], None),
        _cell("1 / 0", [{"output_type": "error", "ename": "ZeroDivisionError"}], 2),
    ]
    for key in keys:
        facts = {"model": "qwen", **({"replay_key": key} if key else {})}
        shown = {"output_type": "display_data", "metadata": {"h2o_magic": facts}}
        outputs = [{"output_type": "stream", "text": "hm"}, shown]
        cells.append(_cell(source, outputs if key is not None else [], key and 3))
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}))
    return path


def _cell(source: object, outputs: list[Any], count: object) -> dict[str, Any]:
    made = {"cell_type": "code", "metadata": {}, "execution_count": count or None}
    return {**made, "source": source, "outputs": outputs}


def run(capsys: Capture, *words: str | Path, status: int = 0) -> list[str]:
    """Run the command; return the lines of both its outputs."""
    assert main(["replay", *map(str, words)]) == status
    shown = capsys.readouterr()
    return (shown.out + shown.err).splitlines()


# ls


def test_ls_lists_the_newest_first(answers: Answers, capsys: Capture) -> None:
    old = answers.ask("What is\n  gravity?", day="2026-11-02")
    new = answers.ask("Why? " * 40, day="2026-11-28")
    answers.learn("lab")
    head, *rows = run(capsys, "ls", answers.path)
    assert head.split() == ["key", "day", "model", "tokens", "question"]
    assert rows[0].split()[:4] == [new[:12], "2026-11-28", "qwen-7b", "206"]
    assert rows[0].endswith("Why? Why?…")
    assert rows[1].split("  ")[0] == old[:12]
    assert rows[1].endswith("What is gravity?")
    assert len(rows) == 2


def test_ls_keeps_no_more_than_it_lists(answers: Answers, capsys: Capture) -> None:
    for day in range(1, 6):
        answers.ask(f"Question {day}", day=f"2026-11-0{day}")
    _, *rows, note = run(capsys, "ls", answers.path, "--last", "2")
    assert [row[-1] for row in rows] == ["5", "4"]
    assert note == "2 of 5 answers; --last 0 lists all"
    _, *rows = run(capsys, "ls", answers.path, "--last=0")
    assert "".join(row[-1] for row in rows) == "54321"


def test_ls_counts_what_is_damaged(answers: Answers, capsys: Capture) -> None:
    key = answers.ask("What?")
    answers.folder.file(key).write_text("{")
    _, note = run(capsys, "ls", answers.path)
    assert note == f"1 damaged file: run h2o-magic replay verify '{answers.path}'"


# show


def test_show_shows_all_of_an_answer(answers: Answers, capsys: Capture) -> None:
    key = answers.ask("What is\ngravity?", day="2026-11-02")
    lines = run(capsys, "show", answers.path, key[:7].upper())
    for said in (
        f"key          {key}",
        "server       lab (http://gpu:8000)",
        "model        qwen",
        "answered by  Qwen 7B",
        "tokens       12 read, 22 written",
        "parameters   seed 1",
        "    Be brief.",
        "    What is",
        "    About What is",
        "    gravity?",
    ):
        assert said in lines


def test_show_says_where_a_question_is_cut(answers: Answers, capsys: Capture) -> None:
    key = answers.ask("x" * 2500)
    shown = "\n".join(run(capsys, "show", answers.path, key))
    assert "\nquestion, its first 2,000 characters\n" in shown
    assert f"    About {'x' * 2500}" in shown


def test_show_lets_nothing_steer_the_terminal(
    answers: Answers, capsys: Capture
) -> None:
    key = answers.ask("\x1b[2Jgone")
    answers.edit(key, url="\x1b[31m\nkey", usage=None, source=None)
    for command in (["ls"], ["show", key]):
        words = [command[0], str(answers.path), *command[1:]]
        assert "\x1b" not in "\n".join(run(capsys, *words))


def test_show_shows_what_was_learned(answers: Answers, capsys: Capture) -> None:
    key = answers.learn("lab")
    assert "context      4096" in run(capsys, "show", answers.path, key[:5])


def test_a_prefix_must_name_one_key(answers: Answers, capsys: Capture) -> None:
    for digits in ("1" * 20, "12", "12a", "13"):
        answers.folder.write(f"{digits:f<64}", {})
    (line_,) = run(capsys, "show", answers.path, "1", status=2)
    assert line_ == (
        "several keys begin with '1': 111111111111, 12afffffffff, ...; give more of "
        "its digits"
    )
    for prefix in ("2", "x", "..", ""):
        (line_,) = run(capsys, "show", answers.path, prefix, status=2)
        assert line_ == f"no key in {answers.path} begins with {prefix!r}"
    (line_,) = run(capsys, "show", answers.path, "12f", status=2)
    assert "is damaged: it was written by another version" in line_


# verify


def test_verify_is_content_with_what_is_stored(
    answers: Answers, capsys: Capture
) -> None:
    for number in range(3):
        answers.ask(f"Question {number}")
    answers.learn("lab")
    (answers.path / ".DS_Store").touch()
    (said,) = run(capsys, "verify", answers.path)
    assert said == "3 answers, 1 fact about servers: no problems"


def test_verify_names_each_file_that_is_wrong(
    answers: Answers, capsys: Capture
) -> None:
    good = answers.ask("Good")
    entry = answers.folder.read(good) or {}
    wrong: dict[str, tuple[object, str]] = {
        "1": ("<<<<<<< ours\n", "not valid JSON"),
        "2": ([], "not a JSON object"),
        "3": ({**entry, "version": 9}, "it was written by another version"),
        "4": (entry, "its key is not the one of its name"),
        "5": ({**entry, "pieces": [[0, 1]]}, "do not add up to its text"),
        "6": ({**entry, "pieces": [[0, 1e999]]}, "not an answer"),
        "7": ({**entry, "kind": "song"}, "expected an entry of kind 'answer'"),
        "8": ({**entry, "usage": {"completion_tokens": "many"}}, "not an answer"),
        "9": ({"version": 1, "kind": "learned"}, "'what' is missing"),
        "0": (Learned("cut", "lab").as_json(""), "not the one of its server"),
    }
    for digit, (content, _) in wrong.items():
        place = answers.folder.file(digit * 64)
        place.parent.mkdir()
        own = {"key": digit * 64} if digit != "4" else {}
        made = {**content, **own} if isinstance(content, dict) else content
        place.write_text(made if isinstance(made, str) else json.dumps(made))
    (answers.path / "README.md").touch()
    answers.folder.file("a" * 64).parent.mkdir()
    answers.folder.file("a" * 64).symlink_to(answers.folder.file(good))
    (answers.path / "ab").mkdir(exist_ok=True)
    (answers.path / "ab" / f"{good}.json").touch()
    (answers.path / "bb").symlink_to("ab")
    (answers.path / ".gitattributes").unlink()
    *lines, last = run(capsys, "verify", answers.path, status=1)
    assert last == "1 answer, 0 facts about servers: 15 problems"
    assert lines[0].startswith(".gitattributes: missing")
    assert "README.md: not an entry" in lines
    assert "bb: not an entry" in lines
    assert f"ab/{good}.json: not an entry" in lines
    wrong["a"] = ("", "not a plain file")
    for digit, (_, why) in wrong.items():
        (said,) = [each for each in lines if each.startswith(f"{digit * 2}/")]
        assert why in said


def test_what_a_merge_and_a_killed_write_leave_is_only_noted(
    answers: Answers, capsys: Capture
) -> None:
    place = answers.folder.file(answers.ask("Twice"))
    place.write_bytes(place.read_bytes().replace(b"\n", b"\r\n") * 2)
    (place.parent / "0123-45.tmp").touch()
    *notes, last = run(capsys, "verify", answers.path)
    assert sorted(note.split(": ", 1)[1] for note in notes) == [
        "note: 1 more line behind the first, as git merges leave; unused",
        "note: left by a write that did not end; `h2o-magic replay prune` removes it",
    ]
    assert last == "1 answer, 0 facts about servers: 2 notes"


def test_an_answer_that_an_editor_has_formatted_is_only_noted(
    answers: Answers, capsys: Capture
) -> None:
    place = answers.folder.file(answers.ask("Formatted"))
    place.write_text(json.dumps(json.loads(place.read_bytes()), indent=2))
    note, last = run(capsys, "verify", answers.path)
    assert note.endswith(".json: note: was formatted: expected one line")
    assert last == "1 answer, 0 facts about servers: 1 note"


@pytest.mark.parametrize("action", [["ls"], ["show", "a"], ["verify"], ["prune", "n"]])
def test_a_folder_that_is_missing_is_one_line(
    action: list[str], tmp_path: Path, capsys: Capture
) -> None:
    name, *rest = action
    (said,) = run(capsys, name, tmp_path / "none", *rest, status=2)
    assert said == (
        f"expected a folder of answers, got {tmp_path / 'none'}, which does not exist"
    )
    (tmp_path / "file").touch()
    (said,) = run(capsys, name, tmp_path / "file", *rest, status=2)
    assert said == f"expected a folder of answers, got the file {tmp_path / 'file'}"


# prune


def test_prune_leaves_what_cells_and_python_use(
    answers: Answers, tmp_path: Path, capsys: Capture
) -> None:
    used, also, python = (
        answers.ask("Used"),
        answers.ask("Also"),
        answers.ask("In Python", cell=""),
    )
    old, other = answers.ask("Old"), answers.ask("Other", server="there")
    fact, unused_fact = answers.learn("lab"), answers.learn("there")
    connected = asdict(Connected("lab", "http://gpu:8000"))
    connection = answers.learn("http://gpu:8000", "connection", connected)
    books = [
        notebook(tmp_path / "a b.ipynb", used, source=["%%h2o --seed 1\n", "Used"]),
        notebook(tmp_path / "c.ipynb", also, ""),
    ]
    before = answers.keys()
    *lines, last = run(capsys, "prune", answers.path, "--dry-run", *books)
    assert answers.keys() == before
    assert f"would remove {old[:12]}  Old" in lines
    assert last.startswith("would remove 2 answers, 1 fact about servers (")
    *lines, last = run(capsys, "prune", answers.path, *books)
    assert sorted(lines) == sorted(
        [
            f"removing {old[:12]}  Old",
            f"removing {other[:12]}  Other",
            f"removing {unused_fact[:2]}/{unused_fact}.json",
        ]
    )
    assert last.endswith("; kept 2 answers, 1 that no cell asked (--all removes them)")
    assert answers.keys() == {used, also, python, fact, connection}
    assert not answers.folder.file(unused_fact).parent.exists()
    run(capsys, "prune", answers.path, "--all", *books)
    assert answers.keys() == {used, also, fact, connection}


def test_prune_leaves_what_it_cannot_read_and_what_is_being_written(
    answers: Answers, tmp_path: Path, capsys: Capture
) -> None:
    book = notebook(tmp_path / "n.ipynb", answers.ask("Used"))
    damaged = answers.folder.file(answers.ask("Damaged"))
    damaged.write_text("{")
    new, old = (damaged.parent / f"{name}.tmp" for name in ("new", "old"))
    new.touch()
    old.touch()
    os.utime(old, (1, 1))
    *_, last = run(capsys, "prune", answers.path, book)
    assert last == (
        "removed 0 answers, 1 leftover file (0 bytes); kept 1 answer, 1 damaged file"
    )
    assert damaged.exists()
    assert new.exists()
    assert not old.exists()


def test_prune_says_what_the_notebooks_lack(
    answers: Answers, tmp_path: Path, capsys: Capture
) -> None:
    book = notebook(tmp_path / "n.ipynb", answers.ask("Used"), "a" * 64, "no key")
    assert run(capsys, "prune", answers.path, book)[-1] == (
        f"1 answer of the notebooks: not in {answers.path}"
    )


def test_prune_removes_nothing_for_a_notebook_that_was_not_run(
    answers: Answers, tmp_path: Path, capsys: Capture
) -> None:
    key = answers.ask("Used")
    answers.ask("Old")
    run_, cleared = (tmp_path / f"{name}.ipynb" for name in ("run", "cleared"))
    notebook(run_, key)
    notebook(cleared, key, None)
    before = answers.keys()
    (said,) = run(capsys, "prune", answers.path, run_, cleared, status=2)
    assert said.startswith(f"{cleared}: cell 5 has no output, so it is not known")
    assert answers.keys() == before


def test_prune_removes_nothing_for_notebooks_of_another_folder(
    answers: Answers, tmp_path: Path, capsys: Capture
) -> None:
    answers.ask("Old")
    before = answers.keys()
    for keys in ((), ("a" * 64,), ("",)):
        book = notebook(tmp_path / "n.ipynb", *keys)
        (said,) = run(capsys, "prune", answers.path, "--all", book, status=2)
        assert said.startswith("the notebooks show no answer that is in")
    assert answers.keys() == before


@pytest.mark.parametrize("content", [None, "", "# %%h2o", "[]", '{"cells": [1]}'])
def test_what_is_no_notebook_is_one_line(
    content: str | None, answers: Answers, tmp_path: Path, capsys: Capture
) -> None:
    answers.ask("Old")
    book = tmp_path / "script.py"
    if content is not None:
        book.write_text(content)
    (said,) = run(capsys, "prune", answers.path, book, status=2)
    assert said in (
        f"cannot read {book}: No such file or directory",
        f"expected a Jupyter notebook (.ipynb), got {book}",
    )
    assert len(answers.keys()) == 1


def test_prune_without_a_notebook_says_what_it_needs(
    answers: Answers, capsys: Capture
) -> None:
    answers.ask("Old")
    with pytest.raises(SystemExit):
        main(["replay", "prune", str(answers.path)])
    assert "the following arguments are required: NOTEBOOK" in capsys.readouterr().err
    assert len(answers.keys()) == 1


def test_answers_of_earlier_versions_count_as_asked_by_no_cell(
    answers: Answers, tmp_path: Path, capsys: Capture
) -> None:
    used, old = answers.ask("Used"), answers.ask("Old")
    entry = answers.folder.read(old) or {}
    del entry["cell"]
    answers.folder.write(old, entry)
    run(capsys, "prune", answers.path, notebook(tmp_path / "n.ipynb", used))
    assert answers.keys() == {old, used}


def test_memory_holds_one_answer_at_a_time(
    answers: Answers, tmp_path: Path, capsys: Capture
) -> None:
    used = answers.ask("Used")
    for number in range(20):
        key = answers.ask(f"Question {number}")
        text = "x" * 200_000
        answers.edit(key, text=text, pieces=[[0, len(text)]])
    book = notebook(tmp_path / "n.ipynb", used)
    tracemalloc.start()
    try:
        for words in (["ls"], ["show", used], ["verify"], ["prune", book]):
            run(capsys, words[0], answers.path, *words[1:])
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
