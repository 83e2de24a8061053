"""The chunks of hosted services, each in the shape that it documents or sends."""

from __future__ import annotations

from typing import Any

from h2o_magic.errors import GenerationError, IncompleteAnswerError
from tests.backends.behaviours.row import (
    DONE,
    FIRST,
    LAST,
    Row,
    choice,
    chunk,
    row,
    said,
    sse,
    usage,
)

_ROLE = chunk({"role": "assistant", "content": ""})
_COUNTED = {"choices": [], "usage": usage(9, 2)}
_FILTER = {"hate": {"filtered": False, "severity": "safe"}}


def _parts(*parts: dict[str, Any]) -> dict[str, Any]:
    return chunk({"content": list(parts)})


def _thought(delta: dict[str, Any]) -> bytes:
    return sse(_ROLE, chunk(delta), FIRST, LAST, DONE)


OPENAI = [
    row(
        "a role, texts, a reason, counts, an end",
        "OpenAI: docs, chat completion chunk",
        sse(
            chunk({"role": "assistant", "content": "", "refusal": None}, usage=None),
            said("Hello", logprobs=None, service_tier="default", obfuscation="x9"),
            said(" world", system_fingerprint="fp_1"),
            chunk({}, "stop", usage=None),
            _COUNTED,
            DONE,
        ),
        counts=(9, 2),
    ),
    row(
        "a refusal of the model is its answer",
        "OpenAI: docs, refusal in a delta",
        sse(
            chunk({"refusal": "Hello"}),
            chunk({"refusal": " world"}),
            chunk({}, "stop"),
            DONE,
        ),
    ),
    row(
        "the words of a spoken answer are its text",
        "OpenAI: docs, audio in a delta",
        sse(
            chunk({"content": None, "audio": {"id": "a", "transcript": "Hello"}}),
            chunk({"audio": {"data": "UklGRg=="}}),
            chunk({"audio": {"transcript": " world"}}),
            chunk({"audio": {"expires_at": 1}}, "stop"),
            DONE,
        ),
    ),
    row(
        "logprobs are no text",
        "OpenAI: docs, logprobs",
        sse(
            choice(
                delta={"content": "Hello world"},
                logprobs={"content": [{"token": "Hello"}]},
            ),
            chunk({}, "stop"),
            DONE,
        ),
    ),
    row(
        "annotations are no text",
        "OpenAI: docs, web search",
        sse(FIRST, LAST, chunk({"annotations": [{"type": "url_citation"}]}), DONE),
    ),
    row(
        "of several choices the first is the answer",
        "OpenAI: docs, n; basaran #140",
        sse(
            {"choices": [{"index": 1, "delta": {"role": "assistant"}}]},
            {"choices": [{"index": 1, "delta": {"content": "Good"}}]},
            {
                "choices": [
                    FIRST["choices"][0],
                    {"index": 1, "delta": {"content": " bye"}},
                ]
            },
            LAST,
            {"choices": [{"index": 1, "delta": {}, "finish_reason": "length"}]},
            DONE,
        ),
    ),
    row(
        "a choice of another index is the answer where it is the only one",
        "gateways that count from 1",
        sse(
            {"choices": [{"index": 1, "delta": {"content": "Hello"}}]},
            {
                "choices": [
                    {
                        "index": 1,
                        "delta": {"content": " world"},
                        "finish_reason": "stop",
                    }
                ]
            },
            DONE,
        ),
    ),
    row(
        "a text whose index is that of a block is no other choice",
        "gateways before Anthropic: index of the content block",
        sse(
            chunk({"reasoning_content": "Hm"}),
            {"choices": [{"index": 1, "delta": {"content": "Hello"}}]},
            {"choices": [{"index": 1, "delta": {"content": " world"}}]},
            chunk({}, "stop"),
            DONE,
        ),
        reasoning="Hm",
    ),
    row(
        "null may stand everywhere",
        "llama.cpp, SGLang #4550",
        sse(
            choice(
                delta={"role": None, "content": None, "tool_calls": None}, logprobs=None
            ),
            {"choices": None, "usage": None, "model": None},
            choice(delta=None, finish_reason=None),
            FIRST,
            LAST,
            DONE,
        ),
    ),
    row(
        "what is of another type means nothing",
        "hostile",
        sse(
            {"choices": [None, 5, {"delta": 7}, {"delta": {"content": False}}]},
            {"choices": 7, "usage": 7, "model": 7},
            FIRST,
            LAST,
            DONE,
        ),
    ),
]

