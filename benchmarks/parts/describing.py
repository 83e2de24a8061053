"""A large table put into a prompt: how long it takes, and what memory.

Time is a share of what `DataFrame.describe` of pandas takes of the same table, in turn
in the same run; it does less. Memory is what Python and numpy take beyond the table, at
the most.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.bars import Bar
from benchmarks.parts import Options
from h2o_magic.prompts.values import describe

__all__ = ["measure"]

_ROWS = 1_000_000
_MOST_SECONDS, _MOST_MEGABYTES, _MOST_SHARE = 0.5, 20, 0.6


def measure(options: Options) -> Iterator[Bar]:
    """Yield the figures of a table of twenty columns, and the time of a wide one."""
    frame = _table()
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(_seconds(lambda: _described(frame)))
        theirs.append(_seconds(lambda: frame.describe(include="all")))
    name = f"{_ROWS:,} rows x {frame.shape[1]} columns"
    yield Bar.median(f"{name}: time", ours, "s", most=_MOST_SECONDS)
    shares = [mine / its for mine, its in zip(ours, theirs, strict=True)]
    yield Bar.median(
        f"{name}: time beside DataFrame.describe", shares, "ratio", most=_MOST_SHARE
    )
    yield Bar(f"{name}: memory", _megabytes(frame), "MB", most=_MOST_MEGABYTES)
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(500, 3_000)))
    times = [_seconds(lambda: _described(wide)) for _ in range(options.rounds)]
    yield Bar.median("500 rows x 3,000 columns: time", times, "s", most=1)


def _table() -> Any:
    """Return a table of numbers, times, words and categories."""
    random = np.random.default_rng(0)
    words = np.array(["paid", "open", "returned"])
    columns: dict[str, Any] = {
        f"float_{n}": random.normal(50, 9, _ROWS) for n in range(10)
    }
    columns |= {f"int_{n}": random.integers(0, 1_000, _ROWS) for n in range(6)}
    columns["time"] = pd.date_range("2000", periods=_ROWS, freq="min")
    columns["text"] = random.choice(words, _ROWS)
    columns["object"] = pd.Series(random.choice(words, _ROWS)).astype(object)
    columns["category"] = pd.Categorical(random.choice(words, _ROWS))
    return pd.DataFrame(columns)


def _described(frame: Any) -> str:
    return describe(frame, "df").text(1_000)


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _megabytes(frame: Any) -> float:
    tracemalloc.start()
    try:
        _described(frame)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
