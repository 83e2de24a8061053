"""Figures and the bars that they are held to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Bar", "table"]


@dataclass(frozen=True)
class Bar:
    """One figure.

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
    """

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure keeps to the bar."""
        low = self.least is None or self.value >= self.least
        return low and (self.most is None or self.value <= self.most)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values; None for what could not be measured."""
        value = None if math.isnan(self.value) else self.value
        return {**vars(self), "value": value, "met": self.met}


def table(bars: Iterable[Bar]) -> str:
    """Return the figures as lines of a table."""
    rows = [("what", "figure", "bar", "", "made of")]
    for bar in bars:
        limit = "" if bar.least is None else f">= {bar.least:g}"
        limit = limit if bar.most is None else f"<= {bar.most:g}"
        verdict = "" if not limit else "met" if bar.met else "MISSED"
        rows.append((bar.name, f"{bar.value:.3g} {bar.unit}", limit, verdict, bar.note))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
