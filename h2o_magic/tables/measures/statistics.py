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
    if one == other:
        return 1.0
    rows = one + other

    def share(few: int) -> float:  # by logarithms: factorials would be too large
        ways = math.lgamma(few + 1) + math.lgamma(rows - few + 1)
        return math.exp(math.lgamma(rows + 1) - ways - rows * math.log(2))

    return min(1.0, 2 * math.fsum(map(share, range(min(one, other) + 1))))
