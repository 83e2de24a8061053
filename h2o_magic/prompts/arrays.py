"""Arrays of numpy, torch and alike: shape, type, range and first values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from h2o_magic.chat.tokens import tokens_in
from h2o_magic.prompts.array_range import array_range
from h2o_magic.prompts.limits import float_text
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.structures import Printer
from h2o_magic.prompts.texts import Cut

#: First values that are kept: of one dimension, of two, and of all of more.
_ITEMS, _ROWS, _COLUMNS, _VALUES = 1_000, 100, 20, 1_000
#: Characters of a value that is no number.
_LONG = 200

_PACKAGES = {"numpy", "torch", "jax", "jaxlib", "tensorflow", "cupy", "mlx", "pandas"}


@dataclass(frozen=True, slots=True)
class ArrayText(Cut):
    """An array: what it is, and the first of its `length` parts as text."""

    summarizes: ClassVar[bool] = True
    title: str
    parts: tuple[str, ...]
    length: int

    @property
    def size(self) -> int:
        return len(self.parts)

    @property
    def least(self) -> int:
        return tokens_in(self.cut(0))

    def cut(self, size: int) -> str:
        parts = list(self.parts[:size])
        if self.length > size:
            parts.append(f"… {self.length - size:,} more")
        nested = bool(self.parts) and self.parts[0].startswith("[")
        return (
            f"{self.title}:\n[{(',' + chr(10) + ' ' if nested else ', ').join(parts)}]"
        )


def is_array(value: object) -> bool:
    """Return whether a value is an array; not one that has a text of its own."""
    shape = getattr(value, "shape", None)
    return (
        not isinstance(value, type)
        and isinstance(shape, tuple)
        and all(isinstance(size, int) for size in shape)
        and hasattr(value, "dtype")
        and _says_no_more(type(value))
    )


def _says_no_more(kind: type) -> bool:
    """Return whether the text of a type is that of an array: no units, no names."""
    owner = next(each for each in kind.__mro__ if "__repr__" in vars(each))
    return owner is object or owner.__module__.partition(".")[0] in _PACKAGES


def is_scalar(value: object) -> bool:
    """Return whether a value is a scalar of numpy or alike."""
    return is_array(value) and cast(Any, value).shape == () and hasattr(value, "item")


def array_summary(value: object) -> str:
    """Return an array in a few words, for an array in a list."""
    array = cast(Any, value)
    return f"<{type(value).__name__} of shape {array.shape}, {_dtype(array)}>"


def described_array(
    value: object, printer: Printer, guard: Guard, count: int | None
) -> ArrayText | None:
    """Return an array's facts and its first values, at most `count` of the first axis.

    None for one that does not give its values.
    """
    array = cast(Any, value)
    shape = tuple(int(size) for size in array.shape)
    shown = _sizes(shape, count)
    nested = _nested(array[tuple(slice(size) for size in shown)])
    if not isinstance(nested, list):
        return None
    for place, name in enumerate(getattr(array.dtype, "names", None) or ()):
        guard.column(name, (row[place] for row in _rows(nested)))

    def value_text(part: object) -> str:
        return (
            float_text(part) if isinstance(part, float) else printer.cell(part, _LONG)
        )

    inner = list(zip(shape, shown, strict=True))[1:]
    parts = tuple(_values(part, inner, value_text, " ") for part in nested)
    facts = [f"{type(value).__name__} of shape {shape}, dtype {_dtype(array)}"]
    facts += filter(None, [_device(array), array_range(array)])
    return ArrayText(", ".join(facts), parts, shape[0])


def _dtype(array: Any) -> str:
    return str(array.dtype).removeprefix("torch.")


def _device(array: Any) -> str:
    device = str(getattr(array, "device", ""))
    return f"on {device}" if device.startswith(("cuda", "mps", "xpu")) else ""


def _sizes(shape: tuple[int, ...], count: int | None) -> tuple[int, ...]:
    if len(shape) == 1:
        most = [_ITEMS]
    elif len(shape) == 2:
        most = [_ROWS, _COLUMNS]
    else:
        most = [max(1, int(_VALUES ** (1 / len(shape))))] * len(shape)
    return tuple(map(min, shape, [min(most[0], count or most[0]), *most[1:]]))


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
    indent: str,
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
