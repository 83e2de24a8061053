"""``%load_ext`` in a running kernel: how long it takes, and how many modules it brings.

The time is taken in the kernel, around the magic. Each figure is of a kernel that has
just started. Peers are loaded in the same run, in turn, each in its own environment;
beside them this package too, from its wheel.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from benchmarks.apparatus.environments import (
    InstallationError,
    built_wheel,
    environment,
)
from benchmarks.apparatus.kernel import Kernel, running_kernel
from benchmarks.apparatus.notebooks import turns_cell
from benchmarks.bars import Bar
from benchmarks.parts import LEAST_ROUNDS, Options

__all__ = ["measure"]

_LEAST_ROUNDS = LEAST_ROUNDS["loading"]
_MOST_MILLISECONDS = 40
# 40 while modules were few and large; with one idea a module, the milliseconds count.
_MOST_MODULES = 60
_LEAST_TIMES_FASTER = 50

_MEASURED = """
import sys, time
names = set(sys.modules)
began = time.perf_counter()
{load}
seconds = time.perf_counter() - began
modules = len(set(sys.modules) - names)
"""
_EXTENSION = 'get_ipython().run_line_magic("load_ext", "{}")'
_OURS = _EXTENSION.format("h2o_magic")

#: The peers: what is installed, and what loads it.
_PEERS = {
    "chatlab==2.1.1": "import chatlab",
    "jupyter_ai_magics==2.31.7": _EXTENSION.format("jupyter_ai_magics"),
    "jupyter_ai_magic_commands==0.0.4": _EXTENSION.format("jupyter_ai_magic_commands"),
}

_Start: TypeAlias = Callable[[], AbstractContextManager[Kernel]]


@dataclass(frozen=True)
class _Load:
    milliseconds: float
    modules: int


def measure(options: Options) -> Iterator[Bar]:
    """Yield this package's figures, and with peers theirs and the ratio."""
    rounds = max(options.rounds, _LEAST_ROUNDS)
    with (
        TemporaryDirectory() as bytecode,
        TemporaryDirectory() as empty,
        TemporaryDirectory() as home,
    ):
        # A checkout's is there after its first use, but not if it is never written.
        start = partial(
            running_kernel, PYTHONDONTWRITEBYTECODE="", PYTHONPYCACHEPREFIX=bytecode
        )
        back = partial(start, H2O_MAGIC_HOME=home, H2O_MAGIC_NOTEBOOK="loading")
        with back() as kernel:
            kernel.run("%load_ext h2o_magic\n" + turns_cell(10))
        candidates: dict[str, tuple[_Start, str]] = {
            "%load_ext h2o_magic": (partial(start, H2O_MAGIC_HOME=empty), _OURS),
            "the same where a conversation is back": (back, _OURS),
        }
        loads = _measured(candidates, rounds)
    for name, loaded in loads.items():
        yield from _bars(name, loaded, held=True)
    if options.peers:
        with ExitStack() as stack:
            candidates, absent = _installed(stack)
            yield from _beside(_measured(candidates, rounds), absent)


def _installed(
    stack: ExitStack,
) -> tuple[dict[str, tuple[_Start, str]], dict[str, str]]:
    """Return what is measured, this package first, and why other peers are not."""

    def kernel(requirement: str) -> _Start:
        return stack.enter_context(environment(requirement, "ipykernel")).kernel

    wheel = built_wheel(Path(stack.enter_context(TemporaryDirectory())))
    found = {"h2o_magic's wheel": (kernel(str(wheel)), _OURS)}
    absent = {}
    for peer, load in _PEERS.items():
        try:
            found[peer] = (kernel(peer), load)
        except InstallationError as error:
            absent[peer] = str(error)
    return found, absent


def _measured(
    candidates: Mapping[str, tuple[_Start, str]], rounds: int
) -> dict[str, list[_Load]]:
    """Load each in a new kernel, in turn; the first round only warms the disk."""
    loads: dict[str, list[_Load]] = {name: [] for name in candidates}
    for _ in range(rounds + 1):
        for name, (start, load) in candidates.items():
            with start() as kernel:
                kernel.run(_MEASURED.format(load=load))
                seconds, modules = kernel.evaluate("(seconds, modules)")
                loads[name].append(_Load(seconds * 1000, modules))
    return {name: found[1:] for name, found in loads.items()}


def _bars(name: str, loads: list[_Load], *, held: bool) -> Iterator[Bar]:
    times = [load.milliseconds for load in loads]
    note = f"{len(loads)} kernels: {min(times):.1f} to {max(times):.1f} ms"
    most, few = (_MOST_MILLISECONDS, _MOST_MODULES) if held else (None, None)
    yield Bar.median(f"{name}: time", times, "ms", most=most, note=note)
    modules = (load.modules for load in loads)
    yield Bar.median(f"{name}: new modules", modules, "modules", most=few)


def _beside(
    loads: Mapping[str, list[_Load]], absent: Mapping[str, str]
) -> Iterator[Bar]:
    (ours, own), *peers = loads.items()
    yield from _bars(ours, own, held=True)
    for name, found in peers:
        yield from _bars(name, found, held=False)
    for name, reason in absent.items():
        note = f"not measured: it cannot be installed here ({reason})"
        yield Bar(f"{name}: time", math.nan, "ms", note=note)
    medians = {
        name: statistics.median(load.milliseconds for load in found)
        for name, found in loads.items()
    }
    what = "times faster than the fastest peer"
    if not peers:
        note = "not measured: no peer can be installed here"
        yield Bar(what, math.nan, "x", least=_LEAST_TIMES_FASTER, note=note)
        return
    fastest, its = min(peers, key=lambda peer: medians[peer[0]])
    note = f"{fastest}: {medians[fastest]:.0f} ms, and {medians[ours]:.1f} ms"
    if absent:
        note += f"; not installed here: {', '.join(absent)}"
    yield Bar(
        what,
        medians[fastest] / medians[ours],
        "x",
        least=_LEAST_TIMES_FASTER,
        note=note,
        samples=tuple(
            theirs.milliseconds / mine.milliseconds
            for mine, theirs in zip(own, its, strict=True)
        ),
        beside={name: each / 1000 for name, each in medians.items()},
    )