AZURE = [
    row(
        "an empty first choice with the filter's results is no answer yet",
        "Azure: docs, content streaming; streamlit #8084",
        sse(
            {
                "choices": [],
                "id": "",
                "model": "",
                "object": "",
                "prompt_filter_results": [
                    {"prompt_index": 0, "content_filter_results": _FILTER}
                ],
            },
            chunk({"role": "assistant"}, model="gpt-4o"),
            FIRST,
            LAST,
            DONE,
        ),
        model="gpt-4o",
    ),
    row(
        "the results of the asynchronous filter are no text",
        "Azure: docs, asynchronous filter",
        sse(
            said("Hello", model="gpt-4o"),
            {
                "id": "",
                "model": "",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": None,
                        "content_filter_results": _FILTER,
                        "content_filter_offsets": {
                            "check_offset": 0,
                            "start_offset": 0,
                        },
                    }
                ],
            },
            LAST,
            DONE,
        ),
        model="gpt-4o",
    ),
    row(
        "results of the filter after the reason take nothing back",
        "Azure: docs, asynchronous filter",
        sse(
            FIRST,
            LAST,
            choice(content_filter_results=_FILTER, finish_reason=None),
            DONE,
        ),
    ),
    row(
        "a filter that cuts the answer off is told, and what came is kept",
        "Azure: docs, content_filter",
        sse(
            FIRST,
            choice(
                delta={}, finish_reason="content_filter", content_filter_results=_FILTER
            ),
            DONE,
        ),
        text="Hello",
        ends=GenerationError,
        says="content filter",
    ),
]

