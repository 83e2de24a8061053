"""A picture of a run: how many rows over time, and how long each took."""

from __future__ import annotations

from array import array
from contextlib import closing
from typing import Any

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.store.base import AnswerStore

_INK, _LINE, _FILL = "#555555", "#2563a8", "#9dbfe3"


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
    _draw_rows(rows, [0.0, *(end - began for end in ends)])
    _draw_latency(latency, seconds)
    for axes in (rows, latency):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=_INK, labelsize=8)
        axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
    return figure


def _draw_rows(axes: Any, times: list[float]) -> None:
    count = len(times) - 1
    axes.step(times, range(count + 1), where="post", color=_LINE, linewidth=1.8)
    axes.fill_between(times, range(count + 1), step="post", color=_FILL, alpha=0.35)
    axes.set_xlim(0, times[-1] or 1)
    axes.set_ylim(0, count * 1.05)
    rate = count / times[-1] if times[-1] else 0.0
    said = f"{count:,} rows in {times[-1]:,.1f} s, {rate:,.3g} a second"
    axes.set_title(said, fontsize=9, loc="left", color=_INK)
    axes.set_xlabel("seconds", fontsize=8, color=_INK)
    axes.set_ylabel("rows answered", fontsize=8, color=_INK)


def _draw_latency(axes: Any, seconds: array[float]) -> None:
    ordered = sorted(seconds)
    middle = ordered[len(ordered) // 2]
    slow = ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]
    axes.hist(ordered, bins=min(40, max(8, len(ordered) // 20)), color=_FILL)
    axes.set_xlim(left=0)
    for value, style in ((middle, "-"), (slow, "--")):
        axes.axvline(value, color=_LINE, linestyle=style, linewidth=1.4)
    said = f"median {middle:.2f} s, 95 % within {slow:.2f} s"
    axes.set_title(said, fontsize=9, loc="left", color=_INK)
    axes.set_xlabel("seconds a row took", fontsize=8, color=_INK)
    axes.set_ylabel("rows", fontsize=8, color=_INK)
