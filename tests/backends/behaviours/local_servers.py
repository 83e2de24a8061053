"""The streams of servers that users run themselves, and of gateways between."""

from __future__ import annotations

import json

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
    stream,
    usage,
)

ENGINES = [
    row(
        "llama.cpp begins with null and ends with its times",
        "llama.cpp: recorded",
        sse(
            chunk({"role": "assistant", "content": None}),
            FIRST,
            LAST,
            {"choices": [], "usage": usage(9, 2), "timings": {"predicted_ms": 20.0}},
            DONE,
        ),
        counts=(9, 2),
    ),
    row(
        "llama.cpp's progress with the prompt is no text",
        "llama.cpp: README, return_progress",
        sse(
            chunk(
                {"role": "assistant", "content": None},
                prompt_progress={"total": 9, "processed": 4},
            ),
            FIRST,
            LAST,
            DONE,
        ),
    ),
    row(
        "an error in a field of its own is told in the server's words",
        "llama.cpp PR 16109",
        sse(FIRST)
        + b'error: {"code":500,"message":"context shift is off","type":"server_error"}\n\n'
        + DONE,
        text="Hello",
        ends=GenerationError,
        says="context shift is off",
    ),
    row(
        "a prompt that is too long is told though the status is 200",
        "llama.cpp #14566",
        b'error: {"code":400,"message":"the request exceeds the available context size, '
        b'try increasing it","type":"exceed_context_size_error"}\n\n' + DONE,
        text="",
        ends=GenerationError,
        says=("exceeds the available context size", "shorten it"),
    ),
    row(
        "llama-cpp-python answers a long prompt with nothing",
        "llama_cpp.server: recorded",
        b"",
        text="",
        ends=IncompleteAnswerError,
        says="too long for the model",
    ),
    row(
        "llama-cpp-python ends an answer for another request",
        "llama_cpp.server: recorded, interrupt_requests",
        stream(sse(FIRST), DONE, end="cut"),
        text="Hello",
        ends="unknown",
    ),
    row(
        "vLLM names the stop text beside the reason",
        "vLLM: recorded, stop_reason",
        sse(
            said("Hello world"),
            choice(delta={}, finish_reason="stop", stop_reason="END"),
            DONE,
        ),
        ends="stop_text",
    ),
    row(
        "vLLM names a token beside the reason",
        "vLLM: recorded, stop_reason",
        sse(
            said("Hello world"),
            choice(delta={}, finish_reason="stop", stop_reason=151643),
            DONE,
        ),
    ),
    row(
        "SGLang names the stop text beside the reason",
        "SGLang #4550, matched_stop",
        sse(
            FIRST,
            choice(
                delta={"content": " world"}, finish_reason="stop", matched_stop="END"
            ),
            DONE,
        ),
        ends="stop_text",
    ),
    row(
        "SGLang never gives a reason",
        "SGLang #4550",
        sse(
            *(
                choice(
                    delta={"role": None, "content": text},
                    finish_reason=None,
                    matched_stop=None,
                )
                for text in ("Hello", " world")
            ),
            DONE,
        ),
        ends="unknown",
    ),
    row(
        "vLLM that is shut down aborts the answer",
        "vLLM #57082",
        sse(FIRST, chunk({}, "abort"), DONE),
        text="Hello",
        ends=IncompleteAnswerError,
        says="the server broke off the answer",
    ),
    row(
        "vLLM tells an error, and says [DONE]",
        "vLLM: recorded",
        sse(
            FIRST,
            {
                "error": {
                    "message": "EngineCore died",
                    "type": "InternalServerError",
                    "code": 500,
                }
            },
            DONE,
        ),
        text="Hello",
        ends=GenerationError,
        says="EngineCore died",
    ),
    row(
        "TGI pings, and ends in its own words",
        "TGI: messages API",
        sse(b":\n\n", FIRST, b":\n\n", said(" world", "eos_token")),
    ),
    row(
        "TGI tells an error with its status",
        "TGI PR 2668",
        sse(FIRST, {"error": {"message": "out of memory", "http_status_code": 422}}),
        text="Hello",
        ends=GenerationError,
        says="out of memory",
    ),
    row(
        "Ollama thinks in a field of its own",
        "Ollama: docs, OpenAI compatibility",
        sse(
            chunk({"role": "assistant", "content": "", "reasoning": "Hm"}),
            chunk({"role": "assistant", "content": "Hello"}),
            chunk({"role": "assistant", "content": " world"}),
            chunk({"role": "assistant", "content": ""}, "stop"),
            {"choices": [], "usage": usage(9, 4)},
            DONE,
        ),
        reasoning="Hm",
        counts=(9, 4),
    ),
    row(
        "Ollama fails with a line that is no event",
        "Ollama: docs, errors while streaming",
        sse(FIRST) + b'{"error":"an error was encountered while running the model"}\n',
        text="Hello",
        ends=GenerationError,
        says="an error was encountered while running the model",
    ),
    row(
        "LM Studio fails with an event of that name",
        "LM Studio: lmstudio-bug-tracker #1057",
        sse(FIRST)
        + b'event: error\ndata: {"error":{"message":"The model has crashed without '
        b'additional information. (Exit code: 6)"}}\n\n',
        text="Hello",
        ends=GenerationError,
        says="The model has crashed",
    ),
    row(
        "LM Studio answers 200 where it has no such route",
        "LM Studio: its log, Returning 200 anyway",
        stream(
            b'{"error":"Unexpected endpoint or method. (POST /chat/completions)"}',
            content_type="application/json",
        ),
        text="",
        ends=GenerationError,
        says="Unexpected endpoint or method",
    ),
    row(
        "LocalAI's empty reasons are none",
        "LocalAI #1886, #5102",
        sse(
            *(
                choice(finish_reason="", delta={"content": text})
                | {"usage": usage(0, 0)}
                for text in ("Hello", " world")
            ),
            choice(finish_reason="stop", delta={"content": ""})
            | {"usage": usage(9, 2)},
            DONE,
        ),
        counts=(9, 2),
    ),
    row(
        "LocalAI leaves the reason out",
        "LocalAI #1744",
        sse(
            choice(delta={"content": "Hello"}),
            choice(delta={"content": " world"}),
            choice(delta={"content": ""}, finish_reason="stop"),
            DONE,
        ),
    ),
    row(
        "text-generation-webui writes a message and a delta",
        "text-generation-webui: extensions/openai",
        sse(
            *(
                choice(
                    finish_reason=None,
                    message={"role": "assistant", "content": text},
                    delta={"role": "assistant", "content": text},
                )
                for text in ("Hello", " world")
            ),
            choice(finish_reason="stop", message={"content": ""}, delta={"content": ""})
            | {"usage": usage(9, 2)},
        ),
        counts=(9, 2),
    ),
    row(
        "h2oGPT writes a message and a delta, and no [DONE]",
        "h2oGPT: recorded",
        sse(
            choice(delta={"content": "Hello"}, message={"content": "Hello"}),
            choice(delta={"content": " world"}, message={"content": " world"}),
            choice(delta={"content": ""}, message={"content": ""}, finish_reason="stop")
            | {"usage": {**usage(9, 2), "save_dict": {"prompt": "x"}}},
        ).replace(b"\n", b"\r\n"),
        counts=(9, 2),
    ),
    row(
        "h2oGPT fails in the stream, with its code as a text",
        "h2oGPT: recorded",
        sse(
            FIRST,
            {
                "error": {
                    "message": "CUDA error",
                    "type": "server_error",
                    "param": None,
                    "code": "500",
                }
            },
        ).replace(b"\n", b"\r\n"),
        text="Hello",
        ends=GenerationError,
        says="CUDA error",
    ),
    row(
        "TabbyAPI fails in the stream with a trace",
        "TabbyAPI: common/networking.py",
        sse(FIRST, {"error": {"message": "Chat completion aborted.", "trace": None}}),
        text="Hello",
        ends=GenerationError,
        says="Chat completion aborted",
    ),
    row(
        "FastChat's worker fails in words of its own",
        "FastChat: worker, error_code",
        sse(
            FIRST,
            {"text": "**NETWORK ERROR DUE TO HIGH TRAFFIC.**", "error_code": 50001},
            DONE,
        ),
        text="Hello",
        ends=GenerationError,
        says="NETWORK ERROR DUE TO HIGH TRAFFIC",
    ),
    row(
        "FastChat's chunks have no object",
        "FastChat: recorded",
        sse(*({"id": "1", "choices": each["choices"]} for each in (FIRST, LAST)), DONE),
    ),
    row(
        "transformers serve ends without [DONE]",
        "transformers serve: recorded",
        sse(
            choice(delta={"content": "Hello"}),
            choice(delta={"content": " world"}),
            choice(delta={}, finish_reason="stop") | {"usage": usage(9, 2)},
        ),
        counts=(9, 2),
    ),
    row(
        "transformers serve fails with a text",
        "transformers serve: recorded",
        sse(FIRST, {"error": "CUDA out of memory"}),
        text="Hello",
        ends=GenerationError,
        says="CUDA out of memory",
    ),
    row(
        "mlx-lm reasons in a field of its own",
        "mlx-lm: SERVER.md",
        sse(
            chunk({"role": "assistant", "content": "", "reasoning": "Hm"}),
            FIRST,
            LAST,
            DONE,
        ),
        reasoning="Hm",
    ),
    row(
        "Ray Serve fails with an error in an error",
        "Ray Serve LLM: docs",
        sse(
            FIRST,
            {
                "error": {
                    "message": "Request was cancelled",
                    "code": 499,
                    "type": "Cancelled",
                }
            },
            DONE,
        ),
        text="Hello",
        ends=GenerationError,
        says="Request was cancelled",
    ),
    row(
        "our own server says what it does",
        "h2o_magic: docs/server.md",
        b': {"h2o_magic": {"notice": "loading the model"}}\n\n'
        + sse(FIRST, LAST, DONE),
        notices=("loading the model",),
    ),
]

