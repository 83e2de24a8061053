"""The JSON schema of an answer: checked, and as options of the engine.

The engine (llguidance inside llama.cpp) lets no token through that would break the
schema. A schema that it cannot use it only mentions in its log, and then ignores; so
each new one is tried first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from h2o_magic.errors import ParameterError
from h2o_magic.server.engine import Engine

_MAX_BYTES = 64 * 1024
_MAX_DEPTH = 64
#: White space only where Python's `json` writes it: a small model, free to write more,
#: fills the rest of its answer with it.
_STYLE = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
}
#: What llguidance does not enforce.
_UNSUPPORTED = frozenset(
    [
        "contains",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "maxContains",
        "minContains",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
        "uniqueItems",
    ]
)
_REMARKS = frozenset({"$comment", "default", "description", "examples", "title"})
_FORMATS = frozenset(
    [
        "date",
        "date-time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "time",
        "uuid",
    ]
)


def check_schema(given: object) -> Mapping[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise ParameterError("expected `json_schema` to be a JSON object")
    if _depth(given) > _MAX_DEPTH:
        raise ParameterError(f"`json_schema` is nested more than {_MAX_DEPTH} deep")
    try:
        size = len(json.dumps(given, allow_nan=False, ensure_ascii=False).encode())
    except ValueError as error:  # a number or a character that JSON does not have
        raise ParameterError(f"`json_schema` is not valid JSON: {error}") from error
    if size > _MAX_BYTES:
        raise ParameterError(
            f"`json_schema` is larger than {_MAX_BYTES // 1024} kB: {size} bytes"
        )
    return given


async def use_schema(engine: Engine, schema: Mapping[str, Any]) -> dict[str, Any]:
    options = {"json_schema": {**schema, "x-guidance": _STYLE}}
    # Where a schema leaves no choice but a control token's text, the engine takes the
    # token for it, and gives the schema up.
    texts = set(_texts(schema))
    for marker in engine.header.control_texts - {""}:
        if any(marker in text for text in texts):
            raise _unusable(f"the model treats {marker!r} as a control token")
    if not await engine.obeys(options):
        raise _unusable(_why(schema))
    return options


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _unusable(reason: str) -> ParameterError:
    return ParameterError(f"the engine cannot enforce this `json_schema`: {reason}")


def _texts(node: object) -> Iterator[str]:
    """Yield the texts of a schema that an answer may have to contain."""
    if isinstance(node, str):
        yield node
    if isinstance(node, list):
        for item in node:
            yield from _texts(item)
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            if key not in _REMARKS:
                yield from _texts(value)


def _why(schema: Mapping[str, Any]) -> str:
    suspects = sorted(set(_suspects(schema)))
    if suspects:
        return f"it does not support {', '.join(suspects)}"
    return "a type, pattern or reference in it is invalid, or no value can match it"


def _suspects(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _suspects(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in _UNSUPPORTED:
            yield f"`{key}`"
        if key == "format" and isinstance(value, str) and value not in _FORMATS:
            yield f"the format {value!r}"
        named = key in ("properties", "$defs", "definitions")
        below = list(value.values()) if named and isinstance(value, dict) else value
        if key not in ("const", "enum", "default", "examples"):
            yield from _suspects(below)


def _depth(node: object) -> int:
    """Return how deep a JSON value is nested; it may be deeper than the stack."""
    deepest, level = 0, [node]
    while level:
        inner = [item for value in level for item in _inside(value)]
        level = [item for item in inner if isinstance(item, dict | list)]
        deepest += 1
    return deepest


def _inside(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
