"""What an answer costs on IOPub: bytes and messages, and how often text still comes.

Every message of the cell counts, also the three that ipykernel sends for any cell, and
the last one, which brings the whole answer once more. "In any second" is the worst
second, wherever it begins: so it is defined for an answer that takes less than one,
which then lies in it with its whole.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.apparatus.answers import answer
from benchmarks.apparatus.growth import (
    longest_pause,
    seen_apart,
    shown_of,
    taken_away,
)
from benchmarks.apparatus.kernel import CellRun, Kernel, talking_kernel
from benchmarks.apparatus.speaker import Speaker, question, speaking
from benchmarks.apparatus.windows import most_within
from benchmarks.bars import Bar
from benchmarks.parts import MOST_ROUNDS, Options

__all__ = ["measure"]

_MOST_MESSAGES = 15  # a second
_WORST_SHAPES = ("code", "paragraph", "table", "lists")
#: A speed at which a long answer streams for many seconds, and none.
_WORST_SPEEDS = (400, 0)
_MOST_KB = 200  # a second
_MOST_TIMES = 40
_LEAST_UPDATES = 2  # a second
#: Rounds of an answer that takes 10 s or more: bytes vary by a few in a hundred.
_LONG_ROUNDS = MOST_ROUNDS["iopub"]
_LONG = 10  # seconds


@dataclass(frozen=True)
class _Task:
    """An answer at `rate` tokens a second, 0 for full speed, and its bar on bytes."""

    shape: str
    tokens: int
    rate: int
    times: float = _MOST_TIMES

    def __str__(self) -> str:
        speed = f"at {self.rate}/s" if self.rate else "at full speed"
        return f"{self.tokens} tokens of {self.shape} {speed}"

    @property
    def said(self) -> str:
        """The whole answer."""
        return "".join(answer(self.shape, self.tokens))

    def rounds(self, options: Options) -> int:
        """Return how often it is asked."""
        long = self.rate and self.tokens / self.rate >= _LONG
        return min(options.rounds, _LONG_ROUNDS) if long else options.rounds


_TASKS = (
    _Task("prose", 8000, 0, times=8),
    _Task("mixed", 8000, 0, times=8),
    _Task("prose", 2000, 200, times=12),
    _Task("mixed", 2000, 200, times=12),
    _Task("prose", 8000, 200, times=12),
    _Task("mixed", 8000, 200, times=12),
)


@dataclass(frozen=True)
class _Cost:
    """What one answer cost.

    Attributes
    ----------
    times : float
        Bytes on IOPub for each byte of the answer.
    size : int
        Bytes on IOPub.
    burst, burst_before_end : float
        Most bytes in any second: of all messages, and without the last, which brings
        the whole answer at once.
    messages, most_messages : float
        How many messages, and the most of them in any second.
    updates : float
        How often a second more text was seen, from the server's first token to the
        cell's last output.
    pause : float
        Most seconds without more text.
    seconds : float
        From the server's first token to the cell's last output.
    shrunk : int
        How many messages left fewer letters than had been shown before.
    missing : int
        The most letters that were missing then.
    """

    times: float
    size: int
    burst: float
    burst_before_end: float
    messages: float
    most_messages: float
    updates: float
    pause: float
    seconds: float
    shrunk: int
    missing: int


def measure(options: Options) -> Iterator[Bar]:
    """Yield the costs of usual answers, then of the worst."""
    with speaking() as speaker, talking_kernel(f"{speaker.url}/v1") as kernel:
        kernel.run(f"%%h2o\n{question('prose', 5)}")  # it imports
        for task in _TASKS:
            costs = [_cost(kernel, speaker, task) for _ in range(task.rounds(options))]
            yield from _bars(task, costs)
        for shape in _WORST_SHAPES:
            found = {
                task: [
                    _cost(kernel, speaker, task) for _ in range(task.rounds(options))
                ]
                for task in (_Task(shape, 8000, rate) for rate in _WORST_SPEEDS)
            }
            yield from _worst_bars(shape, found)


def _cost(kernel: Kernel, speaker: Speaker, task: _Task) -> _Cost:
    """Ask once."""
    run = kernel.run(f"%%h2o\n{question(task.shape, task.tokens, task.rate)}")
    grown = seen_apart(shown_of(task.said, run.messages))
    last = run.shown[-1]
    seconds: float = last.time - speaker.said()[-1]["first"]
    missing = taken_away(task.said, run.messages)
    return _Cost(
        times=run.size / len(task.said.encode()),
        size=run.size,
        burst=_burst(run),
        burst_before_end=_burst(run, without=last.time),
        messages=len(run.messages),
        most_messages=most_within((each.time, 1) for each in run.messages),
        updates=len(grown) / seconds,
        pause=longest_pause(grown),
        seconds=seconds,
        shrunk=len(missing),
        missing=max(missing, default=0),
    )


def _burst(run: CellRun, *, without: float = float("inf")) -> float:
    sizes = ((each.time, each.size) for each in run.messages if each.time < without)
    return most_within(sizes)


def _figures(costs: Sequence[_Cost], name: str) -> list[float]:
    return [getattr(cost, name) for cost in costs]


def _median(costs: Sequence[_Cost], name: str) -> float:
    return statistics.median(_figures(costs, name))


def _bars(task: _Task, costs: Sequence[_Cost]) -> Iterator[Bar]:
    times = _figures(costs, "times")
    size = _median(costs, "size")
    yield Bar.median(
        f"{task}: bytes on IOPub",
        times,
        "x text",
        most=task.times,
        note=f"median of {len(costs)}, {max(times):.1f} at most; {size / 1e3:.0f} kB",
        beside={"iopub": size, "text": len(task.said.encode())},
    )
    yield Bar.worst(
        f"{task}: on IOPub in any second",
        _figures(costs, "most_messages"),
        "messages",
        most=_MOST_MESSAGES,
        note=(
            f"median {_median(costs, 'most_messages'):.0f}; "
            f"{_median(costs, 'messages'):.0f} in {_median(costs, 'seconds'):.2f} s"
        ),
    )


def _worst_bars(shape: str, found: dict[_Task, list[_Cost]]) -> Iterator[Bar]:
    """Yield the worse of the speeds, for each bar: of its medians or of its rounds."""
    what = f"8000 tokens of {shape}"
    text = len(next(iter(found)).said.encode())
    never = (
        ("bytes on IOPub in any second", "burst", "kB", 1e3, _MOST_KB),
        ("the same without the last message", "burst_before_end", "kB", 1e3, None),
        ("messages that showed less", "shrunk", "messages", 1, 0),
    )
    for name, figure, unit, per, most in never:
        rounds = {
            task: [each / per for each in _figures(costs, figure)]
            for task, costs in found.items()
        }
        note = "; ".join(
            f"{_speed(task)}: {max(each):.3g}, median {statistics.median(each):.3g}"
            for task, each in rounds.items()
        )
        if figure == "shrunk":
            gone = max(max(_figures(costs, "missing")) for costs in found.values())
            note += f"; by {gone:.0f} letters at most"
        worse = max(rounds.values(), key=max)
        yield Bar.worst(f"{what}: {name}", worse, unit, most=most, note=note)
    times = {task: _figures(costs, "times") for task, costs in found.items()}
    task, worse = max(times.items(), key=lambda item: statistics.median(item[1]))
    yield Bar.median(
        f"{what}: bytes on IOPub",
        worse,
        "x text",
        most=_MOST_TIMES,
        note="; ".join(
            f"{_speed(task)}: {statistics.median(each):.3g}"
            for task, each in times.items()
        ),
        beside={"iopub": _median(found[task], "size"), "text": text},
    )
    updates = {task: _figures(costs, "updates") for task, costs in found.items()}
    note = "; ".join(
        f"{_speed(task)}: {statistics.median(updates[task]):.3g}, "
        f"pause of {_median(costs, 'pause'):.2f} s"
        for task, costs in found.items()
    )
    yield Bar.median(
        f"{what}: more text seen",
        min(updates.values(), key=statistics.median),
        "a second",
        least=_LEAST_UPDATES,
        note=note,
    )


def _speed(task: _Task) -> str:
    return f"{task.rate}/s" if task.rate else "full speed"
