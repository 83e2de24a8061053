"""Fits a conversation into a model's context: pure arithmetic, no engine.

Where input and answer do not fit together, the input gives way: the oldest turns first,
each whole, then the beginning of the question. The system text is never dropped.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

__all__ = ["answer_room", "turns_to_drop"]


def answer_room(context: int, input_length: int, max_new_tokens: int) -> int:
    """Return how many tokens the answer may have after `input_length` of input."""
    return min(max_new_tokens, context - input_length)


def turns_to_drop(turns: int, length: Callable[[int], int], room: int) -> int:
    """Return the fewest oldest turns to leave out so that the input fits.

    Parameters
    ----------
    turns
        How many earlier turns there are.
    length
        Gives the input's length in tokens without that many oldest turns.
    room
        Tokens that the input may have.

    Returns
    -------
    int
        From 0 to `turns`; `turns` also where not even the question alone fits.
    """
    if length(0) <= room:
        return 0
    # Dropping more never makes the input longer, so the first fit is found by halving.
    rest = range(1, turns)
    return 1 + bisect_left(rest, True, key=lambda n: length(n) <= room) if turns else 0
