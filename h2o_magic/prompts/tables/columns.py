"""What is in a column, from the values of it that were read."""

from __future__ import annotations

import datetime
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, cast

from h2o_magic.config.units import counted
from h2o_magic.prompts.limits import float_text
from h2o_magic.prompts.tables.cells import CellText, value_text
from h2o_magic.prompts.tables.disguises import disguise

_TIMES = (datetime.date, datetime.time, datetime.timedelta)
#: Commonest values that are shown, in brief and in full, and their characters.
_FEW, _MANY, _LONG = 5, 12, 40


@dataclass(frozen=True, slots=True)
class Exact:
    """What a package has counted of a whole column."""

    missing: int
    least: object = None
    mean: float | None = None
    most: object = None


@dataclass(frozen=True, slots=True)
class Summary:
    """The values of a column in words, in brief and in full; `shown` are in them."""

    distinct: int
    brief: str = ""
    full: str = ""
    shown: tuple[object, ...] = field(default=(), repr=False)


def summary(values: Iterable[object], exact: Exact | None, other: CellText) -> Summary:
    """Return what is in a column; None in `values` is missing."""
    present = [value for value in values if value is not None]
    if not present:
        return Summary(0)
    counts = _counted(present, other)
    if _all(present, (Real, Decimal)) and not _all(present, bool):
        whole = _all(present, Integral)
        numbers = [cast(float, n) if whole else float(cast(float, n)) for n in present]
        return Summary(len(counts), *_numbers(numbers, exact, len(counts)))
    times = _all(present, _TIMES) or type(present[0]).__name__ == "Period"
    if times and (said := _times(cast(Sequence[Any], present), exact, other)):
        return Summary(len(counts), said, said)
    return _commonest(counts, present, other)


def _all(values: Sequence[object], kinds: type | tuple[type, ...]) -> bool:
    return all(isinstance(value, kinds) for value in values)


def _counted(values: Sequence[object], other: CellText) -> Counter[object]:
    """Count values; those that cannot be (lists) count by their text."""
    try:
        return Counter(values)
    except TypeError:
        return Counter(value_text(value, other) for value in values)


def _numbers(
    values: Sequence[float], exact: Exact | None, distinct: int
) -> tuple[str, str]:
    finite = sorted(value for value in values if math.isfinite(value))
    if not finite:
        return "", ""
    infinite = len(values) - len(finite)
    found = exact or Exact(0)
    least = finite[0] if found.least is None else found.least
    most = finite[-1] if found.most is None else found.most
    mean = statistics.fmean(finite) if found.mean is None else found.mean
    low, middle, high = _quartiles(finite)
    reach = 1.5 * (high - low)
    outside = sum(not low - reach <= value <= high + reach for value in finite)
    notes = [f"{infinite} infinite or NaN"] if infinite else []
    if outside and distinct > 2:
        notes.append(f"{counted(outside, 'outlier')} by 1.5 IQR")
    small = _number(least), _number(mean), _number(most)
    brief = f"min {small[0]}, mean {small[1]}, max {small[2]}"
    quartiles = f"quartiles {_number(low)}, {_number(middle)}, {_number(high)}"
    spread = f"std {_number(statistics.stdev(finite))}" if len(finite) > 1 else ""
    full = [brief, quartiles if distinct > 2 else "", spread, *notes]
    return ", ".join([brief, *notes]), ", ".join(filter(None, full))


def _quartiles(ordered: Sequence[float]) -> tuple[float, float, float]:
    if len(ordered) == 1:
        return (ordered[0],) * 3
    low, middle, high = statistics.quantiles(ordered, n=4, method="inclusive")
    return low, middle, high


def _number(value: object) -> str:
    if isinstance(value, Integral):
        return str(value)
    return float_text(float(cast(float, value)), 6)


def _times(values: Sequence[Any], exact: Exact | None, other: CellText) -> str:
    with suppress(TypeError, ValueError):  # some with a time zone, others without
        known = exact is not None and exact.least is not None
        least, most = (exact.least, exact.most) if exact and known else (None, None)
        least = min(values) if least is None else least
        most = max(values) if most is None else most
        said = f"min {value_text(least, other)}, max {value_text(most, other)}"
        return f"{said}{_steps(values)}"
    return ""


def _steps(values: Sequence[Any]) -> str:
    """Return the steps of ordered times, commonest first: a rarer one is a gap."""
    if not isinstance(values[0], datetime.date) or not 2 < len(values) <= 10_000:
        return ""
    steps = Counter(b - a for a, b in zip(values, values[1:], strict=False))
    if (
        min(steps) < datetime.timedelta(0)
        or steps.most_common(1)[0][1] < len(values) / 3
    ):
        return ""
    shown = [f"{_step(step)} ({count})" for step, count in steps.most_common(3)]
    more = f", {len(steps) - 3} more" if len(steps) > 3 else ""
    return f", steps {', '.join(shown)}{more}"


def _step(step: datetime.timedelta) -> str:
    plain = datetime.timedelta(seconds=step.total_seconds())  # not that of pandas
    return str(plain).removesuffix(", 0:00:00")


def _commonest(
    counts: Counter[object], values: Sequence[object], other: CellText
) -> Summary:
    kinds = Counter(getattr(v, "geom_type", type(v).__name__) for v in values)
    mixed = len(kinds) > 1 or hasattr(values[0], "geom_type")
    notes = [f"types {_with_counts(kinds.most_common(4))}"] if mixed else []
    if set(kinds) == {"str"}:
        notes += filter(None, [disguise(cast(Counter[str], counts))])
    ordered = counts.most_common(_MANY)

    def said(number: int) -> str:
        if len(counts) == len(values) > 1:
            some = ", ".join(
                _short(value, other) for value, _ in ordered[: number // 2]
            )
            return "; ".join([*notes, f"all different, such as {some}"])
        shown = [(_short(value, other), count) for value, count in ordered[:number]]
        more = f", {len(counts) - number} more" if len(counts) > number else ""
        return "; ".join([*notes, f"{_with_counts(shown)}{more}"])

    shown = tuple(value for value, _ in ordered)
    return Summary(len(counts), said(_FEW), said(_MANY), shown)


def _short(value: object, other: CellText) -> str:
    text = value_text(value, other)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _with_counts(pairs: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{value} ({count})" for value, count in pairs)
