"""Why answers end: every reason that a vendor documents, and what is made of it."""

from __future__ import annotations

from typing import Any

from h2o_magic.errors import GenerationError, IncompleteAnswerError
from tests.backends.behaviours.row import DONE, FIRST, Row, chunk, row, said, sse

_FILTERED = (GenerationError, "content filter")
_TOOL = (GenerationError, "tool")
_BROKEN = (IncompleteAnswerError, "broke off")

#: Reason, what it means, who says so.
_REASONS: tuple[tuple[str, Any, str], ...] = (
    ("stop", "end", "OpenAI"),
    ("eos", "end", "Together"),
    ("eos_token", "end", "TGI"),
    ("end_turn", "end", "Anthropic, Bedrock"),
    ("STOP", "end", "Gemini"),
    ("COMPLETE", "end", "Cohere"),
    ("normal", "end", "Baidu"),
    ("stop_sequence", "stop_text", "Anthropic, TGI"),
    ("STOP_SEQUENCE", "stop_text", "Cohere"),
    ("length", "length", "OpenAI"),
    ("max_tokens", "length", "Anthropic, Bedrock"),
    ("MAX_TOKENS", "length", "Gemini, Cohere"),
    ("model_length", "length", "Mistral"),
    ("max_output_tokens", "length", "OpenAI: responses, through gateways"),
    ("model_context_window_exceeded", "length", "Z.ai: any-llm PR 1204; Anthropic"),
    ("content_filter", _FILTERED, "OpenAI, Azure"),
    ("content_filter: PROHIBITED_CONTENT", _FILTERED, "Gemini: compat"),
    ("content_filtered", _FILTERED, "Bedrock"),
    ("guardrail_intervened", _FILTERED, "Bedrock"),
    ("refusal", (GenerationError, "refused to answer"), "Anthropic"),
    ("SAFETY", _FILTERED, "Gemini"),
    ("RECITATION", _FILTERED, "Gemini"),
    ("BLOCKLIST", _FILTERED, "Gemini"),
    ("PROHIBITED_CONTENT", _FILTERED, "Gemini"),
    ("SPII", _FILTERED, "Gemini"),
    ("ERROR_TOXIC", _FILTERED, "Cohere"),
    ("sensitive", _FILTERED, "Zhipu: litellm PR 24373"),
    ("blacklist", _FILTERED, "GigaChat"),
    ("tool_calls", _TOOL, "OpenAI"),
    ("tool_use", _TOOL, "Anthropic, Bedrock"),
    ("TOOL_CALL", _TOOL, "Cohere"),
    ("function_call", (GenerationError, "function call"), "OpenAI"),
    ("function_call_filter: MALFORMED_FUNCTION_CALL", _TOOL, "Gemini: compat"),
    ("MALFORMED_FUNCTION_CALL", _TOOL, "Gemini"),
    ("UNEXPECTED_TOOL_CALL", _TOOL, "Gemini"),
    ("abort", _BROKEN, "vLLM, SGLang"),
    ("cancelled", _BROKEN, "llama.cpp forks"),
    ("error", _BROKEN, "Mistral, vLLM, OpenRouter"),
    ("ERROR", _BROKEN, "Cohere"),
    ("insufficient_system_resource", _BROKEN, "DeepSeek"),
    ("network_error", _BROKEN, "Zhipu: promptfoo PR 9905"),
    ("TIMEOUT", _BROKEN, "Cohere"),
    ("something_new", "unknown", "whoever comes next"),
)


def _ended(reason: str, meaning: Any, origin: str) -> Row:
    promise, body = (
        f"the reason {reason} is understood",
        sse(FIRST, chunk({}, reason), DONE),
    )
    if isinstance(meaning, str):
        return row(promise, origin, body, text="Hello", ends=meaning)
    error, words = meaning
    return row(promise, origin, body, text="Hello", ends=error, says=words)


MANY = [
    row(
        f"of the reasons {first!r} and {last!r} the last holds",
        "One API #1408",
        sse(said("Hello", first), said(" world", last), DONE),
        ends=meaning,
    )
    for first, last, meaning in (
        ("stop", "length", "length"),
        ("length", "stop", "end"),
        ("stop", None, "end"),
        ("tool_calls", "stop", "end"),
        ("", "length", "length"),
        ("null", "stop", "end"),
    )
]

ROWS: list[Row] = [_ended(*each) for each in _REASONS] + MANY
