"""What the kernel's memory grows by while many long answers come.

Each answer is a cell of its own, and all are turns of one conversation. IPython keeps
what it shows of each (``Out``, its history), as it does for every cell.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.apparatus.kernel import Kernel, talking_kernel
from benchmarks.apparatus.speaker import PATHS, question, speaking
from benchmarks.bars import Bar
from benchmarks.parts import Options

__all__ = ["measure"]

_TOKENS = 2000
_ANSWERS = 100
_MOST_MB = 10.0


def measure(options: Options) -> Iterator[Bar]:  # noqa: ARG001 - one count is enough
    """Yield what the kernel has grown by, for each shape and dialect."""
    with speaking() as speaker:
        for dialect, path in PATHS.items():
            for shape in ("prose", "mixed"):
                with talking_kernel(speaker.url + path) as kernel:
                    sizes = _sizes(kernel, f"%%h2o\n{question(shape, _TOKENS)}")
                yield Bar(
                    f"{_ANSWERS} answers of {_TOKENS} tokens, {shape}, {dialect}",
                    sizes[-1] - sizes[0],
                    "MB more",
                    most=_MOST_MB,
                    note=f"one run; {sizes[0]:.1f} MB after the first, "
                    f"{sizes[9]:.1f} after 10, {sizes[49]:.1f} after 50, "
                    f"{sizes[-1]:.1f} after {_ANSWERS}",
                    beside={"first": sizes[0] * 1e6, "last": sizes[-1] * 1e6},
                )


def _sizes(kernel: Kernel, cell: str) -> list[float]:
    """Return the resident memory of the kernel's process after each answer, in MB."""
    sizes = []
    for _ in range(_ANSWERS):
        kernel.run(cell)
        size = kernel.evaluate("__import__('psutil').Process().memory_info().rss")
        sizes.append(size / 1e6)
    return sizes
