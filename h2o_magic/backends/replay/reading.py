"""What a file's JSON says, as the values of an answer; errors say what does not fit.

A KeyError, a TypeError, a ValueError or an ArithmeticError, for :func:`fault`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, get_type_hints

from h2o_magic.chat.events import Source, Usage

_T = TypeVar("_T", Source, Usage)
_V = TypeVar("_V")

#: Milliseconds from a question to a piece of its answer: eleven days.
_LONGEST = 10**9


def fault(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def facts_of(kind: type[_T], value: object) -> _T | None:
    """Return stored facts; fields of a later version are left out."""
    if value is None:
        return None
    given, types = of_kind(dict, value), _types()[kind]
    names = types.keys() & given
    return kind(**{name: of_kind(types[name], given[name]) for name in names})


@cache
def _types() -> Mapping[object, Mapping[str, Any]]:
    """Return the types of the fields of facts; a float's may be a whole number."""
    hints = {kind: get_type_hints(kind).items() for kind in (Source, Usage)}
    return {
        kind: {name: t | int if isinstance(0.0, t) else t for name, t in found}
        for kind, found in hints.items()
    }


def of_kind(kind: type[_V], value: object) -> _V:
    if not isinstance(value, kind):
        name = getattr(kind, "__name__", kind)
        raise TypeError(f"expected {name}, got {value!r:.80}")
    return value


def duration(value: Any) -> float | None:
    """Return seconds that can be waited for, as of pieces; None for none."""
    if value is not None and not 0 <= value <= _LONGEST / 1000:
        raise ValueError(f"expected seconds, got {value!r:.80}")
    return value if value is None else float(value)


def pieces_of(value: Any) -> tuple[tuple[int, int], ...]:
    """Return pieces, which come one after the other."""
    pieces = tuple((int(at), int(size)) for at, size in value)
    times = [0, *(at for at, _ in pieces)]
    if sorted(times) != times or any(size < 0 for _, size in pieces):
        raise ValueError("pieces out of order")
    if times[-1] > _LONGEST:
        raise ValueError(f"expected pieces within {_LONGEST:,} milliseconds")
    return pieces