REASONING = [
    row(f"reasoning is kept apart: {what}", origin, _thought(delta), reasoning="Hm")
    for what, origin, delta in (
        (
            "reasoning_content",
            "DeepSeek: docs, reasoner",
            {"content": None, "reasoning_content": "Hm"},
        ),
        ("reasoning", "Ollama, vLLM PR 27755", {"content": "", "reasoning": "Hm"}),
        (
            "both names of it",
            "LiteLLM: docs, reasoning",
            {"reasoning": "Hm", "reasoning_content": "Hm"},
        ),
        (
            "reasoning and reasoning_details",
            "OpenRouter: docs, reasoning tokens",
            {
                "reasoning": "Hm",
                "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}],
            },
        ),
        (
            "reasoning_details alone",
            "OpenRouter: docs, reasoning tokens",
            {"reasoning_details": [{"type": "reasoning.summary", "summary": "Hm"}]},
        ),
        (
            "thinking_blocks beside it",
            "LiteLLM: docs, thinking_blocks",
            {
                "reasoning_content": "Hm",
                "thinking_blocks": [{"type": "thinking", "thinking": "Hm"}],
            },
        ),
        (
            "a thinking part of the content",
            "Mistral: docs, reasoning",
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
                ]
            },
        ),
        (
            "a thinking part with a text",
            "Mistral: docs, reasoning",
            {"content": [{"type": "thinking", "thinking": "Hm", "closed": True}]},
        ),
        (
            "a reasoning part with a summary",
            "Databricks: docs, reasoning models",
            {
                "content": [
                    {
                        "type": "reasoning",
                        "summary": [{"type": "summary_text", "text": "Hm"}],
                    }
                ]
            },
        ),
        (
            "reasoning_text",
            "GitHub Copilot",
            {"content": None, "reasoning_text": "Hm"},
        ),
        (
            "thinking_blocks alone",
            "LiteLLM: docs, thinking_blocks",
            {"thinking_blocks": [{"type": "thinking", "thinking": "Hm"}]},
        ),
        (
            "a list of parts in reasoning_content",
            "gateways that pass on parts",
            {"reasoning_content": [{"type": "text", "text": "Hm"}]},
        ),
        (
            "an object in reasoning",
            "gateways that pass on parts",
            {"reasoning": {"content": "Hm"}},
        ),
        (
            "reasoningContent",
            "Bedrock: docs, ReasoningContent",
            {"reasoningContent": {"text": "Hm"}},
        ),
        (
            "a part of the type thought",
            "gateways before Gemini",
            {"content": [{"type": "thought", "text": "Hm"}]},
        ),
        (
            "a part that is a thought",
            "Gemini: docs, thought summaries",
            {"content": [{"text": "Hm", "thought": True}]},
        ),
        (
            "tags of Kimi",
            "Kimi: chat template",
            {"content": "◁think▷Hm◁/think▷"},
        ),
        (
            "tags of Magistral",
            "Mistral: Magistral's model card",
            {"content": "[THINK]Hm[/THINK]"},
        ),
        (
            "channels of gpt-oss",
            "OpenAI: harmony",
            {
                "content": "<|channel|>analysis<|message|>Hm<|end|><|start|>assistant"
                "<|channel|>final<|message|>"
            },
        ),
        ("tags", "DeepSeek-R1 without a parser", {"content": "<think>Hm</think>"}),
        (
            "tags of Gemini",
            "Gemini: compat, include_thoughts",
            {"content": "<thought>Hm</thought>"},
        ),
        ("thinking", "Ollama: docs, thinking", {"content": "", "thinking": "Hm"}),
    )
] + [
    row(
        "a thought that opens in one chunk and closes in another",
        "Gemini: compat, extra_content",
        sse(
            chunk(
                {
                    "content": "<thought>H",
                    "extra_content": {"google": {"thought": True}},
                }
            ),
            chunk({"content": "m", "extra_content": {"google": {"thought": True}}}),
            chunk({"content": "</thou"}),
            said("ght>Hello world", "stop"),
            DONE,
        ),
        reasoning="Hm",
    ),
    row(
        "a thought that was opened in the model's template",
        "DeepSeek-R1 and Qwen3 without a parser",
        sse(said("Hm"), said("\n</think>\n\nHello"), LAST, DONE),
        reasoning="Hm\n",
    ),
    row(
        "reasoning that grows from chunk to chunk is not doubled",
        "DashScope: qwen-code PR 3896",
        sse(
            *(chunk({"reasoning_content": h}) for h in ("Hm", "Hm, hm", "Hm, hm, so")),
            FIRST,
            LAST,
            DONE,
        ),
        reasoning="Hm, hm, so",
    ),
    row(
        "encrypted reasoning is no text",
        "OpenRouter: docs, reasoning.encrypted",
        _thought(
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "gAAA"}]}
        ),
    ),
    row(
        "a thought and text in one chunk go where they belong",
        "Mistral: docs, references",
        sse(
            _parts(
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}, 5]},
                {"type": "reference", "reference_ids": [1]},
                {"type": "text", "text": "Hello world"},
            ),
            chunk({}, "stop"),
            DONE,
        ),
        reasoning="Hm",
    ),
    row(
        "the counts of reasoning are part of those of the answer",
        "DeepSeek: docs, usage",
        sse(
            chunk({"reasoning_content": "Hm"}),
            said(
                "Hello world",
                "stop",
                usage={
                    **usage(9, 7),
                    "completion_tokens_details": {"reasoning_tokens": 5},
                    "prompt_cache_hit_tokens": 4,
                },
            ),
            DONE,
        ),
        reasoning="Hm",
        counts=(9, 7),
    ),
    row(
        "reasoning without an answer is told",
        "vLLM: docs, reasoning; max_tokens counts it",
        sse(chunk({"reasoning_content": "Hm"}), chunk({}, "length"), DONE),
        text="",
        reasoning="Hm",
        ends="length",
    ),
]

