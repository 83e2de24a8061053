"""Whole answers, put together from the engine's streams. Pure.

The engine notices that a client has left when it has something to send to it. So it is
asked for a stream even where the client waits for the whole.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

#: Fields of an answer that a later event may add or replace.
_OUTER = ("created", "id", "model", "system_fingerprint", "timings", "usage")
_JOINED = frozenset({"arguments", "content", "reasoning_content", "refusal", "text"})


class Assembly(Protocol):
    """An answer while its events come."""

    def add(self, event: Mapping[str, Any]) -> None: ...

    def whole(self) -> dict[str, Any]: ...


def assembly_for(path: str, model: str) -> Assembly:
    if path == "/v1/responses":
        return _Response()
    if path == "/v1/messages":
        return _Message(model)
    return _Completion(chat=path == "/v1/chat/completions")


class _Completion:
    """An answer of ``chat/completions`` or ``completions``."""

    def __init__(self, *, chat: bool) -> None:
        self._chat = chat
        self._outer: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, event: Mapping[str, Any]) -> None:
        self._outer |= {key: event[key] for key in _OUTER if key in event}
        for choice in event["choices"]:
            ours = self._choices.setdefault(choice["index"], self._new(choice["index"]))
            if self._chat:
                _merge(ours["message"], choice["delta"])
            else:
                ours["text"] += choice["text"]
            ours["finish_reason"] = choice["finish_reason"] or ours["finish_reason"]
            if choice.get("logprobs"):
                known = ours["logprobs"] = ours.get("logprobs") or {"content": []}
                known["content"] += choice["logprobs"]["content"]

    def whole(self) -> dict[str, Any]:
        kind = "chat.completion" if self._chat else "text_completion"
        choices = [self._choices[index] for index in sorted(self._choices)]
        return {"object": kind, **self._outer, "choices": choices}

    def _new(self, index: int) -> dict[str, Any]:
        given: dict[str, Any] = {"text": "", "logprobs": None}
        if self._chat:
            given = {"message": {"role": "assistant", "content": None}}
        return {"index": index, "finish_reason": None, **given}


class _Message:
    """An answer of ``messages``."""

    def __init__(self, model: str) -> None:
        # The engine leaves the start out where the first token is part of a character.
        self._message: dict[str, Any] = {
            "id": f"msg_{secrets.token_hex(12)}",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": model,
            "usage": {"input_tokens": 0},
        }

    def add(self, event: Mapping[str, Any]) -> None:
        match event["type"]:
            case "message_start":
                self._message = dict(event["message"])
            case "content_block_start":
                self._message["content"].append(dict(event["content_block"]))
            case "content_block_delta":
                self._extend(self._message["content"][-1], event["delta"])
            case "content_block_stop":
                block = self._message["content"][-1]
                if "partial_json" in block:
                    block["input"] = json.loads(block.pop("partial_json") or "{}")
            case "message_delta":
                self._message |= event["delta"]
                self._message["usage"] |= event["usage"]

    def whole(self) -> dict[str, Any]:
        return self._message

    def _extend(self, block: dict[str, Any], delta: Mapping[str, Any]) -> None:
        for key, value in delta.items():
            if key != "type":
                block[key] = block.get(key, "") + value


class _Response:
    """An answer of ``responses``, which its last event has."""

    def __init__(self) -> None:
        self._response: dict[str, Any] = {}

    def add(self, event: Mapping[str, Any]) -> None:
        self._response = event.get("response", self._response)

    def whole(self) -> dict[str, Any]:
        return self._response


def _merge(into: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add a part of a message to it."""
    for key, value in delta.items():
        if key in _JOINED and value is not None:
            into[key] = (into.get(key) or "") + value
        elif key == "tool_calls":
            for call in value:
                _merge_call(into.setdefault(key, []), call)
        elif value is not None:
            into[key] = value


def _merge_call(calls: list[dict[str, Any]], delta: Mapping[str, Any]) -> None:
    while len(calls) <= delta["index"]:
        calls.append({"function": {}})
    known = calls[delta["index"]]
    known |= {key: delta[key] for key in ("id", "type") if key in delta}
    _merge(known["function"], delta.get("function", {}))
