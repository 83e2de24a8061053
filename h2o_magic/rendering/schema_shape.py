"""What is plainly no JSON schema: seen at once, without jsonschema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.rendering.tables import shorten

_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_ONE = ("additionalProperties", "contains", "else", "if", "items", "not", "then")
_SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "patternProperties", "properties")
_LISTS = ("enum", "required", *_SEVERAL)
_LONGEST_VALUE = 60


def shaped(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that looks like one; else a ConfigurationError with the place."""
    for flaw in _flaws(schema, ""):
        raise ConfigurationError(f"expected a valid JSON schema: {flaw}")
    return schema


def _flaws(schema: object, place: str) -> Iterator[str]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield f"{place}: expected object or boolean, got {shown(schema)}"
        return
    inside = {key: f"{place}.{key}".removeprefix(".") for key in schema}
    for key in (key for key in _LISTS if not isinstance(schema.get(key, []), list)):
        yield f"{inside[key]}: expected array, got {shown(schema[key])}"
    for key in (key for key in _NAMED if not isinstance(schema.get(key, {}), dict)):
        yield f"{inside[key]}: expected object, got {shown(schema[key])}"
    yield from _unknown_types(schema.get("type", []), inside.get("type", ""))
    for part, where in _parts(schema, inside):
        yield from _flaws(part, where)


def _unknown_types(given: Any, place: str) -> Iterator[str]:
    for kind in given if isinstance(given, list) else [given]:
        if kind not in _TYPES:
            hint = did_you_mean(str(kind), _TYPES)
            yield f"{place}: expected a type, got {shown(kind)}: {hint}"


def _parts(
    schema: Mapping[str, Any], inside: Mapping[str, str]
) -> Iterator[tuple[object, str]]:
    """Yield the schemas in a schema, each with its place."""
    for key, value in schema.items():
        # Older drafts have a list of schemas as `items`, too.
        if key in _SEVERAL or (key == "items" and isinstance(value, list)):
            yield from ((part, f"{inside[key]}[{n}]") for n, part in enumerate(value))
        elif key in _ONE:
            yield value, inside[key]
        elif key in _NAMED:
            yield from ((part, f"{inside[key]}.{name}") for name, part in value.items())


def shown(value: object) -> str:
    """Return a value as a message shows it: lists and objects by their kind."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return shorten(repr(value), _LONGEST_VALUE)
