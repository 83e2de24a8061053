"""The shapes in which a chat completion is answered: a whole object, or chunks."""

from __future__ import annotations

import importlib.metadata
import json
import secrets
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from h2o_magic.server.weights import Weights

__all__ = ["CompletionShape"]

_FINISH = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}
_VERSION = importlib.metadata.version("h2o-magic")


@dataclass(frozen=True)
class CompletionShape:
    """What all parts of one completion have in common.

    ``model`` is the name of what really answers: the listed name, or that of the
    built-in demo weights where these stand in. ``system_fingerprint`` names version
    and weights, and our own ``h2o_magic`` says the same in full, in the first and in
    the last chunk.

    Attributes
    ----------
    weights : Weights
        What answers.
    id, created
        The completion's id, and when it began, in seconds since 1970.
    """

    weights: Weights
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def begin(self) -> bytes:
        """Return the first event: who speaks, and what answers."""
        delta = {"role": "assistant", "content": ""}
        return self._event([_choice(delta)], h2o_magic=self.weights.source)

    def text(self, text: str) -> bytes:
        """Return an event with new text.

        The same as encoding it anew, and four times as fast: only the text differs.
        """
        head, tail = self._around_text
        return head + json.dumps(text).encode() + tail

    def end(self, details: dict[str, Any]) -> bytes:
        """Return the event that says why the answer ended, and how it came about."""
        choice = _choice({}, _FINISH[details["finish_reason"]])
        return self._event([choice], h2o_magic=details["h2o_magic"])

    def usage(self, details: dict[str, Any]) -> bytes:
        """Return the event that counts the tokens."""
        return self._event([], usage=_usage(details))

    def whole(self, text: str, details: dict[str, Any]) -> dict[str, Any]:
        """Return the answer as one object."""
        return {
            **self._head("chat.completion"),
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "logprobs": None,
                    "finish_reason": _FINISH[details["finish_reason"]],
                }
            ],
            "usage": _usage(details),
            "h2o_magic": details["h2o_magic"],
        }

    @cached_property
    def _around_text(self) -> tuple[bytes, bytes]:
        # No name in an event holds a zero byte, which JSON writes as \u0000.
        head, _, tail = self._event([_choice({"content": "\0"})]).partition(
            b'"\\u0000"'
        )
        return head, tail

    def _head(self, kind: str) -> dict[str, Any]:
        weights = self.weights
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": weights.path.stem if weights.demo else weights.model,
            "system_fingerprint": f"h2o_magic {_VERSION}, {weights.path.name}",
        }

    def _event(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        chunk = {**self._head("chat.completion.chunk"), "choices": choices, **more}
        return f"data: {json.dumps(chunk, separators=(',', ':'))}\n\n".encode()


def _choice(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _usage(details: dict[str, Any]) -> dict[str, int]:
    read, written = details["input_length"], details["generated_tokens"]
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }
