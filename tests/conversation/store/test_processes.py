"""Kernels that write at once, and kernels that are killed."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest

from h2o_magic.chat.turns import Turn
from h2o_magic.conversation.record import Record
from tests.conversation.store import writers


def questions(path: Path, key: str) -> list[str]:
    record = Record(path, key)
    found = record.turns("main")
    record.close()
    assert all(turn.status == "complete" for turn in found)
    assert [turn.number for turn in found] == [*range(1, len(found) + 1)]
    return [turn.question for turn in found]


def run_together(path: Path, names: Iterable[tuple[str, str]], count: int) -> None:
    with ExitStack() as stack:
        processes = [
            stack.enter_context(writers.start(path, key, name, count))
            for key, name in names
        ]
        for process in processes:
            writers.go(process)
        for process in processes:
            said = writers.end(process)
            assert [line for line in said if line.startswith("trouble")] == []
            assert said[-1] == "end"


def test_two_kernels_on_one_notebook_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    run_together(path, [("notebook", "one"), ("notebook", "two")], 100)
    found = questions(path, "notebook")
    for name in ("one", "two"):
        own = [question for question in found if question.startswith(name)]
        assert own == [f"{name} {i}" for i in range(100)]
    assert len(found) == 200


@pytest.mark.parametrize("count", [5, pytest.param(20, marks=pytest.mark.nightly)])
def test_notebooks_that_write_at_once_lose_nothing(tmp_path: Path, count: int) -> None:
    path = tmp_path / "store.db"
    names = [(f"notebook {n}", f"writer {n}") for n in range(count)]
    run_together(path, names, 15)
    for key, name in names:
        assert questions(path, key) == [f"{name} {i}" for i in range(15)]


@pytest.mark.parametrize("runs", [5, pytest.param(30, marks=pytest.mark.nightly)])
def test_a_killed_kernel_loses_no_finished_turn(tmp_path: Path, runs: int) -> None:
    path = tmp_path / "store.db"
    finished: list[str] = []
    dice = random.Random(3)
    for run in range(runs):
        process = writers.start(path, "notebook", f"run {run}", 100_000)
        writers.go(process)
        assert process.stdout is not None
        for _ in range(dice.randrange(12)):
            finished.append(process.stdout.readline().rstrip().split(" ", 2)[2])
        threading.Event().wait(dice.random() * 0.01)  # not only between two turns
        process.kill()
        said = process.stdout.read()  # what the killed process had still acknowledged
        whole = said.splitlines()[: said.count("\n")]
        finished.extend(line.split(" ", 2)[2] for line in whole)
        process.communicate()
    record = Record(path, "notebook")
    kept = {turn.question: turn for turn in record.turns("main")}
    record.close()
    assert len(finished) > runs
    for question in finished:
        i = int(question.split()[-1])
        assert kept[question].status == "complete"
        assert kept[question].answer == f"{question} answered " * (1 + i % 40)
        assert kept[question].facts == {"i": i}
    # At most the one question of each run that was running is not whole.
    assert sum(turn.status != "complete" for turn in kept.values()) <= runs
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_threads_of_one_kernel_can_write_at_once(tmp_path: Path) -> None:
    record = Record(tmp_path / "store.db", "notebook")
    together = threading.Barrier(12)

    def write(name: str) -> None:
        together.wait()
        for i in range(10):
            turn = record.begin("main", Turn(f"{name} {i}", status="incomplete"))
            record.update(turn.id, answer=name, status="complete", facts={"i": i})

    names = [f"t{n}" for n in range(12)]
    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (record.path, record.trouble) == (tmp_path / "store.db", "")
    record.close()
    found = record.turns("main")  # from the file
    record.close()
    assert [turn.number for turn in found] == [*range(1, 121)]
    for name in names:
        own = [(turn.question, turn.facts) for turn in found if turn.answer == name]
        assert own == [(f"{name} {i}", {"i": i}) for i in range(10)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
@pytest.mark.skipif(sys.platform == "darwin", reason="forking is not safe there")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_of_the_kernel_writes_too_and_leaves_its_parent_whole(
    tmp_path: Path,
) -> None:
    record = Record(tmp_path / "store.db", "notebook")
    record.begin("main", Turn("before"))
    child = os.fork()
    if child == 0:
        try:
            record.begin("main", Turn("child"))
            os._exit(0 if record.count("main") == 2 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    record.begin("main", Turn("parent"))
    assert [t.question for t in record.turns("main")] == ["before", "child", "parent"]
    record.close()


OPENER = """
import sys
from pathlib import Path
from h2o_magic.conversation.record import Record

record = Record(Path(sys.argv[1]), sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
print(record.trouble or "opened", flush=True)
"""


@pytest.mark.parametrize("runs", [1, pytest.param(3, marks=pytest.mark.nightly)])
def test_kernels_that_make_the_file_at_once_all_get_it(
    tmp_path: Path, runs: int
) -> None:
    for run in range(runs):
        path = tmp_path / f"folder {run}" / "store.db"
        command = [sys.executable, "-c", OPENER, str(path)]
        with ExitStack() as stack:
            processes = [
                stack.enter_context(
                    subprocess.Popen(
                        [*command, f"notebook {n}"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                for n in range(6)
            ]
            assert {p.stdout and p.stdout.readline() for p in processes} == {"ready\n"}
            for process in processes:
                writers.go(process)
            said = {process.communicate()[0] for process in processes}
        assert said == {"opened\n"}
