"""Cells and answers in the background, side by side in a real kernel."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from h2o_magic.chat.turns import Turn
from h2o_magic.conversation.record import Record
from tests.by_question import ENDLESS, Steps, answering
from tests.kernel.conftest import Notebook, running_kernel

LOAD = """
%load_ext h2o_magic
%config H2OMagics.server = '{url}'
import h2o_magic
session = h2o_magic.session()
"""


@contextmanager
def chatting(
    answers: dict[str, Steps], path: Path
) -> Iterator[tuple[Notebook, Record]]:
    """Run a notebook's kernel, and look at its record from outside."""
    home = Path(os.environ["H2O_MAGIC_HOME"])
    with (
        answering(answers) as server,
        running_kernel(JPY_SESSION_NAME=str(path)) as kernel,
    ):
        assert kernel.run(LOAD.format(url=server.url), "load").status == "ok"
        yield kernel, Record(home / "conversations.sqlite3", f"file:{path}")


def wait_for(record: Record, answer: str, thread: str = "main") -> Turn:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        for turn in record.turns(thread):
            if turn.answer == answer:
                return turn
        time.sleep(0.02)
    raise AssertionError(f"{answer!r} is not among {record.turns(thread)}")


@pytest.mark.usefixtures("home")
def test_an_interrupt_stops_the_cells_answer_and_no_other(tmp_path: Path) -> None:
    gate = threading.Event()
    answers: dict[str, Steps] = {
        "aside": ["Once", gate, " more"],
        "cell": ["Half", ENDLESS],
    }
    with chatting(answers, tmp_path / "a.ipynb") as (kernel, record):
        kernel.run("asked = session.ask_later('aside', thread='aside')")
        wait_for(record, "Once", "aside")
        request = kernel.start("%%h2o\ncell", "c1")
        seen = kernel.read(
            request, lambda r: any("Half" in str(o["data"]) for o in r.outputs)
        )
        kernel.manager.interrupt_kernel()
        run = kernel.finish(request, seen)
        assert run.outputs[0]["metadata"]["h2o_magic"]["status"] == "stopped"
        assert kernel.run("assert not asked.ended").status == "ok"
        gate.set()
        assert kernel.run("assert asked.wait(30) and not asked.error").status == "ok"
        (turn,) = record.turns("aside")
        assert (turn.answer, turn.status) == ("Once more", "complete")


@pytest.mark.usefixtures("home")
def test_a_cell_says_that_it_waits_and_then_follows_on_the_answer(
    tmp_path: Path,
) -> None:
    gate = threading.Event()
    with chatting({"aside": ["Once", gate]}, tmp_path / "a.ipynb") as (kernel, record):
        kernel.run("asked = session.ask_later('aside')")
        wait_for(record, "Once")
        request = kernel.start("%%h2o\nthen?", "c1")
        seen = kernel.read(
            request,
            lambda r: any(
                "Waiting for the answer before it" in str(o["data"]) for o in r.outputs
            ),
        )
        gate.set()
        run = kernel.finish(request, seen)
        assert run.markdown.startswith("re: then?")
        assert run.facts["sent_turns"] == 1


@pytest.mark.usefixtures("home")
def test_an_interrupt_while_a_cell_waits_asks_nothing_and_blocks_nobody(
    tmp_path: Path,
) -> None:
    gate = threading.Event()
    with chatting({"aside": ["Once", gate]}, tmp_path / "a.ipynb") as (kernel, record):
        kernel.run("asked = session.ask_later('aside')")
        wait_for(record, "Once")
        request = kernel.start("%%h2o\nthen?", "c1")
        seen = kernel.read(
            request, lambda r: any("Waiting" in str(o.get("data")) for o in r.outputs)
        )
        kernel.manager.interrupt_kernel()
        (error,) = kernel.finish(request, seen).outputs
        assert error["traceback"] == ["Stopped before any text was received."]
        gate.set()
        assert kernel.run("assert asked.wait(30)").status == "ok"
        assert kernel.run("%%h2o\nafter", "c2").markdown.startswith("re: after")
        assert [turn.question for turn in record.turns("main")] == ["aside", "after"]


@pytest.mark.usefixtures("home")
def test_a_kernel_that_is_shut_down_keeps_its_background_answer(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.ipynb"
    with chatting({"aside": ["Half", ENDLESS]}, path) as (kernel, record):
        kernel.run("asked = session.ask_later('aside')")
        wait_for(record, "Half")
        kernel.run(
            "import h2o_magic.conversation.background\nh2o_magic.later._FAREWELL = 60"
        )
        kernel.client.shutdown()
        deadline = time.monotonic() + 90
        while kernel.manager.is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (turn,) = record.turns("main")
        assert (turn.answer, turn.status) == ("Half", "stopped")


@pytest.mark.usefixtures("home")
def test_a_kernel_that_is_killed_keeps_its_background_answer_as_incomplete(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.ipynb"
    with chatting({"aside": ["Half", ENDLESS]}, path) as (kernel, record):
        kernel.run("asked = session.ask_later('aside')")
        wait_for(record, "Half")
        os.kill(kernel.manager.provisioner.process.pid, signal.SIGKILL)
        (turn,) = record.turns("main")
        assert (turn.answer, turn.status) == ("Half", "incomplete")
