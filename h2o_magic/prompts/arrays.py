"""Arrays of numpy and alike as their shape, type and first values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from h2o_magic.prompts.limits import Limits, cut_end, float_text
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.structures import Printer

#: Values of an array of three or more dimensions that are shown, about.
_VALUES = 1000

_DIGITS = {"float16": 4, "bfloat16": 3, "float32": 7}


def is_array(value: object) -> bool:
    shape = getattr(value, "shape", None)
    return (
        not isinstance(value, type)
        and isinstance(shape, tuple)
        and all(isinstance(size, int) for size in shape)
        and hasattr(value, "dtype")
    )


def is_scalar(value: object) -> bool:
    """Return whether a value is a scalar of numpy or alike."""
    return is_array(value) and cast(Any, value).shape == () and hasattr(value, "item")


def array_summary(value: object) -> str:
    """Return an array in a few words, for an array in a list."""
    array = cast(Any, value)
    return f"<{type(value).__name__} of shape {array.shape}, {_dtype(array)}>"


def array_text(value: object, limits: Limits, printer: Printer, guard: Guard) -> str:
    """Return an array's shape, type and first values."""
    array = cast(Any, value)
    shape = tuple(int(size) for size in array.shape)
    shown = _sizes(shape, limits)
    lines = [f"{type(value).__name__} of shape {shape}, dtype {_dtype(array)}"]
    nested = _nested(array[tuple(slice(size) for size in shown)])
    if nested is None:
        return f"{lines[0]}:\n{cut_end(str(value), limits.characters)}"
    for place, name in enumerate(getattr(array.dtype, "names", None) or ()):
        guard.column(name, (row[place] for row in _rows(nested)))
    digits = _DIGITS.get(_dtype(array), 10)

    def value_text(part: object) -> str:
        if isinstance(part, float):
            return float_text(part, digits)
        return printer.cell(part, limits.text)

    text = _values(nested, list(zip(shape, shown, strict=True)), value_text)
    if cut_short := _note(shape, shown):
        lines.append(cut_short)
    return f"{', '.join(lines)}:\n{cut_end(text, limits.characters)}"


def _dtype(array: Any) -> str:
    return str(array.dtype).removeprefix("torch.")


def _sizes(shape: tuple[int, ...], limits: Limits) -> tuple[int, ...]:
    if len(shape) == 1:
        most = [limits.items]
    elif len(shape) == 2:
        most = [limits.rows, limits.columns]
    else:
        most = [max(1, int(_VALUES ** (1 / max(len(shape), 1))))] * len(shape)
    return tuple(map(min, shape, most))


def _note(shape: tuple[int, ...], shown: tuple[int, ...]) -> str:
    if shape == shown:
        return ""
    first = " x ".join(f"{size:,}" for size in shown)
    return f"only the first {first} shown"


def _nested(part: Any) -> object:
    """Return an array's values as Python's, in lists; None if it cannot."""
    if str(part.dtype).startswith(("datetime64", "timedelta64")):
        part = part.astype(str)
    if not hasattr(part, "tolist"):
        part = getattr(part, "values", part)
    return part.tolist() if hasattr(part, "tolist") else None


def _rows(nested: object) -> Iterator[tuple[object, ...]]:
    if isinstance(nested, tuple):
        yield nested
    elif isinstance(nested, list):
        for part in nested:
            yield from _rows(part)


def _values(
    nested: object,
    sizes: list[tuple[int, int]],
    shown: Callable[[object], str],
    indent: str = "",
) -> str:
    """Return nested lists as text; `sizes`: length and number shown of each."""
    if not sizes:
        return shown(nested)
    (size, here), *inner = sizes
    parts = [
        _values(part, inner, shown, f"{indent} ") for part in cast(list[object], nested)
    ]
    if size > here:
        parts.append(f"… {size - here:,} more")
    between = f",\n{indent} " if inner else ", "
    return f"[{between.join(parts)}]"
