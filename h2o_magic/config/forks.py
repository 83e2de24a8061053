"""What a process that is forked from this one begins anew: locks, queues, connections.

Of all threads a fork has only the one that made it: what the others held is never let
go, and what they were at never ends. What the parent has open is the parent's.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from weakref import WeakMethod

_renewals: set[Callable[[], Callable[[], None] | None]] = set()


def in_child(renew: Callable[[], None]) -> None:
    """Have a function called in each forked process; of a method, while it lives."""
    try:
        _renewals.add(WeakMethod(renew, _renewals.discard))
    except TypeError:  # a function
        _renewals.add(lambda: renew)


def _renew() -> None:
    for reference in tuple(_renewals):
        if (renew := reference()) is not None:
            renew()


with suppress(AttributeError):  # Windows
    os.register_at_fork(after_in_child=_renew)
