"""A cell in a real JupyterLab: what a reader sees of a growing answer, and when.

The page is a headless Chromium's. Each answer is written into a new notebook with a
kernel of its own; all are in one JupyterLab.
"""

from __future__ import annotations

import re
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from benchmarks.apparatus.answers import answer
from benchmarks.apparatus.notebooks import notebook, shut_down
from benchmarks.apparatus.speaker import Speaker, question, speaking
from benchmarks.apparatus.watching import (
    Shrunk,
    Watched,
    letters,
    note_growth,
    noted,
)
from benchmarks.bars import Bar
from benchmarks.parts import MOST_ROUNDS, Options
from tests.browser.conftest import Opener, chromium, running_lab

__all__ = ["measure"]

_OUTPUTS = 30
_EXCEEDED = re.compile(r"IOPub \w+ rate exceeded")
_LONG_ROUNDS = MOST_ROUNDS["lab"]
_OUTPUT = ".jp-Cell[data-windowed-list-index='1'] .jp-OutputArea-output"


@dataclass(frozen=True)
class _Task:
    """An answer to be written, at `rate` tokens a second, and its bars."""

    shape: str
    tokens: int
    rate: int
    latest: float | None = 0.3  # seconds
    updates: float = 8  # a second
    longest: float | None = 100  # ms
    shrinks: int | None = 0  # frames in which text had gone away

    def __str__(self) -> str:
        return f"{self.tokens} tokens of {self.shape} at {self.rate}/s"


#: In mixed Markdown a frame may show less: a link's address stands there as text until
#: its last bracket has come.
_TASKS = (
    _Task("prose", 2000, 200),
    _Task("mixed", 2000, 200, shrinks=None),
    _Task("prose", 2000, 1000),
    _Task("mixed", 2000, 1000, shrinks=None),
    _Task("paragraph", 2000, 200),
    # JupyterLab draws 48 KB at the end in one task, of a third of a second here.
    _Task("mixed", 8000, 1000, latest=None, shrinks=None),
    _Task("code", 8000, 1000, latest=None, updates=2, longest=None),
)


@dataclass(frozen=True)
class _Round:
    """One answer as it was seen, and when the server sent its first and last token."""

    first: float
    last: float
    seen: Watched

    @property
    def behind(self) -> float:
        """Seconds from the server's last token to the whole text."""
        return self.seen.whole - self.last

    @property
    def updates(self) -> float:
        """Frames a second in which the text had grown, until the last token."""
        return self.seen.updates(self.first, self.last)

    @property
    def task(self) -> float:
        """The longest task while it streamed, in ms."""
        return self.seen.longest_task(self.first, self.last)

    @property
    def shrunk(self) -> Shrunk:
        """The frames that showed less, until the whole text stood there."""
        return self.seen.shrunk(self.first, self.seen.whole)

    @property
    def last_task(self) -> float:
        """The longest task afterwards, in ms."""
        return self.seen.longest_task(self.last, float("inf"))


def measure(options: Options) -> Iterator[Bar]:
    """Yield the figures of each answer."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        speaking() as speaker,
        running_lab(Path(folder)) as lab,
        chromium() as browser,
    ):
        page = browser.new_context(viewport={"width": 1200, "height": 1000}).new_page()
        opener = Opener(lab, page)
        names = (f"answer-{number}.ipynb" for number in count())
        for task in _TASKS:
            most = _LONG_ROUNDS if task.tokens > 2000 else options.rounds
            rounds = [
                _round(opener, next(names), speaker, task)
                for _ in range(min(options.rounds, most))
            ]
            yield from _bars(task, rounds)
        warned = len(_EXCEEDED.findall((Path(folder) / "lab.log").read_text()))
        yield Bar("IOPub rate exceeded, in the server's log", warned, "times", most=0)


def _round(opener: Opener, name: str, speaker: Speaker, task: _Task) -> _Round:
    page = opener.page
    made = notebook(
        f"%load_ext h2o_magic\n%config H2OMagics.server = '{speaker.url}/v1'",
        f"%%h2o\n{question(task.shape, task.tokens, task.rate)}",
    )
    opened = opener(name, made)
    opened.run_to_end(0)
    page.wait_for_timeout(2000)  # JupyterLab's own start is over
    note_growth(page, ".jp-Notebook", _OUTPUT, f"{_OUTPUT} sub")
    opened.run(1)
    opened.wait_idle(1)
    page.wait_for_timeout(1000)  # the last is drawn
    said, seen = speaker.said()[-1], noted(page)
    shown = opened.output(1).inner_text()
    shut_down(page)
    if seen.letters < 0.9 * letters("".join(answer(task.shape, task.tokens))):
        raise RuntimeError(f"not the whole answer is shown: {shown[-500:]}")
    if _EXCEEDED.search(shown):
        raise RuntimeError(f"JupyterLab was flooded: {shown[-500:]}")
    return _Round(said["first"], said["last"], seen)


def _bars(task: _Task, rounds: list[_Round]) -> Iterator[Bar]:
    behind = [round_.behind for round_ in rounds]
    updates = [round_.updates for round_ in rounds]
    tasks = [round_.task for round_ in rounds]
    yield Bar.median(
        f"{task}: last text after the server's",
        behind,
        "s",
        most=task.latest,
        note=f"{len(rounds)} rounds, {max(behind):.2f} at most",
    )
    yield Bar.median(
        f"{task}: visible updates",
        updates,
        "a second",
        least=task.updates,
        note=f"{min(updates):.1f} at least",
    )
    yield Bar.worst(
        f"{task}: longest task while it streams",
        tasks,
        "ms",
        most=task.longest,
        note=f"0 is less than 50; median {statistics.median(tasks):.0f}",
    )
    last = [round_.last_task for round_ in rounds]
    yield Bar.median(f"{task}: longest task of the last drawing", last, "ms")
    outputs = [round_.seen.most for round_ in rounds]
    yield Bar.worst(f"{task}: outputs at a time", outputs, "at most", most=_OUTPUTS)
    shrunk = [round_.shrunk for round_ in rounds]
    yield Bar.worst(
        f"{task}: frames that showed less",
        [each.frames for each in shrunk],
        "frames",
        most=task.shrinks,
        note=f"by {max(each.letters for each in shrunk)} letters at most",
    )
