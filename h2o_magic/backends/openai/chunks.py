"""What one event of a chat completion holds: its chunk, texts and counts.

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
    *("thinking", "reasoning", "reasoning_text", "summary", "text", "content"),
)
_TEXT_PART = ("text", "content", "value", "parts")
_DEEPEST = 4  # parts within parts
#: What holds the text of an answer in other protocols.
_OTHERS = (
    *("content", "text", "response", "delta", "completion", "token"),
    *("generated_text", "output_text", "answer", "candidates"),
)
#: What a gateway may put around each document.
_WRAPPERS = ("data", "result", "response", "output")
#: What is counted, and what Anthropic and Ollama call it.
_COUNTS = {
    "prompt_tokens": ("prompt_tokens", "input_tokens", "prompt_eval_count"),
    "completion_tokens": ("completion_tokens", "output_tokens", "eval_count"),
}


def chunk_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the chunk that a document is, or that it holds, or says in other words."""
    if "choices" in document:
        return document
    inner = [part for part in map(document.get, _WRAPPERS) if isinstance(part, dict)]
    if found := next((part for part in inner if "choices" in part), None):
        return found
    parts = (("delta", document), *(("message", part) for part in inner))
    return next(filter(None, (_translated(*part) for part in parts)), document)


def _translated(kind: str, document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the chunk that Cloudflare's own API says, or Ollama's; None for others."""
    text, said, done = map(document.get, ("response", "message", "done"))
    if isinstance(text, str):
        said = {"content": text}
    elif not isinstance(said, dict) or done is None:
        return None
    reason = document.get("done_reason") or ("stop" if done is True else None)
    usage = document.get("usage") if done is None else document
    choice = {kind: said, "finish_reason": reason}
    return {**document, "choices": [choice], "usage": usage}


def texts_of(delta: Mapping[str, Any]) -> tuple[str, str]:
    content = delta.get("content", delta.get("text"))
    parts: list[object] = []
    if isinstance(content, list):  # Mistral
        parts = [part for part in content if _is_reasoning(part)]
        content = [part for part in content if not _is_reasoning(part)]
    # Both for each token: nearly all have nothing but a text.
    said = [delta[name] for name in _REASONING if delta.get(name)]
    fields = (text_of(value, _REASONING_PART) for value in (*said, parts))
    reasoning = next(filter(None, fields), "") if said or parts else ""
    text = text_of(content) or text_of(delta.get("refusal"))
    if not text and isinstance(audio := delta.get("audio"), dict):
        text = text_of(audio.get("transcript"))
    return reasoning, text


def _is_reasoning(part: object) -> bool:
    if not isinstance(part, dict):
        return False
    kind = part.get("type")
    return kind in ("thinking", "reasoning", "thought") or part.get("thought") is True


def text_of(
    value: object, names: tuple[str, ...] = _TEXT_PART, depth: int = _DEEPEST
) -> str:
    """Return the text of a value: a text, a part that has it, or a list of parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth:
        return "".join(text_of(part, names, depth - 1) for part in value)
    if not isinstance(value, dict) or not depth:
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
        usages = [chunk.get("usage")]
        if beside := chunk.get("x_groq"):
            usages.append(beside.get("usage") if isinstance(beside, dict) else None)
        for choice in chunk.get("choices") or ():
            if isinstance(choice, dict) and "usage" in choice:  # Moonshot
                usages.append(choice["usage"])
        found = [self._count(usage) for usage in usages if isinstance(usage, dict)]
        if isinstance(times := chunk.get("timings"), dict):  # llama.cpp, our own server
            milliseconds = seconds(times.get("predicted_ms"))
            self._keep("writing_seconds", milliseconds and milliseconds / 1000)
        return any(found)

    def _count(self, usage: Mapping[str, Any]) -> bool:
        for name, names in _COUNTS.items():
            for each in names:
                self._keep(name, count(usage.get(each)))
        details = usage.get("prompt_tokens_details")
        if isinstance(details, dict):
            self._keep("cached_tokens", count(details.get("cached_tokens")))
        return any(count(usage.get(each)) for each in _COUNTS["completion_tokens"])

    def _keep(self, name: str, value: float | None) -> None:
        # A zero stands for what is not known yet.
        if value is not None and (value or not self._usage.get(name)):
            self._usage[name] = value
