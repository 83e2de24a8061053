"""Datasets and arrays of xarray: dimensions, coordinates, units and attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from h2o_magic.prompts.array_range import array_range
from h2o_magic.prompts.introspection import is_from
from h2o_magic.prompts.limits import cut_end
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.stable import stable
from h2o_magic.prompts.tables.columns import summary
from h2o_magic.prompts.texts import Lines

#: Attributes that are shown, and characters of one.
_ATTRIBUTES, _LONG = 10, 80
#: Values of a coordinate that are all read.
_COORDINATES = 10_000


def is_dataset(value: object) -> bool:
    return is_from(value, "xarray", "Dataset", "DataArray")


def described_dataset(value: Any, guard: Guard) -> Lines:
    """Return what is in a dataset; what is not in memory is not read."""
    return Lines(tuple(_lines(value, guard)))


def _lines(value: Any, guard: Guard) -> Iterator[str]:
    sizes = ", ".join(f"{name} {size:,}" for name, size in value.sizes.items())
    title = f"xarray {type(value).__name__}, dimensions: {sizes or 'none'}"
    if is_from(value, "xarray", "DataArray"):
        yield f"{title}; {_variable(value.name, value.variable, guard)}"
    else:
        yield title
        yield "data variables:"
        for name, variable in value.data_vars.items():
            yield f"- {_variable(name, variable.variable, guard)}"
    yield "coordinates:"
    for name, coordinate in value.coords.items():
        yield f"- {_variable(name, coordinate.variable, guard)}"
    if not is_from(value, "xarray", "DataArray"):
        yield from (f"attribute {each}" for each in _attributes(value.attrs, guard))


def _variable(name: object, variable: Any, guard: Guard) -> str:
    dimensions = ", ".join(map(str, variable.dims))
    name = "no name" if name is None else name
    facts = [f"{name} ({dimensions}) {variable.dtype}", _values(variable)]
    return "; ".join([*filter(None, facts), *_attributes(variable.attrs, guard)])


def _values(variable: Any) -> str:
    if not getattr(variable, "_in_memory", False) or variable.chunks is not None:
        return "not in memory"
    with suppress(Exception):  # of a package, on values that we do not know
        if not variable.ndim:
            return _text(variable.values.item())
        if variable.ndim == 1 and variable.size <= _COORDINATES:
            return summary(variable.to_index().tolist(), None, _text).brief
        return array_range(variable.values)
    return ""


def _attributes(attributes: Mapping[Any, Any], guard: Guard) -> Iterator[str]:
    guard.names(attributes)
    for name, value in list(attributes.items())[:_ATTRIBUTES]:
        guard.entry(name, value)
        yield f"{name}: {cut_end(' '.join(_text(value).split()), _LONG)}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else stable(str(value), value)
