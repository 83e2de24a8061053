"""A value at a glance: its type and size, for a list of variables.

Nothing is computed, and no code of the user's runs: sizes are read of Python's own
containers, by Python's own methods, and of libraries whose shapes are plain numbers.
"""

from __future__ import annotations

import math
import types
from collections import deque
from contextlib import suppress
from typing import Any

from h2o_magic.config.units import counted, size_in_words

#: Libraries in which reading a shape computes nothing; duckdb's and dask's would.
_SHAPED = {
    *("numpy", "pandas", "geopandas", "polars", "pyarrow", "xarray", "scipy"),
    *("torch", "jax", "jaxlib", "cupy"),
}
_FRAMES = {"DataFrame", "LazyFrame", "Table"}
_TABLED = {"pandas", "polars", "pyarrow", "dask", "pyspark"}
_FIGURES = {("matplotlib", "Figure"), ("PIL", "Image"), ("plotly", "BaseFigure")}
_CONTAINERS: tuple[Any, ...] = (list, tuple, dict, set, frozenset, deque, range)
_ATOMS: tuple[Any, ...] = (int, float, complex, type(None))
#: Characters of a token; tokens of an item of a list, and of a number.
_CHARACTERS, _ITEM, _ATOM = 3, 8, 4
#: Tokens of the description of a table or an array: its frame, a column, a cell.
_FRAME, _COLUMN, _CELL = 40, 25, 4
_BYTES: tuple[Any, ...] = (bytes, bytearray)
_CODE = (
    (types.ModuleType, "module"),
    (type, "class"),
    (types.FunctionType, "function"),
    (types.BuiltinFunctionType, "function"),
    (types.MethodType, "function"),
)
# A class as Python keeps it, also one whose metaclass says something else.
_name_of, _module_of, _bases_of = (
    type.__dict__[name].__get__ for name in ("__name__", "__module__", "__mro__")
)


def glance(value: object) -> str:
    """Return a value's type and size: ``list · 3``, ``ndarray · 3 × 4 float64``."""
    kind = code_kind(value) or str(_name_of(type(value)))
    return " · ".join(filter(None, [kind, _size(value)]))


def code_kind(value: object) -> str:
    """Return what code a value is: module, class or function; empty if it is data."""
    return next((word for kind, word in _CODE if _is(value, kind)), "")


def weight(value: object, most: int) -> int:
    """Return about how many tokens a value has in a prompt, where `most` describe one.

    A text counts whole. Nothing of the value is read but its length or shape.
    """
    if _is(value, str):
        return str.__len__(value) // _CHARACTERS  # type: ignore[arg-type]
    for kind in _CONTAINERS:
        if _is(value, kind):
            return min(int(kind.__len__(value)) * _ITEM, most)
    if any(_is(value, kind) for kind in _ATOMS):
        return _ATOM
    if shape := _shape(value):
        columns = shape[1] if is_frame(value) and len(shape) > 1 else 1
        return min(_FRAME + _COLUMN * columns + _CELL * math.prod(shape), most)
    return most


def is_frame(value: object) -> bool:
    """Return whether a value is a table of named columns."""
    names = map(_origin, _bases_of(type(value)))
    return any(package in _TABLED and name in _FRAMES for package, name in names)


def is_figure(value: object) -> bool:
    """Return whether a value is a chart or a picture."""
    return not _FIGURES.isdisjoint(map(_origin, _bases_of(type(value))))


def _is(value: object, kind: type) -> bool:
    return issubclass(type(value), kind)  # `isinstance` would ask its `__class__`


def _origin(kind: type) -> tuple[str, str]:
    """Return the package and the name of a class."""
    module: object = _module_of(kind)
    package = module.partition(".")[0] if type(module) is str else ""
    return package, _name_of(kind)


def _size(value: object) -> str:
    if _is(value, str):
        return counted(str.__len__(value), "character")  # type: ignore[arg-type]
    for kind in _BYTES:
        if _is(value, kind):
            return size_in_words(kind.__len__(value))
    for kind in _CONTAINERS:
        if _is(value, kind):
            return f"{kind.__len__(value):,}"
    with suppress(Exception):  # of a foreign object
        if shape := _shape(value):
            return _extent(value, shape)
    return ""


def _shape(value: Any) -> tuple[int, ...]:
    """Return the shape of a table or an array; empty if it is none or would compute."""
    with suppress(Exception):  # of a foreign object
        if _origin(type(value))[0] in _SHAPED:
            shape = tuple(value.shape)
            if all(type(length) is int for length in shape):
                return shape
    return ()


def _extent(value: Any, shape: tuple[int, ...]) -> str:
    """Return the shape of a table or an array, and of an array what it holds."""
    held = "" if is_frame(value) else str(getattr(value, "dtype", ""))
    extent = " × ".join(f"{length:,}" for length in shape)
    return f"{extent} {held.removeprefix('torch.')}".rstrip()
