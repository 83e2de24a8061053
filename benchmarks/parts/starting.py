"""From a kernel that is ready to the first text: what a user waits for.

As a user has it: default settings, the built-in demo's weights, the package's own
local server. Each round has an empty home, so the server is started by the first
question; a second kernel then finds it running, with the model loaded. The kernel's
own start is not counted. All find their bytecode, as an installation's is there.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.apparatus.kernel import CellRun, Kernel, running_kernel
from benchmarks.bars import Bar
from benchmarks.parts import LEAST_ROUNDS, Options

__all__ = ["measure"]

_LEAST_ROUNDS = LEAST_ROUNDS["starting"]
_NEXT_CELLS = 10
_MOST_COLD_S = 2.0
# 150 while servers on this machine were asked without requests, whose import takes some
# 80 ms: they were not worth a second HTTP client.
_MOST_WARM_MS = 250.0
_MOST_NEXT_MS = 60.0
_PATIENCE = 20  # seconds, for the server's end


@dataclass(frozen=True)
class _Start:
    """The start of one kernel, in milliseconds.

    Attributes
    ----------
    whole : float
        From sending the cell that loads the extension to the answer's first text.
    loading, first : float
        Of it, the loading cell to its end, and the first question to its first text.
    others : list of float
        From sending each question after it to its first text.
    """

    whole: float
    loading: float
    first: float
    others: list[float]


def measure(options: Options) -> Iterator[Bar]:
    """Yield the medians: server not running, server running, further cells."""
    with TemporaryDirectory() as bytecode:
        _round(bytecode)  # writes it
        count = max(options.rounds, _LEAST_ROUNDS)
        rounds = [_round(bytecode) for _ in range(count)]
    cold, warm = zip(*rounds, strict=True)
    yield Bar.median(
        "%load_ext and first text, server not running",
        (start.whole / 1000 for start in cold),
        "s",
        most=_MOST_COLD_S,
        note=_parts(cold),
    )
    yield Bar.median(
        "%load_ext and first text, server running",
        (start.whole for start in warm),
        "ms",
        most=_MOST_WARM_MS,
        note=_parts(warm),
    )
    others = [delay for start in warm for delay in start.others]
    yield Bar.median(
        "next cells to first text",
        others,
        "ms",
        most=_MOST_NEXT_MS,
        note=f"{len(others)} cells: {min(others):.0f} to {max(others):.0f}",
    )


def _parts(starts: tuple[_Start, ...]) -> str:
    loading = statistics.median(start.loading for start in starts)
    first = statistics.median(start.first for start in starts)
    whole = [start.whole for start in starts]
    return (
        f"{len(starts)} rounds, {min(whole):.0f} to {max(whole):.0f} ms: loading "
        f"{loading:.0f} ms, first cell {first:.0f} ms"
    )


def _round(bytecode: str) -> tuple[_Start, _Start]:
    """Return the start of a kernel without and of one with a running server.

    Parameters
    ----------
    bytecode
        The folder of the bytecode, of kernels and servers.
    """
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        _server_ended(Path(folder)),
    ):
        return _start(folder, "first", bytecode), _start(folder, "second", bytecode)


def _start(home: str, name: str, bytecode: str) -> _Start:
    environ = {
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": bytecode,
        "H2O_MAGIC_HOME": home,
        "HF_HOME": f"{home}/hub",
        "JPY_SESSION_NAME": f"{home}/{name}.ipynb",
    }
    with running_kernel(**environ) as kernel:
        loading = kernel.run("%load_ext h2o_magic")
        first = _ask(kernel)
        return _Start(
            whole=(_first_text(first) - loading.sent) * 1000,
            loading=(loading.messages[-1].time - loading.sent) * 1000,
            first=(_first_text(first) - first.sent) * 1000,
            others=[_delay(_ask(kernel)) for _ in range(_NEXT_CELLS)],
        )


def _ask(kernel: Kernel) -> CellRun:
    return kernel.run("%%h2o --max-new-tokens 20\nWhat is a kernel?")


def _delay(run: CellRun) -> float:
    return (_first_text(run) - run.sent) * 1000


def _first_text(run: CellRun) -> float:
    """Return when the answer's first text was shown; small print is no text of it."""
    return next(
        message.time
        for message in run.shown
        if message.markdown.strip() and not message.markdown.startswith("<sub>")
    )


@contextmanager
def _server_ended(home: Path) -> Iterator[None]:
    """End the server of this home, by its process id, when the block is left."""
    try:
        yield
    finally:
        for runtime in home.glob("server-*.json"):
            with suppress(ProcessLookupError):
                os.kill(json.loads(runtime.read_text())["pid"], signal.SIGTERM)
            deadline = time.monotonic() + _PATIENCE
            while runtime.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
