"""JSON schemas of Python types: dataclasses, TypedDicts, and what stands in them."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, is_typeddict

from h2o_magic.errors import ConfigurationError

__all__ = ["schema_of_type"]

Schema: TypeAlias = dict[str, Any]

_PLAIN: Mapping[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    decimal.Decimal: {"type": "number"},
    type(None): {"type": "null"},
    None: {"type": "null"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    dict: {"type": "object"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    Any: {},
    object: {},
}
_LISTS = (
    list,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
    collections.abc.Set,
)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_EXPECTED = (
    "a JSON schema (dict), a pydantic model, a dataclass, a TypedDict or a type made "
    "of them"
)


def schema_of_type(source: object) -> Schema:
    """Return the JSON schema of a dataclass, a TypedDict or a type made of such.

    Objects have exactly the fields named; those with a default may be left out.

    Raises
    ------
    ConfigurationError
        If there is none.
    """
    named = isinstance(source, type) and (
        dataclasses.is_dataclass(source) or is_typeddict(source)
    )
    if not named and get_origin(source) is None:
        raise ConfigurationError(f"expected {_EXPECTED}, got {_name(source)}")
    maker = _Maker()
    schema = maker.of(source, _name(source))
    return {**schema, "$defs": maker.defs} if maker.defs else schema


class _Maker:
    """Makes one schema. Types that hold themselves become its definitions."""

    def __init__(self) -> None:
        self.defs: dict[str, Schema] = {}
        self._open: list[Any] = []
        self._names: dict[Any, str] = {}

    def of(self, kind: Any, place: str) -> Schema:
        """Return the schema of a type; `place` names it in errors."""
        try:
            if kind in _PLAIN:
                return dict(_PLAIN[kind])
        except TypeError:  # it has no hash: a value, or a Literal of lists
            pass
        if isinstance(kind, type) and get_origin(kind) is None:
            return self._of_class(kind, place)
        if isinstance(kind, typing.NewType):
            return self.of(kind.__supertype__, place)
        return self._of_form(kind, place)

    def _of_class(self, kind: type, place: str) -> Schema:
        if issubclass(kind, enum.Enum):
            return _choice([member.value for member in kind], place)
        if dataclasses.is_dataclass(kind):
            return self._named(kind, self._of_dataclass)
        if is_typeddict(kind):
            return self._named(kind, self._of_typed_dict)
        if hasattr(kind, "model_json_schema"):
            raise ConfigurationError(
                f"{place}: a pydantic model stands in another type: make that one a "
                "pydantic model, too"
            )
        return _refuse(kind, place)

    def _of_form(self, kind: Any, place: str) -> Schema:
        """Return the schema of a type with parts: ``list[int]``, ``int | None``."""
        origin, parts = get_origin(kind), get_args(kind)
        if origin is Literal:
            return _choice(list(parts), place)
        if origin is typing.Annotated:
            return self.of(parts[0], place)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(part, place) for part in parts]}
        return self._of_container(kind, place)

    def _of_container(self, kind: Any, place: str) -> Schema:
        origin, parts = get_origin(kind), get_args(kind)
        if origin is tuple:
            return self._of_tuple(parts, place)
        if origin in _LISTS:
            return {"type": "array", "items": self.of(parts[0], f"{place}[]")}
        if origin in _MAPPINGS and parts[0] is str:
            values = self.of(parts[1], f"{place}[...]")
            return {"type": "object", "additionalProperties": values}
        return _refuse(kind, place)

    def _of_tuple(self, parts: tuple[Any, ...], place: str) -> Schema:
        if len(parts) == 2 and parts[1] is Ellipsis:
            return {"type": "array", "items": self.of(parts[0], f"{place}[]")}
        items = [self.of(part, f"{place}[{i}]") for i, part in enumerate(parts)]
        size = {"minItems": len(items), "maxItems": len(items)}
        head = {"prefixItems": items} if items else {}
        return {"type": "array", **head, "items": False, **size}

    def _named(self, kind: type, make: Callable[[type], Schema]) -> Schema:
        if kind in self._open:
            name = self._names.setdefault(kind, self._free_name(kind.__name__))
            return {"$ref": f"#/$defs/{name}"}
        if kind in self._names:
            return {"$ref": f"#/$defs/{self._names[kind]}"}
        self._open.append(kind)
        schema = make(kind)
        self._open.pop()
        if kind not in self._names:
            return schema
        self.defs[self._names[kind]] = schema
        return {"$ref": f"#/$defs/{self._names[kind]}"}

    def _free_name(self, name: str) -> str:
        taken = set(self._names.values())
        names = (f"{name}{number or ''}" for number in range(len(taken) + 1))
        return next(free for free in names if free not in taken)

    def _of_dataclass(self, kind: type) -> Schema:
        hints = _hints(kind)
        fields = [f for f in dataclasses.fields(kind) if f.init]
        missing = dataclasses.MISSING
        required = [
            f.name
            for f in fields
            if f.default is missing and f.default_factory is missing
        ]
        return self._object(kind, {f.name: hints[f.name] for f in fields}, required)

    def _of_typed_dict(self, kind: type) -> Schema:
        needed: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
        hints = _hints(kind)
        return self._object(kind, hints, [name for name in hints if name in needed])

    def _object(self, kind: type, hints: dict[str, Any], required: list[str]) -> Schema:
        name = kind.__name__
        properties = {
            field: self.of(hint, f"{name}.{field}") for field, hint in hints.items()
        }
        return {
            "title": name,
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }


def _hints(kind: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind)
    except (NameError, TypeError) as error:
        raise ConfigurationError(
            f"{kind.__name__}: cannot tell its fields' types: {error}; define what "
            "they name outside of functions"
        ) from error


def _choice(values: list[Any], place: str) -> Schema:
    plain = [value.value if isinstance(value, enum.Enum) else value for value in values]
    if not plain or not all(isinstance(v, str | int | float | None) for v in plain):
        raise ConfigurationError(
            f"{place}: expected texts, numbers, true, false or None to choose from"
        )
    return {"enum": plain}


def _refuse(kind: Any, place: str) -> Schema:
    raise ConfigurationError(
        f"{place}: JSON has no place for {_name(kind)}; use texts, numbers, lists, "
        "dataclasses or dicts with text keys"
    )


def _name(kind: Any) -> str:
    if isinstance(kind, type) and get_origin(kind) is None:
        return kind.__name__
    if get_origin(kind) is not None:
        return str(kind).replace("typing.", "")
    return f"a value of type {type(kind).__name__}"
