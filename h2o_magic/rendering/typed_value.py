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
from typing import Any, Literal, Union, get_args, get_origin, is_typeddict

from h2o_magic.rendering.json import AnswerFormatError
from h2o_magic.rendering.tables import shorten
from h2o_magic.rendering.type_schema import pydantic_adapter

_LONGEST = 200  # characters of a reason

_UNCHANGED: Mapping[Any, type] = {
    str: str,
    bool: bool,
    dict: dict,
    list: list,
    type(None): type(None),
    Any: object,
}
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
        return _chosen(value, parts or tuple(kind), place)
    if isinstance(kind, typing.NewType):
        return _built(value, kind.__supertype__, place)
    if origin in (Union, types.UnionType):
        return _first_that_fits(value, parts, place)
    if origin in _SEQUENCES:
        return _sequence(value, origin, parts, place)
    if origin is dict and parts[0] is str:
        items = _expect(value, dict, place).items()
        return {k: _built(v, parts[1], _inside(place, k)) for k, v in items}
    if origin is None and kind in _UNCHANGED:
        return _expect(value, _UNCHANGED[kind], place)
    if origin is None and kind in _READ:
        return _made(lambda: _READ[kind](value), kind, place)
    raise TypeError(f"{kind} is for pydantic")


def _fields(value: Any, kind: Any, place: str) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    given = _expect(value, dict, place)
    if not given.keys() <= hints.keys():  # it may be of another type of a union
        raise AnswerFormatError(f"{_named(place)}: not a {kind.__name__}")
    return {k: _built(v, hints[k], _inside(place, k)) for k, v in given.items()}


def _sequence(value: Any, kind: Any, parts: tuple[Any, ...], place: str) -> Any:
    items = _expect(value, list, place)
    several = kind is tuple and parts[1:] != (...,)
    kinds = parts if several else parts[:1] * len(items)
    if len(kinds) != len(items):
        wanted = f"expected {len(kinds)} items, got {len(items)}"
        raise AnswerFormatError(f"{_named(place)}: {wanted}")
    pairs = enumerate(zip(items, kinds, strict=True))
    built = [_built(item, part, f"{place}[{n}]") for n, (item, part) in pairs]
    return _made(lambda: _SEQUENCES[kind](built), kind, place)


def _chosen(value: Any, choices: tuple[Any, ...], place: str) -> Any:
    for choice in choices:
        plain = choice.value if isinstance(choice, enum.Enum) else choice
        if plain == value and isinstance(plain, bool) == isinstance(value, bool):
            return choice
    raise AnswerFormatError(f"{_named(place)}: not one of the choices: {value!r}")


def _first_that_fits(value: Any, kinds: tuple[Any, ...], place: str) -> Any:
    failures = []
    for kind in kinds:
        try:
            return _built(value, kind, place)
        except AnswerFormatError as error:
            failures.append(error)
    raise failures[0]


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
            f"{_named(place)}: expected a value for {name}: {reason}"
        ) from error


def _reasons(error: Exception) -> list[str]:
    """Return what is wrong; of pydantic's errors each with its place."""
    details = getattr(error, "errors", None)
    if not callable(details):
        return [" ".join(str(error).split()) or type(error).__name__]
    places = [(".".join(map(str, each["loc"])), each["msg"]) for each in details()]
    return [f"{place}: {reason}".removeprefix(": ") for place, reason in places]


def _expect(value: Any, kind: type, place: str) -> Any:
    if not isinstance(value, kind):
        raise AnswerFormatError(f"{_named(place)}: unexpected {value!r}")
    return value


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number")
    return value


def _whole(value: Any) -> int:
    if int(_number(value)) != value:
        raise ValueError(f"{value!r} is not a whole number")
    return int(value)


def _with_offset(text: str) -> str:
    return re.sub(r"[zZ]$", "+00:00", text)  # which Python 3.10 does not read


#: Types that JSON has no type for, and numbers, which it does not tell apart.
_READ: Mapping[Any, Callable[[Any], object]] = {
    int: _whole,
    float: lambda value: float(_number(value)),
    decimal.Decimal: lambda value: decimal.Decimal(str(_number(value))),
    datetime.datetime: lambda text: datetime.datetime.fromisoformat(_with_offset(text)),
    datetime.date: datetime.date.fromisoformat,
    datetime.time: lambda text: datetime.time.fromisoformat(_with_offset(text)),
    uuid.UUID: uuid.UUID,
}


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}".removeprefix(".")


def _named(place: str) -> str:
    return place or "the answer"
