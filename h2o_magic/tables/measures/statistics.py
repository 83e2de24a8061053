"""The few statistics by which answers are judged, of counts alone."""

from __future__ import annotations

import math

#: The standard normal quantile of a two-sided interval of 95 %.
_Z = 1.959963984540054


def wilson(right: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share; (0, 1) of nothing."""
    if not of:
        return 0.0, 1.0
    share, spread = right / of, _Z * _Z / of
    middle = share + spread / 2
    half = _Z * math.sqrt(share * (1 - share) / of + spread / of / 4)
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return max(0.0 if right == 0 else low, 0.0), 1.0 if right == of else min(high, 1.0)


def mcnemar(one: int, other: int) -> float:
    """Return the exact two-sided p-value of McNemar's test.

    `one` and `other` count the rows on which only this or only that one was right. It
    is a sign test: each was as likely, if both are equally good.
    """
    few, all_ = min(one, other), one + other
    if one == other:
        return 1.0
    # Added from the largest term down, each from the one before: no large factorials.
    term = math.lgamma(all_ + 1) - math.lgamma(few + 1) - math.lgamma(all_ - few + 1)
    share, factor, total = math.exp(term - all_ * math.log(2)), 1.0, 0.0
    for count in range(few, -1, -1):
        total += factor
        factor *= count / (all_ - count + 1)
        if factor < total * 1e-17:
            break
    return min(1.0, 2 * share * total)
