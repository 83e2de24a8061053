"""A picture of a run: how many rows over time, and how long each took."""

from __future__ import annotations

from array import array
from contextlib import closing
from statistics import median
from typing import Any

from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.store.base import AnswerStore

_LINE, _FILL = "#2563a8", "#9dbfe3"


def plot(store: AnswerStore) -> Any:
    """Return a figure of matplotlib of the rows that a run has asked.

    What was known before is left out. A ConfigurationError if no row was asked, or
    matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise ConfigurationError(
            "a plot needs matplotlib, which is not installed: pip install matplotlib"
        ) from error
    ends, seconds = array("d"), array("d")
    with closing(store):
        for at, took in store.moments():
            ends.append(at)
            seconds.append(took)
    if not ends:
        raise ConfigurationError(
            "no row was asked in this run: there is nothing to plot"
        )
    figure, (rows, latency) = pyplot.subplots(
        1, 2, figsize=(8, 2.6), dpi=120, layout="constrained"
    )
    pyplot.close(figure)  # a notebook would show it twice: as open, and as a value
    began = min(end - took for end, took in zip(ends, seconds, strict=True))
    times = [0.0, *(end - began for end in ends)]
    rows.step(times, range(len(times)), where="post", color=_LINE)
    rows.set_xlim(0, times[-1] or 1)
    rows.set_ylim(bottom=0)
    rows.set_title(_rate(len(ends), times[-1]), fontsize=9, loc="left")
    rows.set_xlabel("seconds")
    rows.set_ylabel("rows answered")
    middle, slow = median(seconds), sorted(seconds)[int(len(seconds) * 0.95)]
    latency.hist(seconds, bins=min(40, max(8, len(seconds) // 20)), color=_FILL)
    latency.axvline(middle, color=_LINE)
    latency.axvline(slow, color=_LINE, linestyle="--")
    latency.set_xlim(left=0)
    said = f"median {middle:.2f} s, 95 % within {slow:.2f} s"
    latency.set_title(said, fontsize=9, loc="left")
    latency.set_xlabel("seconds a row took")
    latency.set_ylabel("rows")
    return figure


def _rate(rows: int, seconds: float) -> str:
    rate = f", {rows / seconds:,.3g} rows/s" if seconds else ""
    return f"{counted(rows, 'row')} in {seconds:,.1f} s{rate}"
