"""What one event of a chat completion holds: its documents, texts, errors and counts.

Pure. The shapes are those that seven servers write (tests/recordings/openai), and those
that others are documented, or were reported, to write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from h2o_magic.backends.own_server import count, seconds
from h2o_magic.backends.text import join_surrogates
from h2o_magic.chat.events import Source, Usage

#: DeepSeek, llama.cpp and older vLLM; Ollama, LM Studio and newer vLLM; OpenRouter;
#: Copilot; gateways before Ollama and Anthropic; LiteLLM; Bedrock.
_REASONING = (
    *("reasoning_content", "reasoning", "reasoning_details", "reasoning_text"),
    *("thinking", "thinking_blocks", "thought", "reasoningContent"),
)
#: Where a part has its reasoning, and where its text.
_REASONING_PART = (
    "thinking",
    "reasoning",
    "reasoning_text",
    "summary",
    "text",
    "content",
)
_TEXT_PART = ("text", "content", "value")
_DEEPEST = 4  # parts within parts
#: What holds the text of an answer in other protocols.
_OTHERS = (
    *("content", "text", "response", "delta", "completion", "token"),
    *("generated_text", "output_text", "answer", "candidates"),
)
#: What a gateway may put around each document.
_WRAPPERS = ("data", "result", "response")
_FINE = ("0", "200", "ok", "success")


def choices_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the document that has the choices: another one may be around it."""
    if "choices" in document:
        return document
    for inner in map(document.get, _WRAPPERS):
        if isinstance(inner, dict) and "choices" in inner:
            return inner
    return document


def error_of(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the error that a document reports, in the shape of an error answer."""
    beside = document.get("x_groq") or document.get("base_resp")
    if isinstance(beside, dict):  # Groq; MiniMax
        if beside.get("error"):
            return beside
        if beside.get("status_code"):
            return {"error": beside.get("status_msg"), "code": beside["status_code"]}
    if document.get("error_code"):  # FastChat's worker; Baidu
        return {"error": document.get("text") or document.get("error_msg")}
    if document.get("error") or document.get("object") == "error":
        return document
    return document if "choices" not in document and _is_error(document) else None


def _is_error(document: Mapping[str, Any]) -> bool:
    if any(map(document.get, ("detail", "errors", "fault", "error_msg"))):
        return True  # FastAPI; Cloudflare; Apigee; Baidu
    if document.get("type") == "error":
        return True
    code, status = document.get("code"), document.get("status")
    coded = bool(code) and str(code).lower() not in _FINE
    failed = isinstance(status, int) and status >= 400
    words = document.get("message") or document.get("msg")
    return bool(words) and (coded or failed)


def texts_of(delta: Mapping[str, Any]) -> tuple[str, str]:
    content = delta.get("content")
    parts: list[object] = []
    if isinstance(content, list):  # Mistral
        parts = [part for part in content if _is_reasoning(part)]
        content = [part for part in content if not _is_reasoning(part)]
    fields = [
        text_of(delta[name], _REASONING_PART) for name in _REASONING if delta.get(name)
    ]
    reasoning = next(filter(None, fields), "") or text_of(parts, _REASONING_PART)
    return reasoning, text_of(content) or text_of(delta.get("refusal"))


def _is_reasoning(part: object) -> bool:
    if not isinstance(part, dict):
        return False
    kind = part.get("type")
    return kind in ("thinking", "reasoning", "thought") or part.get("thought") is True


def text_of(
    value: object, names: tuple[str, ...] = _TEXT_PART, depth: int = _DEEPEST
) -> str:
    """Return the text of a value: a text, a part that has it, or a list of parts."""
    if isinstance(value, str) or not (value and depth):
        return value if isinstance(value, str) else ""
    if isinstance(value, list):
        return "".join(text_of(part, names, depth - 1) for part in value)
    if not isinstance(value, dict):
        return ""
    inner = (text_of(value.get(name), names, depth - 1) for name in names)
    return next(filter(None, inner), "")


def has_strange_content(said: Mapping[str, Any]) -> bool:
    """Return whether the content of a message is no text, but may stand for one."""
    content = said.get("content")
    return isinstance(content, int | float | dict) and content not in (False, {})


def has_other_text(document: Mapping[str, Any]) -> bool:
    """Return whether a document without choices holds text, as in other protocols."""
    message = document.get("message")  # as a text alone, it may be about anything
    said = [message if isinstance(message, dict) else "", *map(document.get, _OTHERS)]
    return any(map(text_of, said))


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

    def add_usage(self, chunk: Mapping[str, Any]) -> bool:
        """Note the counts of a chunk; return whether it has the answer's."""
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
        return bool(found.get("completion_tokens"))
