"""A long conversation: whether asking costs the same with 1,000 turns as with ten.

Two kernels side by side are asked in turn, each time by a new cell, so that each
asking adds a turn to both. What of them is sent is chosen by the default settings: the
last ones, as many as there is room for. The panel that is open here has no page;
``panel`` measures one that has.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.apparatus.answers import answer
from benchmarks.apparatus.kernel import Kernel, talking_kernel
from benchmarks.apparatus.notebooks import turns_cell
from benchmarks.apparatus.speaker import Speaker, question, speaking
from benchmarks.bars import Bar
from benchmarks.parts import LEAST_ROUNDS, Options

__all__ = ["measure"]

_FEW = 10
_MANY = 1000
_TOKENS = 5
_MOST_LATER = 10  # ms
_LEAST_ROUNDS = LEAST_ROUNDS["long_conversation"]
#: Seconds after which a panel has told all, also what is to be saved of it.
_QUIET = 1.6


@dataclass(frozen=True)
class _Asking:
    """What one asking took, in milliseconds.

    ``first`` and ``end`` are from sending the cell to the first text and to the cell's
    end, ``cpu`` what the kernel's process worked until all was quiet.
    """

    first: float
    end: float
    cpu: float


def measure(options: Options) -> Iterator[Bar]:
    """Yield the differences, without a panel and with one."""
    rounds = max(options.rounds, _LEAST_ROUNDS)
    for panel in (False, True):
        with ExitStack() as stack:
            speaker = stack.enter_context(speaking())
            few, many = (
                _conversation(stack, speaker, turns, panel) for turns in (_FEW, _MANY)
            )
            pairs = [_pair(few, many, panel) for _ in range(rounds + 1)]
        yield from _bars(pairs[1:], panel)  # the first one imports


def _conversation(
    stack: ExitStack, speaker: Speaker, turns: int, panel: bool
) -> Kernel:
    kernel = stack.enter_context(talking_kernel(f"{speaker.url}/v1"))
    kernel.run(turns_cell(turns))
    if panel:
        kernel.run("%h2o panel")
    return kernel


def _pair(few: Kernel, many: Kernel, panel: bool) -> tuple[_Asking, _Asking]:
    return _asking(few, panel), _asking(many, panel)


def _asking(kernel: Kernel, panel: bool) -> _Asking:
    before = kernel.evaluate("__import__('time').process_time()")
    run = kernel.run(f"%%h2o\n{question('prose', _TOKENS)}")
    if panel:
        time.sleep(_QUIET)
    cpu = kernel.evaluate("__import__('time').process_time()") - before
    first = run.first_with(answer("prose", _TOKENS)[0])
    end = run.messages[-1].time
    return _Asking(
        *(1000 * seconds for seconds in (first - run.sent, end - run.sent, cpu))
    )


def _bars(pairs: Sequence[tuple[_Asking, _Asking]], panel: bool) -> Iterator[Bar]:
    where = "panel open" if panel else "no panel"
    for name, what, most in (
        ("first", "to the first text", _MOST_LATER),
        ("end", "to the cell's end", _MOST_LATER),
        ("cpu", "work of the kernel", None),
    ):
        few, many = (
            [getattr(one, name) for one in side] for side in zip(*pairs, strict=True)
        )
        later = [b - a for a, b in zip(few, many, strict=True)]
        note = (
            f"medians of {len(pairs)}: {statistics.median(many):.1f} ms, with {_FEW} "
            f"{statistics.median(few):.1f} ms"
        )
        yield Bar.median(
            f"{_MANY} turns, {where}, {what}: more",
            later,
            "ms",
            most=most,
            note=note,
            beside={
                f"{turns} turns": statistics.median(took) / 1000
                for turns, took in ((_FEW, few), (_MANY, many))
            },
        )
