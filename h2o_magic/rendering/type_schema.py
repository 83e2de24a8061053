"""JSON schemas of Python types: usual ones written here, all others by pydantic.

Pydantic's are longer in each question and ask for unique items of a set, which engines
cannot enforce; and before Python 3.12 it refuses `typing.TypedDict`.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import importlib
import types
import typing
import uuid
from typing import Any, Literal, Union, get_args, get_origin, is_typeddict

from h2o_magic.errors import ConfigurationError

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    decimal.Decimal: {"type": "number"},
    type(None): {"type": "null"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    dict: {"type": "object"},
    list: {"type": "array"},
    Any: {},
}
_LISTS = (list, set, frozenset, collections.abc.Sequence)


def schema_of_type(source: Any) -> dict[str, Any]:
    """Return the JSON schema of a type; fields with a default are optional."""
    kind = getattr(source, "__name__", f"a value of type {type(source).__name__}")
    if not (_has_fields(source) or get_origin(source)):
        raise ConfigurationError(
            "expected a JSON schema (dict), a pydantic model, a dataclass, a TypedDict "
            f"or a type made of them, got {kind}"
        )
    try:
        return part_schema(source)
    except (TypeError, NameError, RecursionError) as error:
        why = f"{kind} has no JSON schema: {error}"
    try:
        return dict(_closed(pydantic_adapter(source).json_schema()))
    except ImportError as error:
        raise ConfigurationError(f"{why}; installing pydantic may help") from error
    except Exception as error:  # pydantic has many kinds, and types raise their own
        raise ConfigurationError(str(why)) from error


def pydantic_adapter(kind: Any) -> Any:
    """Return pydantic's reader and writer of a type; an ImportError without it."""
    return importlib.import_module("pydantic").TypeAdapter(kind)


def _has_fields(kind: object) -> bool:
    return isinstance(kind, type) and (
        dataclasses.is_dataclass(kind) or is_typeddict(kind)
    )


def part_schema(kind: Any) -> dict[str, Any]:  # noqa: PLR0911 - a case a kind
    """Return the schema of a type that may be a part of another; else a TypeError."""
    origin, parts = get_origin(kind), get_args(kind)
    if _has_fields(kind):
        return _object(kind)
    if isinstance(kind, enum.EnumMeta) or origin is Literal:
        values = parts or tuple(kind)
        return {"enum": [v.value if isinstance(v, enum.Enum) else v for v in values]}
    if isinstance(kind, typing.NewType):
        return part_schema(kind.__supertype__)
    if origin in (Union, types.UnionType):
        return {"anyOf": [part_schema(part) for part in parts]}
    if origin in _LISTS or (origin is tuple and parts[1:] == (...,)):
        return {"type": "array", "items": part_schema(parts[0])}
    if origin is tuple:
        items = [part_schema(part) for part in parts]
        size = {"minItems": len(items), "maxItems": len(items)}
        return {"type": "array", "prefixItems": items, "items": False, **size}
    if origin is dict and parts[0] is str:
        return {"type": "object", "additionalProperties": part_schema(parts[1])}
    if origin is None and kind in _PLAIN:
        return dict(_PLAIN[kind])
    raise TypeError(f"JSON has no type for {getattr(kind, '__name__', kind)}")


def _object(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    required = [n for n in hints if n in getattr(kind, "__required_keys__", ())]
    if dataclasses.is_dataclass(kind):
        fields = [field for field in dataclasses.fields(kind) if field.init]
        hints = {field.name: hints[field.name] for field in fields}
        missing = dataclasses.MISSING
        required = [f.name for f in fields if f.default is f.default_factory is missing]
    return {
        "title": kind.__name__,
        "type": "object",
        "properties": {name: part_schema(hint) for name, hint in hints.items()},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return list(map(_closed, node))
    if not isinstance(node, dict):
        return node
    named = node.get("type") == "object" and "properties" in node
    inner = {key: _closed(value) for key, value in node.items()}
    return {"additionalProperties": False, **inner} if named else inner