COUNTS = [
    row(
        "counts in every chunk are those so far",
        "xAI: litellm #17136; Perplexity: langchain PR 38070; vLLM: continuous_usage_stats",
        sse(
            said("Hello", usage=usage(9, 1)),
            said(" world", "stop", usage=usage(9, 2)),
            DONE,
        ),
        counts=(9, 2),
    ),
    row(
        "counts may stand in the choice",
        "Moonshot: pi #2017",
        sse(
            FIRST,
            choice(
                delta={"content": " world"}, finish_reason="stop", usage=usage(9, 2)
            ),
            DONE,
        ),
        counts=(9, 2),
    ),
    row(
        "counts may stand in x_groq",
        "Groq: API reference, x_groq",
        sse(
            said("Hello", x_groq={"id": "req_1"}),
            said(
                " world",
                "stop",
                x_groq={"id": "req_1", "usage": {**usage(9, 2), "queue_time": 0.1}},
            ),
            DONE,
        ),
        counts=(9, 2),
    ),
    row(
        "counts may come after the reason, with a choice",
        "OpenRouter: docs, usage accounting",
        sse(FIRST, LAST, said("", None, usage={**usage(9, 2), "cost": 0.1}), DONE),
        counts=(9, 2),
    ),
    row(
        "counts of all of it are an end where there is no other",
        "gateways that drop the reason",
        sse(FIRST, said(" world"), _COUNTED),
        ends="unknown",
        counts=(9, 2),
    ),
    row(
        "counts need no [DONE] after them",
        "h2oGPT: recorded",
        sse(FIRST, LAST, _COUNTED),
        counts=(9, 2),
    ),
    row(
        "zeros before the real counts are not kept",
        "MiniMax: OpenBitFun PR 792; LocalAI #1744",
        sse(
            said("Hello", usage=usage(0, 0)),
            said(" world", "stop", usage=usage(9, 2)),
            DONE,
        ),
        counts=(9, 2),
    ),
    row(
        "an empty chunk behind the counts takes none back",
        "xAI: litellm #17136",
        sse(FIRST, said(" world", "stop", usage=usage(9, 2)), {"choices": []}, DONE),
        counts=(9, 2),
    ),
    row(
        "counts that are no numbers are none",
        "hostile",
        sse(
            FIRST,
            said(
                " world",
                "stop",
                usage={"prompt_tokens": "9", "completion_tokens": True},
            ),
            DONE,
        ),
    ),
    row(
        "counts in the words of Anthropic are understood",
        "gateways before Anthropic",
        sse(
            FIRST,
            LAST,
            {"choices": [], "usage": {"input_tokens": 9, "output_tokens": 2}},
            DONE,
        ),
        counts=(9, 2),
    ),
]

