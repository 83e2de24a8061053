"""The JSON schema of an answer: checked, and as a grammar for the engine.

The engine (llguidance inside llama.cpp) lets no token through that would break the
schema. One that it cannot use it only mentions in its log, and then ignores; so each
new one is tried first. Its own conversion of schemas lets small models fill answers
with white space, and accepts what it does not enforce.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from h2o_magic.errors import ParameterError
from h2o_magic.server.engine_process import Engine
from h2o_magic.server.errors import RequestError
from h2o_magic.server.rewriting import EngineRequest
from h2o_magic.weights.gguf import Header

_MAX_BYTES = 64 * 1024
_MAX_DEPTH = 64
#: The most items and properties that all parts of a schema may count to together: more
#: takes the engine seconds and gigabytes. Characters cost nothing.
_MAX_COUNT = 5_000
_COUNTS = frozenset(["maxItems", "maxProperties", "minItems", "minProperties"])
#: How many tried schemas are remembered.
_MOST_TRIED = 256
_FORMAT_TYPES = ("text", "json_object", "json_schema")
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


def take_schema(request: EngineRequest) -> Mapping[str, Any] | None:
    """Take the schema of the answer out of a request; None if it has none.

    A request with tools keeps it: there the engine holds both.
    """
    body = request.body
    if request.path == "/v1/messages":
        _refuse_schema(body)
        return None
    tools = body.get("tools") and body.get("tool_choice") != "none"
    if request.path == "/v1/responses":
        text = body.get("text")
        given = text.get("format") if isinstance(text, dict) else None
        schema = _of_format(given, given, "text.format")
        if schema is not None and not tools:
            request.set(
                "text", {k: v for k, v in body["text"].items() if k != "format"}
            )
    else:
        given = body.get("response_format")
        named = given.get("json_schema") if isinstance(given, dict) else None
        schema = _of_format(given, named, "response_format")
        if schema is None:
            schema = check_schema(body.get("json_schema"))
        if not tools:
            request.remove("response_format", "json_schema")
    return None if tools else schema


def _refuse_schema(body: Mapping[str, Any]) -> None:
    config = body.get("output_config")
    asked = config.get("format") if isinstance(config, dict) else None
    if asked or body.get("output_format"):
        raise RequestError(
            "the engine holds no format of answers on /v1/messages: use "
            "`response_format` on /v1/chat/completions",
            param="output_config.format",
        )


def _of_format(given: object, holder: object, place: str) -> Mapping[str, Any] | None:
    """Return the schema of a format, which is in `holder`."""
    if given is None:
        return None
    kind = given.get("type") if isinstance(given, dict) else None
    if kind not in _FORMAT_TYPES:
        raise RequestError(
            f"expected `{place}` to be an object whose type is one of "
            f"{', '.join(_FORMAT_TYPES)}",
            param=place,
        )
    if kind != "json_schema":
        return {"type": "object"} if kind == "json_object" else None
    try:
        schema = check_schema(
            holder.get("schema") if isinstance(holder, dict) else None
        )
    except ParameterError as error:
        raise RequestError(str(error), param=place) from error
    if schema is None:
        raise RequestError(f"expected `{place}` to have a `schema`", param=place)
    return schema


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
    if (count := sum(_counts(given))) > _MAX_COUNT:
        raise ParameterError(
            f"expected the bounds of items and properties in `json_schema` to be "
            f"{_MAX_COUNT} together at most, got {count:.0f}"
        )
    return given


def _counts(node: Any) -> Iterator[float]:
    for value in _inside(node):
        yield from _counts(value)
    for key in _COUNTS & set(node) if isinstance(node, dict) else ():
        if isinstance(node[key], int | float):
            yield node[key]


async def grammar_of(engine: Engine, header: Header, schema: Mapping[str, Any]) -> str:
    """Return the grammar of a schema; ParameterError if the engine ignores that."""
    guided = json.dumps({**schema, "x-guidance": _STYLE})
    grammar = f"%llguidance {{}}\nstart: %json {guided}"
    # Where a schema leaves no choice but a control token's text, the engine takes the
    # token for it, and gives the schema up.
    texts = set(_texts(schema))
    for marker in header.control_texts - {""}:
        if any(marker in text for text in texts):
            raise _unusable(f"the model treats {marker!r} as a control token")
    if not await _obeys(engine, header, grammar):
        raise _unusable(_why(schema))
    return grammar


async def _obeys(engine: Engine, header: Header, grammar: str) -> bool:
    """Whether the engine enforces a grammar, which allows no empty answer.

    It does not say so: it is asked for one token, with all weight on the end token.
    Only a grammar that takes effect brings any text then.
    """
    key = hashlib.sha256(grammar.encode()).digest()
    if key not in engine.obeyed:
        answer = await engine.call(
            "POST",
            "/v1/completions",
            {
                "prompt": "?",
                "grammar": grammar,
                "max_tokens": 1,
                "temperature": 0.0,
                "logit_bias": [[header.end_id, 1000]],
                "cache_prompt": False,
            },
        )
        text = answer["choices"][0]["text"].removesuffix(header.end_text)
        engine.obeyed[key] = text != ""
        if len(engine.obeyed) > _MOST_TRIED:
            engine.obeyed.popitem(last=False)
    return engine.obeyed[key]


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
