"""The least, mean and greatest value of an array, without a copy of it."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from h2o_magic.prompts.introspection import is_from
from h2o_magic.prompts.limits import float_text

#: Values that are looked at, and of how many at a time there may be a copy.
_MOST, _AT_ONCE = 50_000_000, 1_000_000


def array_range(array: Any) -> str:
    """Return the range of an array's numbers or times; empty if it has none.

    Of a tensor on another device only these few numbers are brought here.
    """
    if 0 in array.shape or not array.shape:
        return ""
    with suppress(Exception):  # of a package, on values that we do not know
        if str(array.dtype) in ("bool", "torch.bool"):
            return f"{int(array.sum()):,} True"
        if is_from(array, "numpy"):
            return _of_numpy(array)
        if is_from(array, "torch"):
            return _of_torch(array.detach())
    return ""


def _of_numpy(array: Any) -> str:
    numpy, kind = sys.modules["numpy"], array.dtype.kind
    if kind in "mM":
        return _range(array, numpy.isnat, None)
    return _range(array, numpy.isnan, "float64") if kind in "iuf" else ""


def _of_torch(tensor: Any) -> str:
    torch = sys.modules["torch"]
    exact = torch.float32 if tensor.device.type == "mps" else torch.float64
    return "" if tensor.is_complex() else _range(tensor, torch.isnan, exact)


def _range(array: Any, is_gone: Callable[[Any], Any], summed_as: object) -> str:
    """Return the range of an array, read part by part; times are not summed."""
    ends: list[Any] = []
    total, missing, count = 0.0, 0, 0
    for part in _parts(array):
        gone = is_gone(part)
        missing += int(gone.sum())
        present = part[~gone] if gone.any() else part
        if size := math.prod(present.shape):
            count += size
            ends += [present.min(), present.max()]
            total += float(present.sum(dtype=summed_as)) if summed_as else 0
    word = "NaN" if summed_as else "NaT"
    notes = [f"{missing:,} {word}"] if missing else []
    if _rows(array) < len(array):
        notes.append(f"in the first {count + missing:,}")
    if not ends:
        return ", ".join(notes)
    mean = [f"mean {float_text(total / count)}"] if summed_as else []
    return ", ".join(
        [f"min {_text(min(ends))}", *mean, f"max {_text(max(ends))}", *notes]
    )


def _parts(array: Any) -> Iterator[Any]:
    """Yield parts of an array along its first axis, without what a mask hides."""
    step = max(_AT_ONCE // math.prod(array.shape[1:]), 1)
    for start in range(0, _rows(array), step):
        part = array[start : min(start + step, _rows(array))]
        yield part.compressed() if hasattr(part, "compressed") else part


def _rows(array: Any) -> int:
    """Return how much of the first axis is read."""
    return int(min(len(array), max(_MOST // math.prod(array.shape[1:]), 1)))


def _text(value: Any) -> str:
    number = value.item() if getattr(value.dtype, "kind", "f") in "iuf" else value
    return float_text(number) if isinstance(number, float) else str(number)
