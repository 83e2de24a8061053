"""Processes that are killed while they write leave every answer whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from h2o_magic.backends.replay.entry import StoredAnswer
from h2o_magic.backends.replay.folder import AnswerFolder
from tests.backends.replay import writer


@contextmanager
def writing(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a process whose children write into a folder."""
    command = [sys.executable, "-m", writer.__name__, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, bufsize=1, **pipes) as process:  # type: ignore[call-overload]
        yield process
        process.stdin.close()


def killed(process: subprocess.Popen[str], first: int, dice: random.Random) -> int:
    """Kill a child in the midst of its writing; return the last number it has kept."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{first}\n")
    child = int(process.stdout.readline())
    for _ in range(dice.randrange(6)):
        first = 1 + int(process.stdout.readline())
    threading.Event().wait(dice.random() * 0.004)
    os.kill(child, signal.SIGKILL)
    for said in iter(process.stdout.readline, "dead\n"):
        first = 1 + int(said)
    return first - 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
@pytest.mark.parametrize("times", [10, pytest.param(100, marks=pytest.mark.nightly)])
def test_a_process_that_is_killed_leaves_each_answer_whole(
    tmp_path: Path, times: int
) -> None:
    folder, dice, last = AnswerFolder(tmp_path / "answers"), random.Random(times), -1
    with writing(folder.path) as process:
        for _ in range(times):
            last = killed(process, last + 1, dice)
    assert last > times
    found = set()
    for key in folder.keys():  # noqa: SIM118 - it is no mapping
        answer = StoredAnswer.of_json(folder.read(key) or {}, key)
        number = answer.request["n"]
        assert (key, answer.as_json(key)) == writer.entry(number)
        assert last - writer.KEYS < number <= last + times
        found.add(number % writer.KEYS)
    assert len(found) == min(last + 1, writer.KEYS)
    whole = [path for path in folder.files() if path.suffix != ".tmp"]
    assert all(path.read_bytes().count(b"\n") == 1 for path in whole)
