"""The least, mean and greatest value of an array, without a copy of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from h2o_magic.prompts.introspection import is_from
from h2o_magic.prompts.limits import float_text

#: Values that are looked at, and of how many at a time there may be a copy.
_MOST, _AT_ONCE = 50_000_000, 1_000_000


def array_range(array: Any) -> str:
    """Return the range of an array's numbers or times; empty if it has none."""
    if 0 in array.shape:
        return ""
    with suppress(Exception):  # of a package, on values that we do not know
        if is_from(array, "numpy") and array.dtype.kind in "iufmM":
            return _of_numpy(array)
        if (
            is_from(array, "torch")
            and not array.is_complex()
            and array.numel() <= _MOST
        ):
            return _of_torch(array.detach())
    return ""


def _of_numpy(array: Any) -> str:
    numpy = sys.modules["numpy"]
    is_time = array.dtype.kind in "mM"
    least, most, total, missing, count = [], [], 0.0, 0, 0
    for part in _parts(array):
        gone = numpy.isnat(part) if is_time else numpy.isnan(part)
        missing += int(gone.sum())
        present = part[~gone] if gone.any() else part
        count += present.size
        if present.size:
            least.append(present.min())
            most.append(present.max())
            total += 0 if is_time else float(present.sum(dtype="float64"))
    if not least:
        return f"{missing:,} missing"
    mean = None if is_time else total / count
    said = _said(min(least), mean, max(most), missing, "NaT" if is_time else "NaN")
    return said if count + missing == array.size else f"{said} in the first {count:,}"


def _parts(array: Any) -> Iterator[Any]:
    """Yield parts of an array along its first axis, up to the most values."""
    row = max(array[0].size, 1)
    step = max(_AT_ONCE // row, 1)
    for start in range(0, min(len(array), max(_MOST // row, 1)), step):
        yield array[start : start + step]


def _of_torch(tensor: Any) -> str:
    """Return a tensor's range, found on the device where it is."""
    if str(tensor.dtype) == "torch.bool":
        return f"{int(tensor.sum()):,} True"
    gone = tensor.isnan()
    missing = int(gone.sum())
    present = tensor[~gone] if missing else tensor
    if not present.numel():
        return f"{missing:,} NaN"
    mean = float(
        present.double().mean()
        if tensor.device.type == "cpu"
        else present.float().mean()
    )
    return _said(present.min().item(), mean, present.max().item(), missing, "NaN")


def _said(
    least: object, mean: float | None, most: object, missing: int, word: str
) -> str:
    middle = [] if mean is None else [f"mean {float_text(mean)}"]
    gaps = [f"{missing:,} {word}"] if missing else []
    return ", ".join([f"min {_text(least)}", *middle, f"max {_text(most)}", *gaps])


def _text(value: Any) -> str:
    value = (
        value.item()
        if getattr(getattr(value, "dtype", None), "kind", "M") in "iuf"
        else value
    )
    return float_text(value) if isinstance(value, float) else str(value)