GATEWAYS = [
    row(
        "every chunk may say stop",
        "One API #1408, New API #378",
        sse(said("Hello", "stop"), said(" world", "stop"), DONE),
    ),
    row(
        "every chunk may say stop, without [DONE]",
        "One API PR 1477",
        sse(said("Hello", "stop"), said(" world", "stop")),
    ),
    row(
        "the reasoning may say stop before the text",
        "gcli2api #403",
        sse(
            chunk({"reasoning_content": "Hm"}, "stop"),
            said("Hello", "stop"),
            said(" world", "stop"),
            DONE,
        ),
        reasoning="Hm",
    ),
    row(
        "a first chunk without text may say stop",
        "New API #378",
        sse(chunk({"role": "assistant", "content": ""}, "stop"), FIRST, LAST, DONE),
    ),
    row(
        "[DONE] may come twice",
        "gateways that add their own",
        sse(FIRST, LAST, DONE, DONE),
    ),
    row(
        "a reason may be repeated with the counts",
        "New API",
        sse(FIRST, LAST, chunk({}, "stop"), chunk({}, "stop", usage=usage(9, 2)), DONE),
        counts=(9, 2),
    ),
    row(
        "an empty error in each chunk is none",
        "gateways that write every field",
        sse(
            *(
                {**each, "error": {"message": "", "type": "", "code": None}}
                for each in (FIRST, LAST)
            ),
            DONE,
        ),
    ),
    row(
        "OpenRouter tells an error beside the choice",
        "OpenRouter: docs, errors mid-stream",
        sse(
            FIRST,
            {
                "id": "1",
                "provider": "openai",
                "error": {
                    "code": "server_error",
                    "message": "Provider disconnected unexpectedly",
                },
                "choices": [
                    {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
                ],
            },
        ),
        text="Hello",
        ends=GenerationError,
        says="Provider disconnected unexpectedly",
    ),
    row(
        "OpenRouter tells an error in the choice",
        "OpenRouter: docs, errors",
        sse(
            FIRST,
            choice(
                delta={"content": ""},
                finish_reason="error",
                error={"code": 502, "message": "Upstream idle timeout"},
            ),
        ),
        text="Hello",
        ends=GenerationError,
        says="Upstream idle timeout",
    ),
    row(
        "what the provider behind OpenRouter says is told",
        "OpenRouter: docs, provider errors",
        sse(
            FIRST,
            {
                "error": {
                    "code": 400,
                    "message": "Provider returned error",
                    "metadata": {
                        "raw": json.dumps({"error": {"message": "too hot"}}),
                        "provider_name": "Venice",
                    },
                }
            },
        ),
        text="Hello",
        ends=GenerationError,
        says="Provider returned error: too hot",
    ),
    row(
        "LiteLLM tells an error with a code in a text",
        "LiteLLM: recorded",
        sse(
            FIRST,
            {
                "error": {
                    "message": "litellm.APIConnectionError: lost",
                    "type": None,
                    "param": None,
                    "code": "500",
                }
            },
        ),
        text="Hello",
        ends=GenerationError,
        says="litellm.APIConnectionError",
    ),
    row(
        "a gateway that lost its server tells so behind half an event",
        "Open WebUI PR 29697",
        sse(FIRST)
        + b'data: {"choices": [{"del\n\n'
        + sse({"error": {"message": "Upstream failed"}}, DONE),
        text="Hello",
        ends=GenerationError,
        says="Upstream failed",
    ),
    row(
        "a guard tells an error with its details",
        "fms-guardrails-orchestrator PR 410",
        sse(FIRST)
        + b'event: error\ndata: {"code":422,"details":"chat completion request failed"}\n\n',
        text="Hello",
        ends=GenerationError,
        says="chat completion request failed",
    ),
    row(
        "Anthropic's own error event is told by a gateway",
        "Anthropic: gptel PR 1512",
        sse(FIRST)
        + b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        text="Hello",
        ends=GenerationError,
        says="Overloaded",
    ),
]

ROWS: list[Row] = ENGINES + GATEWAYS
