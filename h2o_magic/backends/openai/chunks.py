"""What one event of a chat completion holds: its documents, texts, errors and counts.

Pure. The shapes are those that seven servers write (tests/recordings/openai), and those
that others are documented, or were reported, to write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from h2o_magic.backends.own_server import count, seconds
from h2o_magic.backends.text import join_surrogates
from h2o_magic.chat.events import Source, Usage

#: DeepSeek, llama.cpp and older vLLM; Ollama, LM Studio and newer vLLM; OpenRouter.
_REASONING = ("reasoning_content", "reasoning", "reasoning_details")
#: Where a part of a list has its reasoning: Mistral; OpenRouter.
_REASONING_PART = ("thinking", "reasoning", "summary", "text")
#: What may surround the documents of an event: fields and comments of a stream that was
#: put into the data fields of another, and keep-alive words.
_AROUND = re.compile(
    r"(?:\s|data:|(?:event|id|retry)?:[^\n]*|(?:ping|keep-?alive|heartbeat)\b)*",
    re.IGNORECASE,
)
_DONE = re.compile(r"\[?DONE\]?", re.IGNORECASE)
_JSON = json.JSONDecoder()
#: Says that nothing more comes.
DONE = object()


def values_of(data: str) -> Iterator[object]:
    """Yield what the data of one event says: JSON values, and :data:`DONE`.

    Nearly always it is one value. Known as well are several in a row, ``data:`` written
    twice, and a JSON text within a JSON text. Anything else raises ValueError (or
    RecursionError, where it is nested too deep), after what precedes it.
    """
    try:
        values: Iterable[object] = [json.loads(data)]
    except ValueError:
        values = _in_a_row(data)
    for value in values:
        if isinstance(value, str):
            yield from values_of(value)
        elif isinstance(value, list):
            yield from value
        else:
            yield value


def _in_a_row(data: str) -> Iterator[object]:
    place = 0
    while around := _AROUND.match(data, place):  # always: it may be empty
        place = around.end()
        if place == len(data):
            return
        if done := _DONE.match(data, place):
            yield DONE
            place = done.end()
        else:
            value, place = _JSON.raw_decode(data, place)
            yield value


def error_of(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the error that a document reports, in the shape of an error answer."""
    if document.get("error_code"):  # FastChat's worker
        return {"error": document.get("text")}
    found = document.get("error") or document.get("object") == "error"
    if not found and "choices" not in document:  # FastAPI; DashScope
        words = document.get("code") and document.get("message")
        found = document.get("detail") or words
    return document if found else None


def texts_of(delta: Mapping[str, Any]) -> tuple[str, str]:
    content = delta.get("content")
    parts: list[object] = []
    if isinstance(content, list):  # Mistral
        parts = [part for part in content if _is_reasoning(part)]
        content = [part for part in content if not _is_reasoning(part)]
    fields = [_reasoning(delta[name]) for name in _REASONING if delta.get(name)]
    reasoning = next(filter(None, fields), "") or _reasoning(parts)
    return reasoning, _text(content) or _text(delta.get("refusal"))


def _is_reasoning(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") in ("thinking", "reasoning")


def _reasoning(value: object) -> str:
    if not isinstance(value, list):
        return _text(value)
    parts = [part for part in value if isinstance(part, dict)]
    texts = (next(filter(None, map(part.get, _REASONING_PART)), "") for part in parts)
    return "".join(map(_text, texts))


def _text(content: object) -> str:
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


class AnswerFacts:
    """What the chunks of an answer say beside its text; the last counts hold."""

    def __init__(
        self, *, schema: bool = False, named: bool = False, dropped_turns: int = 0
    ) -> None:
        self._schema = schema
        self._named = named  # what answers is known already
        self._model: object = None
        self._usage: dict[str, Any] = {"dropped_turns": dropped_turns}

    def source(self, chunk: Mapping[str, Any]) -> Source | None:
        """Return what answers, if a chunk says it for the first time, or anew."""
        model = chunk.get("model")
        if self._named or model == self._model:
            return None
        self._model = model
        if not isinstance(model, str) or not model.strip():
            return None
        return Source(join_surrogates(model), schema=self._schema)

    @property
    def usage(self) -> Usage:
        return Usage(**self._usage)

    def add_usage(self, chunk: Mapping[str, Any]) -> None:
        counts, times = chunk.get("usage"), chunk.get("timings")
        found: dict[str, float | None] = {}
        if isinstance(counts, dict):
            for name in ("prompt_tokens", "completion_tokens"):
                found[name] = count(counts.get(name))
            details = counts.get("prompt_tokens_details")
            if isinstance(details, dict):
                found["cached_tokens"] = count(details.get("cached_tokens"))
        if isinstance(times, dict):  # llama.cpp, and so our own server
            milliseconds = seconds(times.get("predicted_ms"))
            found["writing_seconds"] = milliseconds and milliseconds / 1000
        self._usage |= {name: n for name, n in found.items() if n is not None}
