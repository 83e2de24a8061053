"""Folders of answers in git: branches that add some merge, and clones are the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.entry import Learned, StoredAnswer
from h2o_magic.backends.replay.folder import AnswerFolder
from h2o_magic.backends.replay.key import digest, key_of
from h2o_magic.chat.events import Finished, TextDelta
from h2o_magic.chat.messages import user
from tests.backends.replay.inner import Inner, around

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")

FACT = Learned("context", "lab", "m")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "repository"
    path.mkdir()
    git(path, "init", "--initial-branch=main")
    return path


def git(path: Path, *words: str) -> str:
    who = dict.fromkeys(("AUTHOR_NAME", "AUTHOR_EMAIL"), "x@example.org")
    who |= dict.fromkeys(("COMMITTER_NAME", "COMMITTER_EMAIL"), "x@example.org")
    who = {f"GIT_{name}": value for name, value in who.items()}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", "-C", str(path), *words],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **who, **alone},
    ).stdout


def commit(path: Path) -> None:
    git(path, "add", "--all")
    git(path, "commit", "--message=answers")


def asked(name: str) -> ChatRequest:
    return ChatRequest("m", (user(name),))


def ask(path: Path, name: str, answer: str) -> None:
    inner = Inner(TextDelta(answer), Finished(answer))
    list(around(inner, path / "answers", "refresh").stream(asked(name)))


def answered(path: Path, name: str) -> str:
    (*_, end) = around(Inner(), path / "answers", "only").stream(asked(name))
    assert isinstance(end, Finished)
    return end.text


def learn(path: Path, value: int) -> None:
    fact = Learned(FACT.what, FACT.server, FACT.model, value)
    AnswerFolder(path / "answers").write(digest(FACT), fact.as_json(digest(FACT)))


def merged(repository: Path) -> None:
    """Make two branches with twenty answers each, and merge them."""
    for branch, size in (("one", 4096), ("two", 8192)):
        git(repository, "checkout", "-b", branch, "main")
        for n in range(20):
            ask(repository, f"{branch} {n}", f"{branch} says {n}\nin lines")
        ask(repository, "both", f"{branch} has changed it")
        ask(repository, "new in both", f"{branch} was first")
        learn(repository, size)
        commit(repository)
    git(repository, "merge", "--no-edit", "one")


@pytest.fixture
def whole(repository: Path) -> Path:
    ask(repository, "both", "as it was")
    ask(repository, "before", "as it is")
    commit(repository)
    merged(repository)
    return repository


def test_branches_that_add_answers_merge_without_a_conflict(whole: Path) -> None:
    assert git(whole, "status", "--porcelain") == ""
    for branch in ("one", "two"):
        for n in range(20):
            assert answered(whole, f"{branch} {n}") == f"{branch} says {n}\nin lines"
    assert answered(whole, "before") == "as it is"
    # Both lines are there; the first counts, and is one of the two.
    assert answered(whole, "both") == "two has changed it"
    assert answered(whole, "new in both") == "two was first"
    folder = AnswerFolder(whole / "answers")
    fact = Learned.of_json(folder.read(digest(FACT)) or {}, digest(FACT))
    assert fact.value == 8192
    assert folder.file(digest(FACT)).read_bytes().count(b"\n") == 2
    assert len(list(folder.keys())) == 40 + 4
    for key in folder.keys():  # noqa: SIM118 - it is no mapping
        if key != digest(FACT):
            StoredAnswer.of_json(folder.read(key) or {}, key)


def test_an_answer_that_was_merged_is_one_line_again_when_it_is_asked_again(
    whole: Path,
) -> None:
    ask(whole, "both", "newer")
    file = AnswerFolder(whole / "answers").file(key_of(asked("both"), "lab"))
    assert file.read_bytes().count(b"\n") == 1
    assert answered(whole, "both") == "newer"


def test_a_clone_has_the_same_bytes_whatever_line_ends_git_makes(
    repository: Path, tmp_path: Path
) -> None:
    ask(repository, "before", "in\r\nlines\n")
    commit(repository)
    (file,) = AnswerFolder(repository / "answers").files()
    for crlf in ("true", "input", "false"):
        git(tmp_path, "clone", f"--config=core.autocrlf={crlf}", str(repository), crlf)
        (clone,) = AnswerFolder(tmp_path / crlf / "answers").files()
        assert clone.read_bytes() == file.read_bytes()
        assert answered(tmp_path / crlf, "before") == "in\r\nlines\n"


def test_what_a_killed_process_leaves_is_not_committed(repository: Path) -> None:
    ask(repository, "before", "as it is")
    file = AnswerFolder(repository / "answers").file(key_of(asked("before"), "lab"))
    file.with_name(f"{file.stem[:16]}-00.tmp").write_text("ha")
    commit(repository)
    assert ".tmp" not in git(repository, "ls-files")
    assert git(repository, "status", "--porcelain") == ""


def test_other_files_in_a_folder_of_answers_are_merged_as_ever(
    repository: Path,
) -> None:
    notebook = repository / "answers" / "notebook.ipynb"
    ask(repository, "before", "as it is")
    notebook.write_text("1\n")
    commit(repository)
    for branch in ("one", "two"):
        git(repository, "checkout", "-b", branch, "main")
        notebook.write_text(f"{branch}\n")
        commit(repository)
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "--no-edit", "one")