OTHERS = [
    row(
        "Groq tells an error beside the choice",
        "Groq: API reference, x_groq.error",
        sse(
            FIRST,
            chunk({}, None, x_groq={"id": "req_1", "error": "over_capacity"}),
            DONE,
        ),
        text="Hello",
        ends=GenerationError,
        says="over_capacity",
    ),
    row(
        "Together says each text twice in a choice",
        "Together: API reference, text beside the delta",
        sse(
            choice(text="Hello", delta={"content": "Hello", "token_id": 1}, seed=1),
            choice(text=" world", delta={"content": " world"}, finish_reason="eos"),
            DONE,
        ),
    ),
    row(
        "Fireworks adds what it measured",
        "Fireworks: docs, perf_metrics",
        sse(
            FIRST,
            {**LAST, "usage": usage(9, 2), "perf_metrics": {"prompt-tokens": 9}},
            DONE,
        ),
        counts=(9, 2),
    ),
    row(
        "Perplexity repeats the whole message beside each delta",
        "Perplexity: api-discussion #209",
        sse(
            choice(delta={"content": "Hello"}, message={"content": "Hello"}),
            choice(delta={"content": " world"}, message={"content": "Hello world"}),
            {
                **choice(
                    delta={"content": ""},
                    message={"content": "Hello world"},
                    finish_reason="stop",
                ),
                "citations": ["https://example.org"],
                "search_results": [{"title": "x"}],
                "usage": {**usage(9, 2), "search_context_size": "low"},
            },
        ),
        counts=(9, 2),
    ),
    row(
        "MiniMax ends with the whole answer once more",
        "MiniMax: OpenBitFun PR 792, GoModel PR 1068",
        sse(
            chunk(
                {"role": "", "content": "Hello", "reasoning_content": ""},
                input_sensitive=False,
            ),
            chunk({"reasoning_content": "Hm"}),
            said(" world", "stop"),
            {
                "object": "chat.completion",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {
                            "content": "Hello world",
                            "reasoning_content": "Hm",
                        },
                    }
                ],
                "usage": usage(9, 2),
                "base_resp": {"status_code": 0, "status_msg": ""},
            },
        ),
        reasoning="Hm",
        counts=(9, 2),
    ),
    row(
        "a whole message at the end adds what is missing",
        "hermes-browser-extension #11",
        sse(
            said("Hello"),
            choice(message={"content": "Hello world"}, finish_reason="stop"),
            DONE,
        ),
    ),
    row(
        "texts that grow from chunk to chunk are not doubled",
        "DashScope: qwen-code PR 3896",
        sse(
            *(
                said(text)
                for text in (
                    "It is",
                    "It is a long",
                    "It is a long way",
                    "It is a long way to Rome.",
                )
            ),
            said("It is a long way to Rome.", "stop"),
            DONE,
        ),
        text="It is a long way to Rome.",
    ),
    row(
        "a chunk that is sent twice is heard twice",
        "every model that repeats itself",
        sse(
            *[chunk({"content": "a"}), chunk({"reasoning": "hm"})] * 2,
            chunk({}, "stop"),
            DONE,
        ),
        text="aa",
        reasoning="hmhm",
    ),
    row(
        "the same word again and again is the text",
        "every model that counts",
        sse(
            *[said(word) for word in ("ha", "ha", " ha ha", " ha ha", "ha", "!")],
            chunk({}, "stop"),
            DONE,
        ),
        text="haha ha ha ha haha!",
    ),
    row(
        "Gemini sends no role, and the reason in its own words",
        "Gemini: compat; higress PR 2408",
        sse(
            choice(delta={"content": "Hello"}),
            choice(delta={"content": " world"}, finish_reason="STOP"),
            DONE,
        ),
    ),
    row(
        "Gemini at its limit sends a choice without a delta",
        "Gemini: ai-gateway PR 2107",
        sse(FIRST, choice(finish_reason="MAX_TOKENS")),
        text="Hello",
        ends="length",
    ),
    row(
        "Cohere's compatible stream is read",
        "Cohere: docs, compatibility API",
        sse(
            chunk({"role": "assistant", "content": "", "tool_plan": ""}),
            FIRST,
            LAST,
            DONE,
        ),
    ),
    row(
        "Cerebras and SambaNova add their times",
        "Cerebras: docs, time_info; SambaNova: docs, usage",
        sse(
            FIRST,
            {
                **LAST,
                "time_info": {"queue_time": 0.1},
                "usage": {**usage(9, 2), "is_last_response": True},
            },
            DONE,
        ),
        counts=(9, 2),
    ),
    row(
        "Cloudflare's own stream is read",
        "Cloudflare: Workers AI docs, streaming",
        sse(
            {"response": "Hello", "p": "abc"},
            {"response": " world", "p": "ab"},
            {"response": "", "usage": usage(9, 2)},
            DONE,
        ),
        ends="unknown",
        counts=(9, 2),
    ),
    *(
        row(
            f"a text is read where a delta should be: {name}",
            "gateways that simplify",
            sse(
                choice(**{name: "Hello"}), choice(**{name: " world"}), chunk({}, "stop")
            ),
        )
        for name in ("delta", "message", "content", "text")
    ),
    row(
        "a text in a delta that has no content is read",
        "gateways before Anthropic",
        sse(chunk({"text": "Hello"}), chunk({"text": " world"}, "stop"), DONE),
    ),
    row(
        "a content may be a list of texts",
        "gateways that join parts",
        sse(chunk({"content": ["Hel", "lo"]}), chunk({"content": [" world"]}, "stop")),
    ),
    row(
        "a chunk within another document is read",
        "gateways that wrap",
        sse({"code": 200, "data": FIRST}, {"code": 200, "data": LAST}, DONE),
    ),
    row(
        "a content that may stand for a text is told",
        "gateways that pass on what they do not know",
        sse(FIRST, chunk({"content": {"parts": 7}}), chunk({}, "stop"), DONE),
        text="Hello",
        ends=IncompleteAnswerError,
        says="cannot be read",
    ),
    *(
        row(
            f"choices of another type are told: {what}",
            "gateways that simplify",
            sse(FIRST, {"choices": choices}, LAST, DONE),
            ends=IncompleteAnswerError,
            says=("after 5 characters, cannot be read", "my"),
        )
        for what, choices in (
            ("an object", {"delta": {"content": " my"}}),
            ("a text", [" my"]),
        )
    ),
    row(
        "a text of another protocol is told",
        "Anthropic's own stream, at a wrong address",
        sse({"type": "content_block_delta", "delta": {"text": "Hello"}}, DONE),
        text="",
        ends=IncompleteAnswerError,
        says="cannot be read",
    ),
    row(
        "a stop text is cut off, though it comes in pieces",
        "transformers serve: recorded, stop texts stay",
        sse(said("Hello w"), said("orld E"), said("N"), said("D!", "length"), DONE),
        ends="stop_text",
        parameters={"stop": (" END",)},
    ),
    row(
        "what only begins like a stop text is text",
        "transformers serve: recorded, stop texts stay",
        sse(said("Hello E"), said("N", "stop"), DONE),
        text="Hello EN",
        parameters={"stop": ("END",)},
    ),
    row(
        "a model may be named in some chunks only",
        "h2oGPTe: docs",
        sse(FIRST, {**LAST, "model": "h2oai/m@q4"}, DONE),
        model="h2oai/m@q4",
    ),
    row(
        "of several models the last is the one",
        "OpenRouter: docs, auto router",
        sse({**FIRST, "model": "auto"}, {**LAST, "model": "openai/gpt-5"}, DONE),
        model="openai/gpt-5",
    ),
    row(
        "an old completion is read by its text",
        "OpenAI: docs, completions; basaran #144",
        sse(
            choice(text="Hello", logprobs=None),
            choice(text=" world", finish_reason="stop"),
            DONE,
        ),
    ),
    row(
        "a message in place of a delta is text",
        "text-generation-webui, old versions",
        sse(
            choice(message={"content": "Hello"}),
            choice(message={"content": " world"}, finish_reason="stop"),
            DONE,
        ),
    ),
    row(
        "a tool call in place of an answer is told",
        "OpenAI: docs, tool_calls",
        sse(
            chunk(
                {
                    "tool_calls": [
                        {"index": 0, "function": {"name": "f", "arguments": ""}}
                    ]
                }
            ),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
            chunk({}, "tool_calls"),
            DONE,
        ),
        text="",
        ends=GenerationError,
        says="tool call",
    ),
    row(
        "a tool call that ends with stop is told, too",
        "Ollama PR 7963; litellm #12862; gcli2api PR 407",
        sse(
            chunk({"tool_calls": [{"index": 0, "function": {"name": "f"}}]}),
            chunk({}, "stop"),
            DONE,
        ),
        text="",
        ends=GenerationError,
        says="tool call",
    ),
    row(
        "a tool call beside an answer takes nothing back",
        "Perplexity: docs, search tools",
        sse(
            chunk({"tool_calls": [{"index": 0, "function": {"name": "search"}}]}),
            FIRST,
            LAST,
            DONE,
        ),
    ),
    row(
        "a stream that only said its role is no answer",
        "vLLM, prompt at the limit",
        sse(_ROLE, DONE),
        text="",
        ends=IncompleteAnswerError,
        says="too long for the model",
    ),
    row(
        "an empty answer is an answer",
        "OpenAI: the end as the first token",
        sse(_ROLE, chunk({}, "stop"), DONE),
        text="",
    ),
]

ROWS: list[Row] = OPENAI + AZURE + REASONING + COUNTS + OTHERS
