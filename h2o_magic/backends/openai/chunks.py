"""What stands in one event of a chat completion: its documents, texts and errors.

Pure. The shapes are those that seven servers write (tests/recordings/openai), and those
that others are documented, or were reported, to write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: DeepSeek, llama.cpp and older vLLM; Ollama, LM Studio and newer vLLM; OpenRouter.
_REASONING = ("reasoning_content", "reasoning", "reasoning_details")
#: Where a part of a list has its thought: Mistral; OpenRouter.
_THOUGHT = ("thinking", "reasoning", "summary", "text")
#: What may stand around the documents of an event: fields and comments of a stream that
#: somebody has put into the data fields of another, and signs of life.
_AROUND = re.compile(
    r"(?:\s|data:|(?:event|id|retry)?:[^\n]*|(?:ping|keep-?alive|heartbeat)\b)*",
    re.IGNORECASE,
)
_DONE = re.compile(r"\[?DONE\]?", re.IGNORECASE)
_JSON = json.JSONDecoder()
#: Stands for the word that nothing more comes.
DONE = object()


def values_of(data: str) -> Iterator[object]:
    """Yield what the data of one event says: JSON values, and :data:`DONE`.

    Nearly always it is one value. Known as well are several in a row, ``data:`` written
    twice, and a JSON text within a JSON text. Of anything else, raise ValueError (or
    RecursionError, where it is nested too deep), after what stands before it.
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


def report_of(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the error that a document reports, in the shape of an error answer."""
    if document.get("error_code"):  # FastChat's worker
        return {"error": document.get("text")}
    told = document.get("error") or document.get("object") == "error"
    if not told and "choices" not in document:  # FastAPI; DashScope
        words = document.get("code") and document.get("message")
        told = document.get("detail") or words
    return document if told else None


def texts_of(delta: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a delta, or a message, adds to the reasoning and to the answer."""
    content = delta.get("content")
    thoughts: list[object] = []
    if isinstance(content, list):  # Mistral
        thoughts = [part for part in content if _is_thought(part)]
        content = [part for part in content if not _is_thought(part)]
    fields = [_thought(delta[name]) for name in _REASONING if delta.get(name)]
    thought = next(filter(None, fields), "") or _thought(thoughts)
    return thought, _text(content) or _text(delta.get("refusal"))


def _is_thought(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") in ("thinking", "reasoning")


def _thought(value: object) -> str:
    if not isinstance(value, list):
        return _text(value)
    parts = (part for part in value if isinstance(part, dict))
    return "".join(_text(next(filter(None, map(p.get, _THOUGHT)), "")) for p in parts)


def _text(content: object) -> str:
    """Return the text of a content: a text, or a list with parts of text."""
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""
