"""Why an answer ended, in the words of many servers.

Pure. Gateways pass on the words of what is behind them: Gemini's (in capitals, or with
a prefix), Anthropic's, Bedrock's, Cohere's, Mistral's.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from h2o_magic.backends.parser import BROKE_OFF
from h2o_magic.chat.events import FinishReason
from h2o_magic.errors import BackendError, GenerationError, IncompleteAnswerError

#: Among them those of text-generation-inference (``eos_token``) and Baidu (``normal``).
_COMPLETE = ("stop", "eos", "eos_token", "end_turn", "complete", "completed", "normal")
_LENGTHS = ("length", "max_tokens", "max_output_tokens", "model_length")
_REASONS: Mapping[str, FinishReason] = {
    **dict.fromkeys(_COMPLETE, "end"),
    "stop_sequence": "stop_text",
    **dict.fromkeys((*_LENGTHS, "model_context_window_exceeded"), "length"),
}
_PREFIX = "finish_reason_"  # of Gemini's names, where its own protocol is passed on
_FILTERED = "the server's content filter ended the answer"
_TOOL = "the model asked for a tool call, and no tools are available"
#: Reasons after which the text is not the answer, in words.
_NO_ANSWER = {
    **dict.fromkeys(("content_filter", "content_filtered", "error_toxic"), _FILTERED),
    **dict.fromkeys(("safety", "recitation", "blocklist", "spii"), _FILTERED),
    **dict.fromkeys(("prohibited_content", "image_safety"), _FILTERED),
    # Bedrock; Zhipu; GigaChat
    **dict.fromkeys(("guardrail_intervened", "sensitive", "blacklist"), _FILTERED),
    "refusal": "the model, or a filter behind it, refused to answer",
    "tool_calls": _TOOL,
    "tool_use": _TOOL,
    "tool_call": _TOOL,
    "malformed_function_call": _TOOL,
    "unexpected_tool_call": _TOOL,
    "function_call": "the model asked for a function call, and none are available",
}
#: Among them DeepSeek's and Zhipu's.
_BROKEN = frozenset(
    (
        *("abort", "aborted", "cancelled", "canceled", "user_cancel", "interrupted"),
        *("error", "model_error", "server_error", "internal_error", "incomplete"),
        *("insufficient_system_resource", "network_error", "timeout", "unavailable"),
    )
)
_NO_TEXT = (
    "the server ended its answer before the first word: perhaps the question with its "
    "history is too long for the model; shorten it, or send fewer earlier turns"
)
_CUT_FIRST = (
    "the server ended the connection before the first word of its answer: ask again; "
    "its log may say why"
)
_NO_END = (
    "the answer ended without a sign that it is complete, so its end may be missing "
    "(some servers drop it when another request comes): ask again"
)
_BROKE_OFF = "the server broke off the answer, so its end is missing: ask again"


def reason_of(said: object, stop_text: object) -> FinishReason:
    """Return why an answer ended; `stop_text` is what vLLM says beside it."""
    # It is a text, or the number of a token.
    if isinstance(stop_text, str):
        return "stop_text"
    return _REASONS.get(_name(said, _REASONS), "unknown")


def failure(said: object, partial: str, *, called: bool) -> BackendError | None:
    """Return why an answer that ended so is none; None if it is one.

    `called` means that the model has asked for a tool.
    """
    name = _name(said, {**_NO_ANSWER, **dict.fromkeys(_BROKEN)})
    if called and not partial and name not in _NO_ANSWER:
        name = "tool_calls"  # Gemini, for one, calls this end an ordinary one
    if name in _NO_ANSWER:
        return GenerationError(_NO_ANSWER[name], error_type=name, partial=partial)
    if name in _BROKEN:
        return IncompleteAnswerError(_BROKE_OFF, partial=partial)
    return None


def without_end(*, started: bool, lost: bool) -> str:
    """Return what is wrong with an answer of whose end nothing was said."""
    if started:
        return BROKE_OFF if lost else _NO_END
    return _CUT_FIRST if lost else _NO_TEXT


def _name(said: object, known: Container[str]) -> str:
    """Return a reason's name; of several behind colons (Gemini) one that is known."""
    name = str(said or "").lower().removeprefix(_PREFIX).replace("-", "_")
    return next((part for part in re.split(": *", name) if part in known), name)
