"""The body of ``POST /v1/chat/completions``, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from h2o_magic.errors import MessagesError, ParameterError
from h2o_magic.server.answer_schema import check_schema
from h2o_magic.server.counting import parse_dialogue
from h2o_magic.server.openai_errors import OpenAIError
from h2o_magic.server.openai_options import options_of
from h2o_magic.server.prompts import Dialogue
from h2o_magic.server.sampling import Sampling, own_sampling

_ROLES = {
    "system": "system",
    "developer": "system",  # its newer name
    "user": "user",
    "assistant": "assistant",
}
_KNOWN = ("role", "content", "name")  # `name` has no effect
_FORMATS = ("text", "json_object", "json_schema")


@dataclass(frozen=True, slots=True)
class ChatCompletion:
    """A request. `strict` refuses weights that are not the model's own."""

    model: str
    dialogue: Dialogue
    sampling: Sampling
    schema: Mapping[str, Any] | None
    stream: bool
    include_usage: bool
    strict: bool
    truncated: bool


def parse_completion(body: bytes) -> ChatCompletion:
    try:
        asked: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise OpenAIError(f"expected JSON as the body: {error}") from error
    if not isinstance(asked, dict):
        raise OpenAIError(f"expected a JSON object, got {type(asked).__name__}")
    model = asked.get("model")
    if not isinstance(model, str) or not model:
        raise OpenAIError(
            "expected `model` to name one of GET /v1/models", param="model"
        )
    options = options_of(asked)
    stream = _flag(asked, "stream")
    dialogue = dialogue_of(asked.get("messages"))
    return ChatCompletion(
        model=model,
        dialogue=replace(dialogue, effort=options.get("reasoning_effort", "")),
        sampling=own_sampling(options),
        schema=_schema(asked.get("response_format")),
        stream=stream,
        include_usage=_include_usage(asked.get("stream_options"), stream=stream),
        strict=_flag(asked, "strict"),
        truncated=_truncation(asked.get("truncation")),
    )


def _truncation(value: object) -> bool:
    if value not in (None, "auto", "disabled"):
        raise OpenAIError(
            f"expected `truncation` to be auto or disabled, got {value!r:.60}",
            param="truncation",
        )
    return value == "auto"


def _flag(asked: Mapping[str, Any], name: str, place: str = "") -> bool:
    value = asked.get(name)
    if not isinstance(value, bool | None):
        raise OpenAIError(
            f"expected `{place}{name}` to be true or false, got {type(value).__name__}",
            param=place + name,
        )
    return bool(value)


def _include_usage(options: object, *, stream: bool) -> bool:
    if options is None:
        return False
    known = ("include_usage", "include_obfuscation")
    if not isinstance(options, dict) or not set(options) <= set(known):
        raise OpenAIError(
            f"expected `stream_options` to be an object with {' or '.join(known)}",
            param="stream_options",
        )
    if not stream:
        raise OpenAIError(
            "expected no `stream_options` without `stream`: leave them out",
            param="stream_options",
        )
    if _flag(options, "include_obfuscation", "stream_options."):
        raise OpenAIError(
            "`stream_options.include_obfuscation` is not supported: leave it out",
            param="stream_options.include_obfuscation",
        )
    return _flag(options, "include_usage", "stream_options.")


def _schema(given: object) -> Mapping[str, Any] | None:
    if given is None:
        return None
    kind = given.get("type") if isinstance(given, dict) else None
    if not isinstance(given, dict) or kind not in _FORMATS:
        raise OpenAIError(
            f"expected `response_format` to be an object whose type is one of "
            f"{', '.join(_FORMATS)}",
            param="response_format",
        )
    foreign = sorted(set(given) - {"type", "json_schema"})
    if foreign or ("json_schema" in given) != (kind == "json_schema"):
        raise OpenAIError(
            "expected `response_format` to have a `json_schema` where that is its "
            f"type, and nothing else beside `type`, got {', '.join(sorted(given))}",
            param="response_format",
        )
    if kind == "json_schema":
        return _named_schema(given["json_schema"])
    return {"type": "object"} if kind == "json_object" else None


def _named_schema(named: object) -> Mapping[str, Any]:
    place = "response_format.json_schema"
    known = {"name", "schema", "strict", "description"}
    if not isinstance(named, dict) or not set(named) <= known:
        raise OpenAIError(
            f"expected `{place}` to be an object with {', '.join(sorted(known))}",
            param=place,
        )
    try:
        schema = check_schema(named.get("schema"))
    except ParameterError as error:
        raise OpenAIError(str(error), param=f"{place}.schema") from error
    if schema is None:
        raise OpenAIError(
            f"expected `{place}.schema` to be a JSON schema, got none",
            param=f"{place}.schema",
        )
    return schema


def dialogue_of(items: object) -> Dialogue:
    if not isinstance(items, list):
        raise _error("a list of messages", items, "messages")
    messages = [_message(f"messages[{i}]", item) for i, item in enumerate(items)]
    try:
        return parse_dialogue(messages)
    except MessagesError as error:
        raise OpenAIError(str(error), param="messages") from error


def _message(place: str, item: object) -> dict[str, str]:
    if not isinstance(item, Mapping):
        raise _error('an object like {"role": "user", "content": "Hi"}', item, place)
    role = item.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise _error(f"one of {', '.join(_ROLES)}", role, f"{place}.role")
    for key, value in item.items():
        # Fields of an answer of the API may be sent back as they came: empty.
        if key not in _KNOWN and value not in (None, [], {}, ""):
            raise OpenAIError(
                f"{place}.{key} would change the answer and is not supported: "
                "leave it out",
                param=f"{place}.{key}",
            )
    if not isinstance(item.get("name"), str | None):
        raise _error("text", item["name"], f"{place}.name")
    return {"role": _ROLES[role], "content": _content(place, item.get("content"))}


def _content(place: str, content: object) -> str:
    place += ".content"
    if isinstance(content, list):
        parts = [_part(f"{place}[{i}]", part) for i, part in enumerate(content)]
        return "".join(parts)
    return _text(place, content)


def _part(place: str, part: object) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else part
    if not isinstance(part, Mapping) or kind != "text":
        raise _error(
            "a part of type 'text', since the models here read only text", kind, place
        )
    return _text(f"{place}.text", part.get("text"))


def _text(place: str, text: object) -> str:
    if not isinstance(text, str):
        raise _error("text", text, place)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise OpenAIError(
            f"expected {place} to be Unicode text, got half a surrogate pair",
            param=place,
        ) from error
    return text


def _error(expected: str, got: Any, place: str) -> OpenAIError:
    # The content is never quoted: errors may be logged.
    shown = repr(got[:40]) if isinstance(got, str) else type(got).__name__
    return OpenAIError(f"expected {place} to be {expected}, got {shown}", param=place)
