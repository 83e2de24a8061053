"""What a package has counted of a whole column."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exact:
    """Missing values of a column, and its range if it has one."""

    missing: int
    least: object = None
    mean: float | None = None
    most: object = None
