"""How a download is shown: few messages, no widget, and a line to go on from."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher

from h2o_magic.ipython.display.download import (
    NotebookPull,
    TerminalPull,
    make_pull_view,
)
from h2o_magic.weights.progress import PullEvent, PullPlan, PullProgress, PullResult
from tests.shells import ipython

SIZE = 10_000_000
PLAN = PullPlan("m*.gguf", "o/r", SIZE, 0, "mit", Path("/cache"), 10**12, 10**10)


def events(pieces: int = 1000) -> Iterator[PullEvent]:
    yield PLAN
    for piece in range(1, pieces + 1):
        yield PullProgress(SIZE * piece // pieces, SIZE)
    yield PullResult(Path("/cache/m*.gguf"), "downloaded", verified=True)


def ticking(step: float) -> Callable[[], float]:
    """A clock that goes on by `step` seconds each time somebody looks."""
    now = 0.0

    def look() -> float:
        nonlocal now
        now += step
        return now

    return look


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[CapturingDisplayPublisher]:
    with ipython() as shell:
        publisher = CapturingDisplayPublisher(parent=shell)
        monkeypatch.setattr(shell, "display_pub", publisher)
        yield publisher


def test_a_notebook_gets_two_messages_a_second_in_one_output(
    published: CapturingDisplayPublisher,
) -> None:
    view = NotebookPull("o/r", clock=ticking(0.01))
    for event in events():
        view.update(event)
    messages = published.outputs
    # Ten seconds of a thousand pieces; the plan, the last piece and the end.
    assert len(messages) <= 24
    assert [bool(message.get("update")) for message in messages[:2]] == [False, True]
    assert len({message["transient"]["display_id"] for message in messages}) == 1


def test_what_stays_in_the_notebook_is_text(
    published: CapturingDisplayPublisher,
) -> None:
    view = NotebookPull("o/r", clock=ticking(1))
    for event in events(20):
        view.update(event)
    halfway, last = published.outputs[10]["data"], published.outputs[-1]["data"]
    assert set(last) == {"text/markdown", "text/plain"}
    assert halfway["text/plain"].splitlines()[-1] == (
        f"{'█' * 12}{'░' * 12} 50 % · 5.0 MB of 10.0 MB · 500 KB/s · 10 s left"
    )
    assert last["text/plain"].splitlines() == [
        *PLAN.lines,
        "o/r: m*.gguf is downloaded and verified. The next answer uses it.",
    ]
    # A name of the hub acts on nothing.
    assert "m\\*.gguf" in last["text/markdown"]


def test_where_an_output_cannot_change_the_end_is_the_only_one(
    published: CapturingDisplayPublisher,
) -> None:
    view = NotebookPull("o/r", clock=ticking(1), live=False)
    for event in events(20):
        view.update(event)
    (output,) = published.outputs
    assert not output.get("transient")
    assert output["data"]["text/plain"].endswith("The next answer uses it.")


def test_an_interrupted_one_says_how_far_it_came(
    published: CapturingDisplayPublisher,
) -> None:
    view = NotebookPull("o/r", clock=ticking(1))
    for event in list(events(20))[:11]:
        view.update(event)
    assert view.stopped() == (
        "Stopped. The partial download is kept: `%h2o pull o/r` resumes it."
    )
    plain = published.outputs[-1]["data"]["text/plain"]
    assert "stopped: " in plain
    assert "50 %" in plain


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_redraws_one_line() -> None:
    terminal = Terminal()
    view = TerminalPull("o/r", terminal, clock=ticking(0.01))
    for event in events():
        view.update(event)
    head, _, rest = terminal.getvalue().partition("context\n")
    drawn, _, end = rest.partition("\n")
    assert len(head.splitlines()) == len(PLAN.lines)
    assert 10 <= drawn.count("\r") <= 24
    assert drawn.rpartition("\r")[2].startswith("█" * 24 + " 100 %")
    assert end == "o/r: m*.gguf is downloaded and verified\n"


def test_a_shorter_line_covers_the_longer_one_before_it() -> None:
    terminal = Terminal()
    view = TerminalPull("o/r", terminal, clock=ticking(1))
    for event in events(20):
        view.update(event)
    lines = terminal.getvalue().split("\r")[1:-1]
    assert all(len(b) >= len(a.rstrip()) for a, b in pairwise(lines))


def test_a_log_gets_a_line_for_each_tenth() -> None:
    log = io.StringIO()
    view = TerminalPull("o/r", log, clock=ticking(1))
    for event in events():
        view.update(event)
    lines = log.getvalue().splitlines()
    tenths = [f"{n}0 %" for n in range(1, 11)]
    assert [line.split(" ·")[0] for line in lines[len(PLAN.lines) : -1]] == tenths
    assert "\r" not in log.getvalue()


def test_an_interrupted_terminal_ends_its_line() -> None:
    terminal = Terminal()
    view = TerminalPull("o/r", terminal, "h2o-magic pull", clock=ticking(1))
    for event in list(events(20))[:5]:
        view.update(event)
    assert "`h2o-magic pull o/r`" in view.stopped()
    assert terminal.getvalue().endswith("\n")


def test_what_keeps_no_part_of_a_download_says_that_it_starts_over(
    published: CapturingDisplayPublisher,
) -> None:
    plan = replace(PLAN, resumable=False)
    for view, command in (
        (NotebookPull("m"), "%h2o pull m"),
        (TerminalPull("m", io.StringIO(), "h2o-magic pull"), "h2o-magic pull m"),
    ):
        view.update(plan)
        view.update(PullProgress(SIZE // 2, SIZE))
        assert view.stopped() == f"Stopped: `{command}` starts over."


def test_outside_a_notebook_it_is_the_terminals() -> None:
    assert isinstance(make_pull_view(None, "m"), TerminalPull)
