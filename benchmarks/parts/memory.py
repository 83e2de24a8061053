"""What the kernel's memory grows by while many long answers come.

Each answer is a cell of its own, and all are turns of one conversation. IPython keeps
what it shows of each (``Out``, its history), as it does for every cell.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from benchmarks.apparatus.kernel import talking_kernel
from benchmarks.apparatus.speaker import PATHS, question, speaking
from benchmarks.bars import Bar
from benchmarks.parts import MOST_ROUNDS, Options

__all__ = ["measure"]

_TOKENS = 2000
_ANSWERS = 100
_MOST_MB = 10.0


def measure(options: Options) -> Iterator[Bar]:
    """Yield what a kernel has grown by at most, for each shape and dialect."""
    rounds = min(options.rounds, MOST_ROUNDS["memory"])
    with speaking() as speaker:
        for dialect, path in PATHS.items():
            for shape in ("prose", "mixed"):
                runs = [_sizes(speaker.url + path, shape) for _ in range(rounds)]
                yield _grown(f"{shape}, {dialect}", runs)


def _grown(what: str, runs: Sequence[Sequence[float]]) -> Bar:
    """Return what the kernels grew by, of their sizes after each answer."""
    grown = [sizes[-1] - sizes[0] for sizes in runs]
    first, tenth, fiftieth, last = (
        statistics.median(sizes[answers - 1] for sizes in runs)
        for answers in (1, 10, 50, _ANSWERS)
    )
    return Bar.worst(
        f"{_ANSWERS} answers of {_TOKENS} tokens, {what}",
        grown,
        "MB more",
        most=_MOST_MB,
        note=f"{len(runs)} kernels, median {statistics.median(grown):.1f}; medians "
        f"{first:.1f} MB after the first, {tenth:.1f} after 10, {fiftieth:.1f} after "
        f"50, {last:.1f} after {_ANSWERS}",
        beside={"first": first * 1e6, "last": last * 1e6},
    )


def _sizes(server: str, shape: str) -> list[float]:
    """Return the resident memory of a new kernel's process after each answer, in MB."""
    cell = f"%%h2o\n{question(shape, _TOKENS)}"
    sizes = []
    with talking_kernel(server) as kernel:
        for _ in range(_ANSWERS):
            kernel.run(cell)
            size = kernel.evaluate("__import__('psutil').Process().memory_info().rss")
            sizes.append(size / 1e6)
    return sizes
