"""A chat completion as a whole object, or in chunks."""

from __future__ import annotations

import importlib.metadata
import json
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from h2o_magic.server.openai_errors import DONE, OpenAIError
from h2o_magic.server.openai_request import ChatCompletion
from h2o_magic.server.prompts import RAW_MARKERS
from h2o_magic.server.tgi import TokenEvent
from h2o_magic.server.transcript import HeldText
from h2o_magic.weights.files import Weights

_FINISH = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}
#: The end of a stream whose answer was stopped by the end of the server.
ENDING = OpenAIError(
    "the server is shutting down, and the answer is incomplete: try again later",
    503,
    code="server_ending",
)
#: Markers that a model without a template may write as text; they end its answer.
_MARKS = (*RAW_MARKERS, "<|endoftext|>", "</s>")
_VERSION = importlib.metadata.version("h2o-magic")


@dataclass(frozen=True)
class CompletionShape:
    """What all parts of one completion have in common.

    ``model`` is what really answers: the listed name, or that of the demo weights.
    ``system_fingerprint`` names version and weights; our own ``h2o_magic`` in the first
    and the last chunk has the details.
    """

    weights: Weights
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def begin(self) -> bytes:
        delta = {"role": "assistant", "content": ""}
        return self._event([_choice(delta)], h2o_magic=self.weights.source)

    def text(self, text: str) -> bytes:
        """Return an event with new text, four times as fast as encoding all of it."""
        head, tail = self._around_text
        return head + json.dumps(text).encode() + tail

    def end(self, details: dict[str, Any]) -> bytes:
        choice = _choice({}, _FINISH[details["finish_reason"]])
        return self._event([choice], h2o_magic=details["h2o_magic"])

    def usage(self, details: dict[str, Any]) -> bytes:
        return self._event([], usage=_usage(details))

    def whole(self, text: str, details: dict[str, Any]) -> dict[str, Any]:
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


async def chunks(
    events: AsyncGenerator[TokenEvent, None],
    shape: CompletionShape,
    asked: ChatCompletion,
) -> AsyncGenerator[bytes, None]:
    """Yield the events of a stream, from the role to ``[DONE]``, after any comments.

    Neither a stop text nor a marker is part of the answer, so what may begin one is
    held back.
    """
    held = HeldText([*asked.sampling.stop, *_MARKS])
    unsent = shape.begin()
    opening = True
    async with aclosing(events):
        async for event in events:
            if event.notice is not None:
                yield _notice(event.notice)
                continue
            if event.generated_text is not None:
                break
            text = "" if event.special else held.add(event.text)
            if text:
                unsent += shape.text(text)
                opening = False
            if not (opening or event.more):
                yield unsent
                unsent = b""
    rest = held.rest(_text(event, asked))
    details: dict[str, Any] = dict(event.details or {})
    yield b"".join(
        [
            unsent,
            shape.text(rest) if rest else b"",
            shape.end(details),
            shape.usage(details) if asked.include_usage else b"",
            DONE,
        ]
    )


async def whole_answer(
    events: AsyncGenerator[TokenEvent, None],
    shape: CompletionShape,
    asked: ChatCompletion,
) -> dict[str, Any]:
    async with aclosing(events):
        *_, last = [event async for event in events]
    return shape.whole(_text(last, asked), dict(last.details or {}))


def _notice(words: str) -> bytes:
    return f": {json.dumps({'h2o_magic': {'notice': words}})}\n\n".encode()


def _text(last: TokenEvent, asked: ChatCompletion) -> str:
    text = last.generated_text or ""
    if last.details and last.details["finish_reason"] == "stop_sequence":
        stops = (stop for stop in asked.sampling.stop if text.endswith(stop))
        return text.removesuffix(max(stops, key=len, default=""))
    return text
