"""A JSON value as an object of the type that was asked for.

The usual types are built here, as `type_schema` writes their schemas; pydantic builds
its own models, and all other types.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import json
import re
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal, Union, get_args, get_origin, is_typeddict

from h2o_magic.rendering.json import AnswerFormatError
from h2o_magic.rendering.schema import problems
from h2o_magic.rendering.tables import shorten
from h2o_magic.rendering.type_schema import part_schema, pydantic_adapter

_LONGEST = 200  # characters of a reason

_UNCHANGED = (str, bool, dict, list, type(None), Any)
_SEQUENCES: Mapping[Any, Callable[[list[Any]], object]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    tuple: tuple,
    collections.abc.Sequence: list,
}


def as_typed(value: Any, kind: Any) -> Any:
    """Return a JSON value that fits a type's schema as a value of that type.

    A dataclass or a pydantic model gives its instance, a TypedDict a dict; without a
    type the value stays as it is. What the schema could not tell is an
    AnswerFormatError that says where: a date that is none, what the type's own code
    refuses.
    """
    if kind is None:
        return value
    try:
        return _built(value, kind, "")
    except (TypeError, NameError, RecursionError):
        return _by_pydantic(value, kind, "")


def _built(value: Any, kind: Any, place: str) -> Any:  # noqa: PLR0911 - a case a kind
    origin, parts = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        fields = _fields(value, kind, place)
        return _made(lambda: kind(**fields), kind, place)
    if is_typeddict(kind):
        return _fields(value, kind, place)
    if hasattr(kind, "model_validate_json"):
        return _by_pydantic(value, kind, place)
    if isinstance(kind, enum.EnumMeta) or origin is Literal:
        return _chosen(value, parts or tuple(kind))
    if isinstance(kind, typing.NewType):
        return _built(value, kind.__supertype__, place)
    if origin in (Union, types.UnionType):
        return _first_that_fits(value, parts, place)
    if origin in _SEQUENCES:
        return _sequence(value, origin, parts, place)
    if origin is dict and parts[0] is str:
        return {k: _built(v, parts[1], _inside(place, k)) for k, v in value.items()}
    if origin is None and kind in _UNCHANGED:
        return value
    if origin is None and kind in _READ:
        return _made(lambda: _READ[kind](value), kind, place)
    raise TypeError(f"{kind} is for pydantic")


def _fields(value: dict[str, Any], kind: Any, place: str) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {k: _built(v, hints[k], _inside(place, k)) for k, v in value.items()}


def _sequence(value: list[Any], kind: Any, parts: tuple[Any, ...], place: str) -> Any:
    several = kind is tuple and parts[1:] != (...,)
    kinds = parts if several else parts[:1] * len(value)
    pairs = enumerate(zip(value, kinds, strict=True))
    built = [_built(item, part, f"{place}[{n}]") for n, (item, part) in pairs]
    return _made(lambda: _SEQUENCES[kind](built), kind, place)


def _chosen(value: Any, choices: tuple[Any, ...]) -> Any:
    for each in choices:
        plain = each.value if isinstance(each, enum.Enum) else each
        if plain == value and isinstance(plain, bool) == isinstance(value, bool):
            return each
    raise TypeError(f"{value!r} is not one of the choices")


def _first_that_fits(value: Any, kinds: tuple[Any, ...], place: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    fitting = [k for k in kinds[:-1] if not problems(value, part_schema(k))]
    for kind in fitting:
        with suppress(AnswerFormatError):  # a date that is none
            return _built(value, kind, place)
    return _built(value, kinds[-1], place)


def _by_pydantic(value: Any, kind: Any, place: str) -> Any:
    # Of JSON: only there a strict model reads a date from text.
    adapter, text = pydantic_adapter(kind), json.dumps(value)
    return _made(lambda: adapter.validate_json(text), kind, place)


def _made(make: Callable[[], Any], kind: Any, place: str) -> Any:
    """Return what `make` makes; whatever a type's own code raises has its place."""
    try:
        return make()
    except Exception as error:
        reason = shorten("; ".join(_reasons(error)), _LONGEST)
        name = getattr(kind, "__name__", str(kind))
        raise AnswerFormatError(
            f"{place or 'the answer'}: expected a value for {name}: {reason}"
        ) from error


def _reasons(error: Exception) -> list[str]:
    """Return what is wrong; of pydantic's errors each with its place."""
    details = getattr(error, "errors", None)
    if not callable(details):
        return [" ".join(str(error).split()) or type(error).__name__]
    places = [(".".join(map(str, each["loc"])), each["msg"]) for each in details()]
    return [f"{place}: {reason}".removeprefix(": ") for place, reason in places]


def _with_offset(text: str) -> str:
    return re.sub(r"[zZ]$", "+00:00", text)  # which Python 3.10 does not read


#: Types that JSON has no type for, and numbers, which may be whole as 1.0.
_READ: Mapping[Any, Callable[[Any], object]] = {
    int: int,
    float: float,
    decimal.Decimal: lambda number: decimal.Decimal(str(number)),
    datetime.datetime: lambda text: datetime.datetime.fromisoformat(_with_offset(text)),
    datetime.date: datetime.date.fromisoformat,
    datetime.time: lambda text: datetime.time.fromisoformat(_with_offset(text)),
    uuid.UUID: uuid.UUID,
}


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}".removeprefix(".")
