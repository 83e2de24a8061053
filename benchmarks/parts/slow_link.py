"""A slow link between server and kernel: whether text is seen as it comes.

The link takes 100 ms and 1 Mbit/s in each direction. It notes when each byte has come
to the kernel, the reader of IOPub when each letter was shown; both clocks are the
machine's. Beside it, in turn and over the same link, a bare reader takes the same
stream and does nothing with it: what the link needs.
"""

from __future__ import annotations

import json
import statistics
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from urllib.request import Request, urlopen

from benchmarks.apparatus.answers import answer
from benchmarks.apparatus.growth import Shown, letters_of, seen_apart, shown_of
from benchmarks.apparatus.kernel import Kernel, talking_kernel
from benchmarks.apparatus.link import Link, slow_link
from benchmarks.apparatus.speaker import (
    PATHS,
    Dialect,
    Speaker,
    body_parts,
    question,
    request,
    speaking,
)
from benchmarks.bars import Bar
from benchmarks.parts import MOST_ROUNDS, Options

__all__ = ["behind", "measure"]

_DELAY = 0.1  # seconds, one way
_RATE = 125_000  # bytes a second: 1 Mbit/s
_MOST_ROUNDS = MOST_ROUNDS["slow_link"]  # each takes from 5 to 16 s, twice
#: The bars of the page without a slow link: its last text, and its first.
_LATEST = 300  # ms
_FIRST = 20  # ms
_LEAST_UPDATES = 8  # a second
_USUAL = 1000 / _LEAST_UPDATES  # ms from one update to the next


@dataclass(frozen=True)
class _Task:
    """An answer in a dialect, at `rate` tokens a second; 0 for as fast as it can."""

    dialect: Dialect
    tokens: int
    rate: int

    def __str__(self) -> str:
        speed = f"at {self.rate}/s" if self.rate else "at full speed"
        return f"{self.tokens} tokens of mixed {speed}, {self.dialect}"

    @property
    def asked(self) -> str:
        """The question."""
        return question("mixed", self.tokens, self.rate)

    @property
    def said(self) -> tuple[str, ...]:
        """The answer's tokens."""
        return answer("mixed", self.tokens)


_TASKS: dict[Dialect, tuple[_Task, ...]] = {
    "OpenAI": (_Task("OpenAI", 1000, 200), _Task("OpenAI", 8000, 0)),
    "gpt-gm": (_Task("gpt-gm", 1000, 200), _Task("gpt-gm", 4000, 0)),
}


@dataclass(frozen=True)
class _Round:
    """One answer, once shown by the kernel and once only read.

    Attributes
    ----------
    behind : sequence of float
        For each token, how many ms after its last byte it was shown.
    updates : float
        How often a second more text was seen, from the first byte to the last.
    later : float
        How many ms later than the bare reader had all, all was shown, each counted
        from the server's first token; less than 0 where much follows the last token,
        as the whole text once more in gpt-gm.
    link : float
        Seconds that the bare reader took.
    """

    behind: Sequence[float]
    updates: float
    later: float
    link: float


def measure(options: Options) -> Iterator[Bar]:
    """Yield the figures of each dialect, at both speeds."""
    rounds = min(options.rounds, _MOST_ROUNDS)
    with speaking() as speaker:
        for dialect, tasks in _TASKS.items():
            with (
                slow_link(speaker.url, delay=_DELAY, rate=_RATE) as link,
                talking_kernel(link.url + PATHS[dialect]) as kernel,
            ):
                kernel.run(f"%%h2o\n{question('prose', 5)}")  # it imports
                for task in tasks:
                    found = [_round(kernel, speaker, link, task) for _ in range(rounds)]
                    yield from _bars(task, found)


def _round(kernel: Kernel, speaker: Speaker, link: Link, task: _Task) -> _Round:
    parts = body_parts(task.dialect, "mixed", task.tokens)
    link.forget()
    run = kernel.run(f"%%h2o\n{task.asked}")
    arrivals = link.arrivals(b"".join(parts))
    first = speaker.said()[-1]["first"]
    grown = shown_of("".join(task.said), run.messages)
    link.forget()
    _read_bare(link.url, task)
    bare = link.arrivals(b"".join(parts))[-1][0] - speaker.said()[-1]["first"]
    (began, _), (ended, _) = arrivals[0], arrivals[-1]
    seen = [each for each in seen_apart(grown) if each.time <= ended]
    return _Round(
        behind=behind(task.said, parts, arrivals, grown),
        updates=len(seen) / (ended - began),
        later=(grown[-1].time - first - bare) * 1000,
        link=bare,
    )


def _read_bare(url: str, task: _Task) -> None:
    """Ask over the link and read the answer, no more."""
    path, asked = request(task.dialect, task.asked)
    with urlopen(Request(url + path, json.dumps(asked).encode())) as reply:
        while reply.read1():
            pass


def behind(
    tokens: Sequence[str],
    parts: Sequence[bytes],
    arrivals: Sequence[tuple[float, int]],
    grown: Sequence[Shown],
) -> list[float]:
    """Return for each token how many ms it was shown after its last byte had come.

    Parameters
    ----------
    tokens
        The answer's. One without a letter or digit is left out: whether it is shown
        cannot be told.
    parts
        The bytes that bring each token, and after them what ends the answer.
    arrivals
        When, in seconds, how many of these bytes had come.
    grown
        What was shown of the answer in the end, and before.
    """
    came = [size for _, size in arrivals]
    shown = [each.letters for each in grown]
    late = []
    letters = 0
    ends = accumulate(map(len, parts))
    for token, end in zip(tokens, ends, strict=False):
        news = len(letters_of(token))
        letters += news
        if news:
            seen = grown[bisect_left(shown, letters)].time
            late.append((seen - arrivals[bisect_left(came, end)][0]) * 1000)
    return late


def _bars(task: _Task, rounds: Sequence[_Round]) -> Iterator[Bar]:
    needs = statistics.median(one.link for one in rounds)
    takes = statistics.median(one.link + one.later / 1000 for one in rounds)
    firsts = [one.behind[0] for one in rounds]
    middles = [statistics.median(one.behind) for one in rounds]
    worst = [max(one.behind) for one in rounds]
    updates = [one.updates for one in rounds]
    later = [one.later for one in rounds]
    yield Bar.median(
        f"{task}: first text after its bytes",
        firsts,
        "ms",
        most=_FIRST,
        note=f"{len(rounds)} rounds",
    )
    yield Bar.median(
        f"{task}: each token after its bytes, median",
        middles,
        "ms",
        most=_USUAL,
        note="of the medians",
    )
    yield Bar.worst(
        f"{task}: the same, the latest token",
        worst,
        "ms",
        most=_LATEST,
        note=f"median {statistics.median(worst):.0f}",
    )
    yield Bar.median(
        f"{task}: all shown, after a bare reader had it",
        later,
        "ms",
        most=_LATEST,
        note=f"which took {needs:.2f} s from the server's first token",
        beside={"h2o_magic": takes, "bare": needs},
    )
    yield Bar.median(
        f"{task}: more text seen",
        updates,
        "a second",
        least=_LEAST_UPDATES,
        note=f"{min(updates):.1f} at least",
    )
