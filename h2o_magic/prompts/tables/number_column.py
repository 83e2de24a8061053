"""A column of numbers in words: range, mean, quartiles, outliers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from numbers import Integral
from typing import cast

from h2o_magic.config.units import counted
from h2o_magic.prompts.limits import float_text
from h2o_magic.prompts.tables.frames import Exact


def numbers_in_words(
    values: Sequence[float], exact: Exact | None, distinct: int
) -> tuple[str, str, str]:
    """Return numbers in a few words, in brief and in full."""
    finite = sorted(value for value in values if math.isfinite(value))
    if not finite:
        return ("no finite number",) * 3
    found = exact or Exact(0)
    least = finite[0] if found.least is None else found.least
    most = finite[-1] if found.most is None else found.most
    mean = statistics.fmean(finite) if found.mean is None else found.mean
    low, middle, high = _quartiles(finite)
    infinite = len(values) - len(finite)
    notes = f", {infinite} infinite or NaN" if infinite else ""
    notes += _outliers(finite, low, high) if distinct > 2 else ""
    short = f"{_number(least, 4)} to {_number(most, 4)}, mean {_number(mean, 4)}"
    brief = f"min {_number(least)}, mean {_number(mean)}, max {_number(most)}"
    full = brief
    if distinct > 2:
        quartiles = ", ".join(map(_number, (low, middle, high)))
        full += f", quartiles {quartiles}, std {_number(_deviation(finite))}"
    return short, brief + notes, full + notes


def _outliers(finite: Sequence[float], low: float, high: float) -> str:
    reach = 1.5 * (high - low)
    outside = sum(not low - reach <= value <= high + reach for value in finite)
    return f", {counted(outside, 'outlier')} by 1.5 IQR" if outside else ""


def _quartiles(ordered: Sequence[float]) -> tuple[float, float, float]:
    several = [*ordered, ordered[0]] if len(ordered) == 1 else ordered
    low, middle, high = statistics.quantiles(several, n=4, method="inclusive")
    return low, middle, high


def _deviation(values: Sequence[float]) -> float:
    mean = statistics.fmean(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return math.sqrt(squares / (len(values) - 1))


def _number(value: object, digits: int = 6) -> str:
    if isinstance(value, Integral):
        return str(value)
    return float_text(float(cast(float, value)), digits)
