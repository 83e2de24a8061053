"""Eight answers at once in one kernel: whether all keep pace, and what they cost.

Once asked in the background with the panel open on one of them, and once read by
threads of Python, without a panel.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.apparatus.answers import answer
from benchmarks.apparatus.kernel import CellRun, Kernel, talking_kernel
from benchmarks.apparatus.speaker import Speaker, question, speaking
from benchmarks.bars import Bar
from benchmarks.parts import Options

__all__ = ["measure"]

_STREAMS = 8
_TOKENS = 2000
_RATE = 200  # tokens a second, each
_MOST_BEHIND = 0.5  # seconds
_MOST_OF_A_CORE = 0.6
_LEAST_UPDATES = 8  # a second
_MOST_LATE = 0.3  # seconds

_ASK = """
import threading
import time

import h2o_magic


def finish(waits):
    ends = [0.0] * len(waits)

    def end(number):
        waits[number]()
        ends[number] = time.time()

    threads = [threading.Thread(target=end, args=[n]) for n in range(len(waits))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def side_by_side(questions, background):
    session = h2o_magic.session()
    began, worked = time.time(), time.process_time()
    if background:
        asked = [session.ask_later(text, thread=name) for name, text in questions]
        ends = finish([one.wait for one in asked])
        answers = [one.answer for one in asked]
    else:
        answers = [
            session.ask(text, thread=name, cell=None) for name, text in questions
        ]
        ends = finish([one.read for one in answers])
    cpu, clock = time.process_time() - worked, time.time() - began
    sizes = [len(one.text) for one in answers]
    return {"ends": ends, "cpu": cpu, "clock": clock, "sizes": sizes}
"""


@dataclass(frozen=True)
class _Round:
    """Eight answers: how far each ended behind the server, and what all cost.

    ``seen`` are the times at which a panel was sent growth, by ``time.time()``, and
    ``first`` and ``last`` the server's of the answer that it shows.
    """

    behind: tuple[float, ...]
    share: float
    seen: tuple[float, ...]
    first: float
    last: float


def measure(options: Options) -> Iterator[Bar]:
    """Yield the figures of both ways."""
    with speaking() as speaker:
        for background in (True, False):
            with talking_kernel(f"{speaker.url}/v1") as kernel:
                kernel.run(_ASK)
                if background:
                    kernel.run("%config H2OMagics.thread = 'side 0'")
                    kernel.run("%h2o panel")
                _eight(kernel, speaker, 10, background)  # the first ones import
                rounds = [
                    _eight(kernel, speaker, _TOKENS, background)
                    for _ in range(options.rounds)
                ]
            yield from _bars(rounds, background)


def _eight(kernel: Kernel, speaker: Speaker, tokens: int, background: bool) -> _Round:
    asked = question("mixed", tokens, _RATE)
    questions = [(f"side {n}", f"{n}: {asked}") for n in range(_STREAMS)]
    before = len(speaker.said())
    run = kernel.run(f"found = side_by_side({questions!r}, {background})")
    found = kernel.evaluate("found")
    size = len("".join(answer("mixed", tokens)))
    if found["sizes"] != [size] * _STREAMS:
        raise RuntimeError(f"not all of {size} characters: {found['sizes']}")
    said = {each["asked"]: each for each in speaker.said()[before:]}
    in_order = [said[text] for _, text in questions]
    behind = [
        end - each["last"] for end, each in zip(found["ends"], in_order, strict=True)
    ]
    return _Round(
        tuple(behind),
        found["cpu"] / found["clock"],
        tuple(_growth(run)),
        in_order[0]["first"],
        in_order[0]["last"],
    )


def _growth(run: CellRun) -> Iterator[float]:
    """Yield when a panel was sent more of an answer."""
    for message in run.messages:
        sent = message.content.get("data", {}).get("content", {})
        # What ends it comes as a row, with all of the answer that was not sent yet.
        if message.kind == "comm_msg" and sent.get("is") in ("grew", "rows"):
            yield message.time


def _bars(rounds: Sequence[_Round], background: bool) -> Iterator[Bar]:
    way = "in the background, panel open" if background else "in threads"
    what = f"{_STREAMS} streams {way}"
    note = f"{len(rounds)} rounds of {_STREAMS} x {_TOKENS} tokens at {_RATE}/s"
    behind = [each for one in rounds for each in one.behind]
    middle = statistics.median(behind) * 1000
    yield Bar.worst(
        f"{what}: the last to end, after the server",
        behind,
        "s",
        most=_MOST_BEHIND,
        note=f"{note}; median {middle:.0f} ms",
    )
    shares = [one.share for one in rounds]
    yield Bar.median(
        f"{what}: processor",
        shares,
        "cores",
        most=_MOST_OF_A_CORE,
        note=f"median, {min(shares):.2f} to {max(shares):.2f}",
    )
    if background:
        updates = [len(one.seen) / (one.last - one.first) for one in rounds]
        name = f"{what}: growth sent to the panel"
        least = _LEAST_UPDATES
        yield Bar.worst(name, updates, "a second", least=least, note="worst")
        late = [one.seen[-1] - one.last for one in rounds]
        name = f"{what}: the panel's end, after the server"
        yield Bar.worst(name, late, "s", most=_MOST_LATE, note="worst")
