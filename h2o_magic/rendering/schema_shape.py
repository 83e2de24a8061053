"""What is plainly no JSON schema: seen at once, without jsonschema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.rendering.tables import shorten

_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
#: What holds values, not schemas.
_VALUES = {"const", "default", "enum", "examples"}
_LONGEST_VALUE = 60


def shaped(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema; a ConfigurationError for one with a type that there is not."""
    for kind, place in _types(schema, ""):
        if kind not in _TYPES:
            hint = did_you_mean(str(kind), _TYPES)
            raise ConfigurationError(
                f"expected a valid JSON schema: {place.removeprefix('.')}: expected a "
                f"type, got {shown(kind)}: {hint}"
            )
    return schema


def _types(node: object, place: str) -> Iterator[tuple[object, str]]:
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from _types(each, f"{place}[{number}]")
    elif isinstance(node, dict):
        for key, value in node.items():
            inside = f"{place}.{key}"
            if key == "type" and not isinstance(value, dict):
                kinds = value if isinstance(value, list) else [value]
                yield from ((kind, inside) for kind in kinds)
            elif key not in _VALUES:
                yield from _types(value, inside)


def shown(value: object) -> str:
    """Return a value as a message shows it: lists and objects by their kind."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return shorten(repr(value), _LONGEST_VALUE)
