"""Figures and the bars that they are held to."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Bar", "table"]


@dataclass(frozen=True)
class Bar:
    """One figure.

    :meth:`median` and :meth:`worst` make it of what rounds gave.

    Attributes
    ----------
    name : str
        What was measured.
    value : float
        The figure; not a number if it could not be measured here, as the note says.
    unit : str
        What it counts; "ratio" for a share of something measured in the same run.
    least, most : float or None
        The bar; None for none.
    note : str
        What it was made of.
    samples : tuple of float
        What each round gave, in the unit of the figure; for a ratio or a difference,
        that of each round. Empty where there are no rounds.
    beside : mapping of str to float
        What a ratio or a difference was made of in the same run, by whose it is: this
        package's figure and its limit's or peer's, medians of the rounds. Times are in
        seconds, sizes in bytes, speeds in tokens a second.
    """

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None
    note: str = ""
    samples: tuple[float, ...] = ()
    beside: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def median(
        cls, name: str, samples: Iterable[float], unit: str, **others: Any
    ) -> Bar:
        """Return the median of the rounds; `others` are further attributes."""
        given = tuple(samples)
        return cls(name, statistics.median(given), unit, samples=given, **others)

    @classmethod
    def worst(
        cls, name: str, samples: Iterable[float], unit: str, **others: Any
    ) -> Bar:
        """Return the worst of the rounds, for a bar that must never be missed.

        It is the least where `others`, further attributes, have a bar `least`.
        """
        given = tuple(samples)
        worst = max(given) if others.get("least") is None else min(given)
        return cls(name, worst, unit, samples=given, **others)

    @property
    def measured(self) -> bool:
        """Whether there is a figure."""
        return not math.isnan(self.value)

    @property
    def met(self) -> bool:
        """Whether there is a figure, and it keeps to the bar."""
        if not self.measured:
            return False
        low = self.least is None or self.value >= self.least
        return low and (self.most is None or self.value <= self.most)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values; None for what could not be measured."""
        value = self.value if self.measured else None
        return {**vars(self), "value": value, "met": self.met}


def table(bars: Iterable[Bar]) -> str:
    """Return the figures as lines of a table."""
    rows = [("what", "figure", "bar", "", "made of")]
    for bar in bars:
        limit = "" if bar.least is None else f">= {bar.least:g}"
        limit = limit if bar.most is None else f"<= {bar.most:g}"
        figure = f"{bar.value:.3g} {bar.unit}"
        rows.append((bar.name, figure, limit, _verdict(bar), bar.note))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _verdict(bar: Bar) -> str:
    if not bar.measured:
        return "NOT MEASURED"
    if bar.least is None and bar.most is None:
        return ""
    return "met" if bar.met else "MISSED"
