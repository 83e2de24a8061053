"""Tool calls that a request demands of a model whose template knows no tools.

The engine would answer prose. So the tools are described in the system text, a grammar
allows one call and nothing else, and the answer comes back as ``tool_calls``. Pure.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from h2o_magic.server.errors import RequestError
from h2o_magic.server.rewriting import EngineRequest

#: A call as the grammar lets it be written: the name, and the arguments.
_CALL = re.compile(r'\{"name": ("(?:[^"\\]|\\.)*"), "arguments": (.*)', re.S)
_SYSTEM_ROLES = ("system", "developer")
_WORDS = """\
Answer with one call of a function, as a JSON object with its `name` and `arguments`.
The functions, with the JSON schemas of their arguments:
"""


def demanded_tools(request: EngineRequest) -> list[Mapping[str, Any]]:
    """Return the functions of which one must be called; none where it is the model's.

    Raises RequestError where that cannot be enforced.
    """
    choice = request.body.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, dict) else choice
    if kind in (None, "auto", "none"):
        return []
    if not isinstance(request.body.get("tools"), list) or not request.body["tools"]:
        raise RequestError(
            "expected `tools` to be a list of functions where `tool_choice` is "
            f"{kind!r:.40}",
            param="tools",
        )
    if request.path != "/v1/chat/completions":
        raise RequestError(
            "this model's chat template supports no tools, so a call can be demanded "
            "on /v1/chat/completions only: expected `tool_choice` to be auto or none",
            param="tool_choice",
        )
    functions = [_function(tool) for tool in request.body["tools"]]
    if kind == "required":
        return functions
    named = choice.get("function") if isinstance(choice, dict) else None
    name = named.get("name") if isinstance(named, dict) else None
    found = [function for function in functions if function["name"] == name]
    if not found:
        raise RequestError(
            "expected `tool_choice` to be auto, none, required, or to name one of "
            f"{', '.join(str(function['name']) for function in functions)}",
            param="tool_choice",
        )
    return found


def schema_of(functions: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the JSON schema of one call."""
    shared: dict[str, dict[str, Any]] = {}
    calls = [_call(function, shared) for function in functions]
    return {**(calls[0] if len(calls) == 1 else {"anyOf": calls}), **shared}


def _call(
    function: Mapping[str, Any], shared: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the schema of one function's calls; its definitions go to `shared`."""
    arguments = dict(_schema(function.get("parameters") or {"type": "object"}))
    for key in ("$defs", "definitions"):  # references to them begin at the root
        for name, definition in _schema(arguments.pop(key, {})).items():
            if shared.setdefault(key, {}).setdefault(name, definition) != definition:
                raise RequestError(
                    f"expected one definition of {name!r} in the tools' schemas, got "
                    "two that differ: rename one",
                    param="tools",
                )
    return {
        "type": "object",
        "properties": {"name": {"const": function["name"]}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _schema(given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise RequestError("expected `parameters` to be a JSON schema", param="tools")
    return given


def describe(request: EngineRequest, functions: list[Mapping[str, Any]]) -> None:
    """Put the functions into the system text, in place of the request's tools."""
    request.remove("tools", "tool_choice", "parallel_tool_calls", "response_format")
    words = _WORDS + "\n".join(map(json.dumps, functions))
    messages = request.body.get("messages")
    if not isinstance(messages, list):
        return  # the engine says what is wrong
    first = messages[0] if messages else None
    system = first if isinstance(first, dict) else {}
    text = system.get("content")
    if system.get("role") in _SYSTEM_ROLES and isinstance(text, str):
        words = f"{text}\n\n{words}"
        messages = messages[1:]
    request.set("messages", [{"role": "system", "content": words}, *messages])


def as_calls(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a completion whose text is a call as one with that call."""
    for choice in answer["choices"]:
        text = choice["message"].get("content") or ""
        found = _CALL.match(text)
        if found is None:  # cut off before its arguments
            choice["message"]["content"] = ""
            continue
        whole = choice["finish_reason"] == "stop"
        arguments = found[2].removesuffix("}") if whole else found[2]
        function = {"name": json.loads(found[1]), "arguments": arguments}
        known = {"id": f"call_{secrets.token_hex(12)}", "type": "function"}
        choice["message"] |= {
            "content": None,
            "tool_calls": [{**known, "function": function}],
        }
        if whole:  # else it was cut off, and says so
            choice["finish_reason"] = "tool_calls"
    return answer


def as_chunks(answer: dict[str, Any], *, usage: bool) -> Iterator[bytes]:
    """Yield a whole completion as the events of a stream."""
    head = {key: answer.get(key) for key in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk"
    for choice in answer["choices"]:
        delta = dict(choice["message"])
        if "tool_calls" in delta:
            calls = [{"index": i, **call} for i, call in enumerate(delta["tool_calls"])]
            delta["tool_calls"] = calls
        begun = {"index": choice["index"], "delta": delta, "finish_reason": None}
        end = {
            "index": choice["index"],
            "delta": {},
            "finish_reason": choice["finish_reason"],
        }
        yield _event({**head, "choices": [begun]})
        yield _event({**head, "choices": [end]})
    if usage:
        yield _event({**head, "choices": [], "usage": answer.get("usage")})
    yield b"data: [DONE]\n\n"


def _event(document: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(document)}\n\n".encode()


def _function(tool: object) -> Mapping[str, Any]:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise RequestError(
            "expected each of `tools` to be a function with a name", param="tools"
        )
    return function
