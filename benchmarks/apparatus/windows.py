"""The most that comes in any second, wherever that second begins."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["most_within"]


def most_within(amounts: Iterable[tuple[float, float]], seconds: float = 1.0) -> float:
    """Return the largest sum of what came in any span of time of this length.

    It is defined for what lasted less than the span, too: all of it came in one.

    Parameters
    ----------
    amounts
        When something came, in seconds and in order, and how much.
    seconds
        The span's length. What comes exactly this long after the span's first is not
        in it any more.
    """
    came = list(amounts)
    most = within = 0.0
    oldest = 0
    for when, amount in came:
        within += amount
        while when - came[oldest][0] >= seconds:
            within -= came[oldest][1]
            oldest += 1
        most = max(most, within)
    return most
