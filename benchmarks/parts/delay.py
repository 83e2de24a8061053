"""From the server's first token to the first text that the kernel sends to the page.

The server notes when it sends its first token, and the reader of IOPub when the first
message comes that shows how the answer begins; both clocks are the machine's. Between
them lie the socket, the kernel's reading and drawing, and ZeroMQ.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.apparatus.answers import answer
from benchmarks.apparatus.kernel import Kernel, talking_kernel
from benchmarks.apparatus.speaker import PATHS, Speaker, question, speaking
from benchmarks.bars import Bar
from benchmarks.parts import LEAST_ROUNDS, Options

__all__ = ["measure"]

_TOKENS = 40
_RATE = 200
_LEAST_QUESTIONS = LEAST_ROUNDS["delay"]
_MOST_MS = 20.0


def measure(options: Options) -> Iterator[Bar]:
    """Yield the median delay of each dialect, with its range."""
    questions = max(options.rounds, _LEAST_QUESTIONS)
    with speaking() as speaker:
        for dialect, path in PATHS.items():
            with talking_kernel(speaker.url + path) as kernel:
                _delay(kernel, speaker)  # the first one imports
                delays = [_delay(kernel, speaker) for _ in range(questions)]
            yield Bar.median(
                f"first token to first text, {dialect}",
                delays,
                "ms",
                most=_MOST_MS,
                note=f"{questions} questions: {min(delays):.1f} to {max(delays):.1f}",
            )


def _delay(kernel: Kernel, speaker: Speaker) -> float:
    """Ask once; return the delay in milliseconds."""
    run = kernel.run(f"%%h2o\n{question('prose', _TOKENS, _RATE)}")
    shown = run.first_with(answer("prose", _TOKENS)[0])
    return float((shown - speaker.said()[-1]["first"]) * 1000)
