"""Sets in an order that does not depend on the process: theirs is that of hashes."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, KeysView, Set
from heapq import nsmallest
from numbers import Real
from typing import Any, cast

from h2o_magic.prompts.introspection import named_parts
from h2o_magic.prompts.stable import stable

#: Items of the largest set that are compared in Python; a type's own order is faster.
_MOST = 100_000
_DEPTH = 8
_ORDERED: tuple[set[type], ...] = ({str}, {int}, {bytes})


def first_in_order(items: Iterable[object], limit: int) -> Iterable[object]:
    """Return the first items of a set in order; keys and others have one already."""
    if not isinstance(items, Set) or isinstance(items, KeysView):
        return items
    if set(map(type, items)) in _ORDERED:
        return nsmallest(limit, cast(Any, items))
    if len(items) > _MOST:
        return items
    return nsmallest(limit, items, key=_rank)


def _rank(value: object, depth: int = _DEPTH) -> tuple[Any, ...]:
    """Return what can be compared with that of any other value."""
    if isinstance(value, Real) and value == value:  # noqa: PLR0124 - NaN
        return 0, value
    if isinstance(value, str):
        return 1, str.__str__(value)
    if isinstance(value, datetime.date | datetime.time):
        return 1, value.isoformat()
    inner = _inside(value)
    if inner is None:
        return 4, stable(repr(value), value)
    ranks = [_rank(each, depth - 1) for each in inner] if depth else []
    if isinstance(value, Set):  # whose own `<` asks for subsets
        return 2, *sorted(ranks)
    return 3, *ranks


def _inside(value: object) -> Iterable[object] | None:
    if isinstance(value, tuple | Set):
        return value
    parts = named_parts(value)
    return None if parts is None else [part for _, part in parts]
