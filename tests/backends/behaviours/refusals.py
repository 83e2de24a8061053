"""Errors before the stream: the status, what the server says, and what to do."""

from __future__ import annotations

import json
from typing import Any

from h2o_magic.errors import RateLimitedError, StatusError
from tests.backends.behaviours.row import HELLO, Row, row, stream
from tests.backends.scripted import Answer, answer, document

_KEY = "--key-env VAR"
_BILLING = "check the plan and the billing"
_TOO_LONG = "shorten it, or send fewer earlier turns"


def _error(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


def _refused(
    promise: str,
    origin: str,
    status: int,
    body: Any,
    *says: str,
    requests: int = 1,
    **headers: str,
) -> Row:
    """A row of a server that always refuses so."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = _answer(status, body, named)
    return row(
        promise,
        origin,
        *[reply] * 3,
        text="",
        ends=RateLimitedError if status == 429 else StatusError,
        says=says,
        requests=requests,
    )


def _answer(status: int, body: Any, headers: dict[str, str]) -> Answer:
    if isinstance(body, bytes):
        kind = "text/html" if body.startswith(b"<") else "text/plain"
        return answer(body, status=status, headers=headers, content_type=kind)
    return document(body, status=status, headers=headers)


_PAGE = (
    b"<html><head><title>%s</title></head><body><center>nginx</center></body></html>"
)

KEYS = [
    _refused(
        "a wrong key is told: OpenAI",
        "OpenAI: docs, error codes",
        401,
        _error(
            "Incorrect API key provided: sk-1.",
            type="invalid_request_error",
            param=None,
            code="invalid_api_key",
        ),
        "Incorrect API key provided",
        _KEY,
    ),
    _refused(
        "a wrong key is told: Anthropic",
        "Anthropic: docs, errors",
        401,
        {"type": "error", **_error("invalid x-api-key", type="authentication_error")},
        "invalid x-api-key",
        _KEY,
    ),
    _refused(
        "a wrong key is told: Azure's gateway",
        "Azure: API Management",
        401,
        {
            "statusCode": 401,
            "message": "Access denied due to missing subscription key.",
        },
        "Access denied due to missing subscription key",
        _KEY,
    ),
    _refused(
        "a wrong key is told: vLLM",
        "vLLM: recorded",
        401,
        {"error": "Unauthorized"},
        "Unauthorized",
        _KEY,
    ),
    _refused(
        "a wrong key is told: FastAPI",
        "h2oGPT, TabbyAPI: recorded",
        401,
        {"detail": "Invalid API key"},
        "Invalid API key",
        _KEY,
    ),
    _refused(
        "a wrong key is told: FastChat",
        "FastChat: recorded",
        401,
        {"detail": _error("", code="invalid_api_key")},
        "invalid_api_key",
        _KEY,
    ),
    _refused(
        "a wrong key is told: Cerebras",
        "Cerebras: docs, errors",
        401,
        {
            "message": "Wrong API Key",
            "type": "invalid_request_error",
            "param": "api_key",
            "code": "wrong_api_key",
        },
        "Wrong API Key",
        _KEY,
    ),
    _refused(
        "a wrong key is told: SiliconFlow",
        "SiliconFlow: docs, error codes",
        401,
        "Api key is invalid",
        "Api key is invalid: the server needs",
        _KEY,
    ),
    _refused(
        "a wrong key is told: NVIDIA",
        "NVIDIA NIM: docs, problem details",
        401,
        {
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "detail": "Authentication failed",
        },
        "Authentication failed",
        _KEY,
    ),
    _refused(
        "a wrong key is told: problem details with a title alone",
        "RFC 9457; NVIDIA NIM",
        403,
        {"type": "about:blank", "title": "Forbidden by policy", "status": 403},
        "Forbidden by policy",
        _KEY,
    ),
    _refused(
        "a wrong key is told: Cloudflare",
        "Cloudflare: API docs, errors",
        403,
        {
            "success": False,
            "errors": [{"code": 10000, "message": "Authentication error"}],
            "messages": [],
            "result": None,
        },
        "Authentication error: ",
        _KEY,
    ),
    _refused(
        "a wrong key is told: Mistral",
        "Mistral: docs",
        401,
        {"message": "Unauthorized", "request_id": "1"},
        "Unauthorized",
        _KEY,
    ),
    _refused(
        "a wrong key is told: xAI",
        "xAI: docs, errors",
        403,
        {
            "code": "The caller does not have permission",
            "error": "Your team has no credits.",
        },
        "Your team has no credits",
    ),
    _refused(
        "a wrong key is told: LiteLLM",
        "LiteLLM: recorded",
        400,
        _error("No connected db.", type="no_db_connection", code="400"),
        "No connected db",
        _KEY,
    ),
    _refused(
        "a wrong key is told: Google",
        "Gemini: compat",
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "API key not valid. Please pass a valid API key.",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
        "API key not valid",
    ),
    _refused(
        "a wrong key is told: MiniMax",
        "MiniMax: docs, error codes",
        401,
        {"base_resp": {"status_code": 2049, "status_msg": "invalid API Key"}},
        "invalid API Key",
        _KEY,
    ),
    _refused(
        "a wrong key is told: Baidu",
        "Baidu Qianfan: docs, error codes",
        401,
        {"error_code": 110, "error_msg": "Access token invalid"},
        "Access token invalid",
        _KEY,
    ),
    _refused(
        "a wrong key is told: msg",
        "Zhipu, older; KoboldCpp",
        401,
        {"code": 401, "msg": "token expired", "success": False},
        "token expired",
        _KEY,
    ),
    _refused(
        "a challenge of Cloudflare is told",
        "Cloudflare: docs, challenges",
        403,
        _PAGE % b"Just a moment...",
        "Just a moment",
    ),
]

MONEY = [
    _refused(
        f"an account without money is told, and not asked again: {who}",
        origin,
        status,
        body,
        _BILLING,
        retry_after="0",
    )
    for who, origin, status, body in (
        (
            "OpenAI",
            "OpenAI: docs, insufficient_quota",
            429,
            _error(
                "You exceeded your current quota.",
                type="insufficient_quota",
                code="insufficient_quota",
            ),
        ),
        (
            "DeepSeek",
            "DeepSeek: docs, error codes",
            402,
            _error(
                "Insufficient Balance",
                type="unknown_error",
                code="invalid_request_error",
            ),
        ),
        (
            "OpenRouter",
            "OpenRouter: docs, errors",
            402,
            _error("Insufficient credits", code=402),
        ),
        (
            "Moonshot",
            "Moonshot: docs, error codes",
            429,
            _error("Your account is suspended", type="exceeded_current_quota_error"),
        ),
        (
            "Z.ai",
            "Z.ai: docs, error codes",
            429,
            _error(
                "Insufficient balance or no resource package. Please recharge.",
                code="1113",
            ),
        ),
        (
            "MiniMax",
            "MiniMax: docs, error codes",
            429,
            {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
        ),
        (
            "New API",
            "New API: relay",
            403,
            _error(
                "user quota is not enough",
                type="new_api_error",
                code="insufficient_user_quota",
            ),
        ),
    )
]

LIMITS = [
    _refused(
        "a limit without a time is told at once",
        "vLLM: recorded; OpenAI: docs",
        429,
        _error("Rate limit reached"),
        "Rate limit reached",
        "ask again later",
    ),
    _refused(
        "a limit with a long time is told with it",
        "OpenAI: docs, rate limits",
        429,
        _error("Rate limit reached"),
        "ask again in 360 s",
        x_ratelimit_reset_tokens="6m0s",
    ),
    _refused(
        "a limit of a day is told with it",
        "GitHub Models: docs, rate limits",
        429,
        _error("Rate limit of 8 per 86400s exceeded.", code="RateLimitReached"),
        "Rate limit of 8 per 86400s",
        "ask again in 3600 s",
        retry_after="86400",
    ),
    _refused(
        "an overload is told in the server's words",
        "Moonshot: docs, error codes",
        429,
        _error("The engine is currently overloaded", type="engine_overloaded_error"),
        "currently overloaded",
        "ask again later",
    ),
    _refused(
        "a busy group of a gateway is told",
        "New API: BettaFish #535",
        429,
        _error("当前分组上游负载已饱和，请稍后再试", type="new_api_error"),
        "当前分组上游负载已饱和",
        "ask again later",
    ),
] + [
    row(
        f"a limit with a short time is waited for: {what}",
        origin,
        answer(body, status=429, headers=headers),
        requests=2,
    )
    for what, origin, headers, body in (
        ("retry-after", "HTTP: RFC 9110", {"Retry-After": "0"}, b"{}"),
        ("a fraction", "Anthropic: docs, rate limits", {"retry-after": "0.01"}, b"{}"),
        (
            "milliseconds",
            "Azure, OpenAI: openai-python, retry-after-ms",
            {"retry-after-ms": "1", "Retry-After": "1"},
            b"{}",
        ),
        (
            "words",
            "OpenAI, Groq: docs, rate limits",
            {},
            b'{"error": {"message": "Rate limit reached. Please try again in 6ms."}}',
        ),
        (
            "words in seconds",
            "Azure: API Management",
            {},
            b'{"statusCode": 429, "message": "Try again in 0.01 seconds."}',
        ),
        (
            "a date",
            "HTTP: RFC 9110",
            {"Retry-After": "Sun, 22 Nov 2020 12:00:00 GMT"},
            b"{}",
        ),
        (
            "the reset of tokens",
            "OpenAI: docs, rate limits",
            {"x-ratelimit-reset-tokens": "1ms"},
            b"{}",
        ),
        (
            "the reset of requests",
            "Groq: docs, rate limits",
            {"x-ratelimit-reset-requests": "0.001", "x-ratelimit-reset-tokens": "0"},
            b"{}",
        ),
        (
            "the body of Google",
            "Gemini: docs, RetryInfo",
            {},
            json.dumps(
                [
                    {
                        "error": {
                            "code": 429,
                            "message": "You exceeded your current quota, please check your plan and billing details.",
                            "details": [
                                {
                                    "@type": "type.googleapis.com/google.rpc.RetryInfo",
                                    "retryDelay": "0.001s",
                                }
                            ],
                        }
                    }
                ]
            ).encode(),
        ),
        (
            "the body of OpenRouter",
            "OpenRouter: docs, limits",
            {},
            json.dumps(
                {
                    "error": {
                        "message": "Rate limit exceeded",
                        "metadata": {"headers": {"X-RateLimit-Reset": "0.001"}},
                    }
                }
            ).encode(),
        ),
    )
]

MODELS = [
    _refused(
        f"a model that is not there is told: {who}",
        origin,
        status,
        body,
        "no model 'mistrl'",
        *words,
    )
    for who, origin, status, body, words in (
        (
            "OpenAI",
            "OpenAI: docs",
            404,
            _error(
                "The model `mistrl` does not exist or you do not have access to it.",
                type="invalid_request_error",
                code="model_not_found",
            ),
            ("did you mean 'mistral'",),
        ),
        (
            "Ollama",
            "Ollama: docs",
            404,
            _error(
                'model "mistrl" not found, try pulling it first', type="not_found_error"
            ),
            ("did you mean 'mistral'",),
        ),
        (
            "OpenRouter",
            "OpenRouter: docs",
            400,
            _error("mistrl is not a valid model ID", code=400),
            ("did you mean 'mistral'",),
        ),
        (
            "Mistral",
            "Mistral: docs",
            400,
            {
                "object": "error",
                "message": "Invalid model: mistrl",
                "type": "invalid_model",
                "code": "1500",
            },
            ("did you mean 'mistral'",),
        ),
        (
            "SiliconFlow",
            "SiliconFlow: docs, error codes",
            400,
            {
                "code": 20012,
                "message": "Model does not exist. Please check it carefully.",
                "data": None,
            },
            ("did you mean 'mistral'",),
        ),
        (
            "FastChat",
            "FastChat: recorded",
            400,
            {
                "object": "error",
                "message": "Only mistral allowed now, your model mistrl",
                "code": 40301,
            },
            ("did you mean 'mistral'",),
        ),
        (
            "Groq",
            "Groq: docs",
            404,
            _error(
                "The model `mistrl` does not exist or you do not have access to it.",
                code="model_not_found",
            ),
            ("did you mean 'mistral'",),
        ),
    )
]

ADDRESSES = [
    _refused(
        "a wrong path is told: FastAPI",
        "FastAPI: docs",
        404,
        {"detail": "Not Found"},
        "Not Found",
        "check the address and its path",
    ),
    _refused(
        "a wrong path is told: NVIDIA",
        "NVIDIA NIM",
        404,
        b"404 page not found",
        "404 page not found",
        "check the address",
    ),
    _refused(
        "a wrong path is told: a page",
        "nginx",
        404,
        _PAGE % b"404 Not Found",
        "404 Not Found",
        "check the address",
    ),
    _refused(
        "a wrong path is told: Kong",
        "Kong: docs",
        404,
        {"message": "no Route matched with those values"},
        "no Route matched",
        "check the address",
    ),
    _refused(
        "a deployment that is not there is told",
        "Azure: docs, DeploymentNotFound",
        404,
        _error(
            "The API deployment for this resource does not exist.",
            code="DeploymentNotFound",
        ),
        "no model 'mistrl': did you mean 'mistral'",
    ),
    _refused(
        "a wrong method is told",
        "web servers",
        405,
        _PAGE % b"405 Not Allowed",
        "405 Not Allowed",
        "check the address",
    ),
    _refused(
        "a tunnel that is down is told",
        "ngrok: docs, ERR_NGROK_3200",
        404,
        _PAGE % b"ngrok: tunnel not found",
        "tunnel not found",
        "check the address",
    ),
    _refused(
        "a redirect is told, and not followed",
        "proxies with a login",
        302,
        b"",
        "redirect to 'https://login.example/'",
        "connect to the target",
        location="https://login.example/?next=1",
    ),
    _refused(
        "a redirect that keeps the method is not followed either",
        "FastAPI: a slash too many",
        307,
        b"",
        "redirect to 'http://elsewhere.example/v1'",
        location="http://elsewhere.example/v1",
    ),
    _refused(
        "an answer that is empty is told",
        "gateways",
        204,
        b"",
        "expected an answer with status 200",
    ),
    _refused(
        "an answer that is still to come is told",
        "NVIDIA NVCF: docs, 202",
        202,
        {"status": "pending-evaluation"},
        "expected an answer with status 200",
    ),
]

_LONG = (
    (
        "OpenAI",
        "OpenAI: docs, context_length_exceeded",
        400,
        _error(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
            code="context_length_exceeded",
        ),
    ),
    (
        "a code alone",
        "OpenAI: docs",
        400,
        _error("Please reduce it.", code="context_length_exceeded"),
    ),
    (
        "OpenAI of today",
        "OpenAI: docs",
        400,
        _error("Your input exceeds the context window of this model."),
    ),
    (
        "Anthropic",
        "Anthropic: coder/aibridge #56",
        400,
        {
            "type": "error",
            **_error(
                "prompt is too long: 205351 tokens > 200000 maximum",
                type="invalid_request_error",
            ),
        },
    ),
    (
        "Gemini",
        "Gemini: pi, overflow.ts",
        400,
        [
            _error(
                "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
                code=400,
            )
        ],
    ),
    (
        "xAI",
        "xAI: pi, overflow.ts",
        400,
        {
            "code": "x",
            "error": "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        },
    ),
    (
        "Groq",
        "Groq: pi, overflow.ts",
        400,
        _error(
            "Please reduce the length of the messages or completion.",
            code="context_length_exceeded",
        ),
    ),
    (
        "Together",
        "Together: pi, overflow.ts",
        400,
        _error(
            "The input (9001 tokens) is longer than the model's context length (8192 tokens)."
        ),
    ),
    (
        "Mistral",
        "Mistral: pi, overflow.ts",
        400,
        {
            "object": "error",
            "message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
            "type": "invalid_request_prompt",
        },
    ),
    (
        "Moonshot",
        "Moonshot: pi, overflow.ts",
        400,
        _error("Your request exceeded model token limit: 262144 (requested: 300000)"),
    ),
    (
        "MiniMax",
        "MiniMax: pi, overflow.ts",
        400,
        _error("invalid params, context window exceeds limit (2013)"),
    ),
    (
        "Bedrock",
        "Bedrock: pi, overflow.ts",
        400,
        {"message": "Input is too long for requested model."},
    ),
    (
        "SiliconFlow",
        "SiliconFlow: chatbox #2060",
        400,
        {
            "code": 20015,
            "message": "length of prompt_tokens (68957) must be less than max_seq_len (65536).",
            "data": None,
        },
    ),
    (
        "LM Studio",
        "LM Studio: pi, overflow.ts",
        400,
        {
            "error": "The number of tokens to keep from the initial prompt is greater than the context length."
        },
    ),
    (
        "llama.cpp",
        "llama.cpp: recorded",
        400,
        _error(
            "the request exceeds the available context size (512 tokens), try increasing it",
            type="exceed_context_size_error",
        ),
    ),
    (
        "Ollama",
        "Ollama: pi, overflow.ts",
        400,
        _error("prompt too long; exceeded max context length by 12 tokens"),
    ),
    (
        "GitHub",
        "GitHub Copilot: pi, overflow.ts",
        400,
        _error("prompt token count of 9001 exceeds the limit of 8192"),
    ),
    (
        "TGI",
        "TGI: validation",
        422,
        {
            "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2000 `inputs` tokens and 512 `max_new_tokens`",
            "error_type": "validation",
        },
    ),
    (
        "DashScope",
        "DashScope: docs, error codes",
        400,
        _error("Range of input length should be [1, 30720]", code="InvalidParameter"),
    ),
    (
        "a body that is too large",
        "nginx: client_max_body_size",
        413,
        _PAGE % b"413 Request Entity Too Large",
    ),
    (
        "Anthropic's body that is too large",
        "Anthropic: docs, request_too_large",
        413,
        {
            "type": "error",
            **_error("Request exceeds the maximum size", type="request_too_large"),
        },
    ),
)
LONG = [
    _refused(
        f"a question that is too long is told: {who}", origin, status, body, _TOO_LONG
    )
    for who, origin, status, body in _LONG
]

WORDS = [
    _refused(
        "a filtered question is told",
        "Azure: docs, content_filter",
        400,
        _error(
            "The response was filtered due to the prompt triggering the content management policy.",
            param="prompt",
            code="content_filter",
            innererror={"code": "ResponsibleAIPolicyViolation"},
        ),
        "The response was filtered",
    ),
    _refused(
        "the reasons of a moderation are told",
        "OpenRouter: docs, moderation errors",
        403,
        _error(
            "Your input was flagged",
            code=403,
            metadata={"reasons": ["hate", "spam"], "flagged_input": "x"},
        ),
        "Your input was flagged: hate, spam",
    ),
    _refused(
        "an error of DashScope is told",
        "DashScope: docs, error codes",
        400,
        {
            "code": "DataInspectionFailed",
            "message": "Input data may contain inappropriate content.",
            "request_id": "1",
        },
        "inappropriate content",
    ),
    _refused(
        "the fields of a refused body are told: FastAPI",
        "FastAPI, transformers: recorded",
        422,
        {
            "detail": [
                {
                    "loc": ["body", "messages"],
                    "msg": "Field required",
                    "type": "missing",
                }
            ]
        },
        "body.messages: Field required",
    ),
    _refused(
        "the fields of a refused body are told: Mistral",
        "Mistral: docs, 422",
        422,
        {
            "object": "error",
            "message": {
                "detail": [{"loc": ["body", "messages"], "msg": "Field required"}]
            },
            "type": "invalid_request_error",
        },
        "body.messages: Field required",
    ),
    _refused(
        "an error in a list is told",
        "Hugging Face: recorded",
        400,
        {"error": ["`a` is wrong", "`b` is wrong"]},
        "`a` is wrong; `b` is wrong",
    ),
    _refused(
        "an error with a code alone is told",
        "Bedrock gateways",
        400,
        _error("", code="ValidationException"),
        "ValidationException",
    ),
    _refused(
        "a Message in capitals is told",
        "AWS: error responses",
        400,
        {"Message": "The provided model identifier is invalid."},
        "The provided model identifier is invalid",
    ),
    _refused(
        "an error that is a number is told with its status",
        "hostile",
        400,
        {"error": 7},
        '{"error": 7}',
    ),
    _refused(
        "an empty refusal is told with its status",
        "Cerebras: pi, overflow.ts",
        400,
        b"",
        "HTTP 400",
        "check that the OpenAI-compatible server is at",
    ),
    _refused(
        "a long page is told by its title",
        "IIS",
        403,
        _PAGE % b"403 - Forbidden: Access is denied." + b"x" * 99_999,
        "403 - Forbidden: Access is denied: the server needs",
    ),
]

_SERVER = (
    (
        408,
        "OpenRouter: docs, errors",
        _error("Your request timed out", code=408),
        "timed out",
    ),
    (
        500,
        "OpenAI: docs, error codes",
        _error(
            "The server had an error while processing your request.",
            type="server_error",
        ),
        "the server failed",
    ),
    (500, "h2oGPT: recorded", {"detail": _error("CUDA error")}, "CUDA error"),
    (502, "nginx", _PAGE % b"502 Bad Gateway", "502 Bad Gateway"),
    (
        502,
        "OpenRouter: docs, errors",
        _error("Provider returned error", code=502, metadata={"raw": "upstream down"}),
        "upstream down",
    ),
    (
        503,
        "llama.cpp: recorded",
        _error("Loading model", type="unavailable_error", code=503),
        "Loading model",
    ),
    (
        503,
        "KoboldCpp: TavernAI #137",
        {
            "detail": {
                "msg": "Server is busy; please try again later.",
                "type": "service_unavailable",
            }
        },
        "Server is busy; please try again later: the server is busy",
    ),
    (
        503,
        "SiliconFlow: ragflow #5676",
        {
            "code": 50508,
            "message": "System is too busy now. Please try again later.",
            "data": None,
        },
        "System is too busy now",
    ),
    (503, "Envoy", b"no healthy upstream", "no healthy upstream"),
    (
        503,
        "Hugging Face: recorded",
        {"error": "Model is loading", "estimated_time": 20.0},
        "Model is loading",
    ),
    (504, "nginx", _PAGE % b"504 Gateway Time-out", "504 Gateway Time-out"),
    (
        520,
        "Cloudflare: docs, 5xx",
        _PAGE % b"example.org | 520: Web server is returning an unknown error",
        "520",
    ),
    (
        522,
        "Cloudflare: docs, 5xx",
        _PAGE % b"example.org | 522: Connection timed out",
        "522",
    ),
    (
        524,
        "Cloudflare: docs, 5xx",
        _PAGE % b"example.org | 524: A timeout occurred",
        "524",
    ),
    (
        529,
        "Anthropic: docs, overloaded_error",
        {"type": "error", **_error("Overloaded", type="overloaded_error")},
        "Overloaded",
    ),
)
BUSY = [
    _refused(
        f"{status} is asked again, and then told: {origin}",
        origin,
        status,
        body,
        words,
        requests=3,
    )
    for status, origin, body, words in _SERVER
]

OWN = [
    row(
        "a server that was busy once is asked again, and nobody is told",
        "llama.cpp: recorded, loading",
        *[document(_error("Loading model", code=503), status=503)] * 2,
        requests=3,
    ),
    _refused(
        "a failure that the question causes is told at once: a field",
        "llama_cpp.server: recorded",
        500,
        _error("1 validation error: Input should be 'text'"),
        "1 validation error",
    ),
    _refused(
        "a failure that the question causes is told at once: a model",
        "transformers serve: recorded",
        500,
        _error("The model `mistrl` does not exist"),
        "does not exist",
    ),
    _refused(
        "a failure that the question causes is told at once: roles",
        "h2oGPT: recorded",
        500,
        _error("Consecutive messages with the same role"),
        "Consecutive messages",
    ),
    _refused(
        "a failure that the question causes is told at once: its length",
        "vLLM, old versions",
        500,
        _error("maximum context length is 512"),
        _TOO_LONG,
    ),
    _refused(
        "what a server does not have is told at once",
        "HTTP: RFC 9110",
        501,
        _error("streaming is not implemented"),
        "streaming is not implemented",
    ),
    row(
        "a wish for counts that is refused is taken back",
        "transformers serve: recorded",
        document(
            {"detail": "Unexpected fields in the request: {'stream_options'}"},
            status=422,
        ),
        requests=2,
    ),
    row(
        "a whole answer under an odd content type is read",
        "text/plain of proxies",
        stream(HELLO, content_type="text/plain"),
    ),
]

ROWS: list[Row] = KEYS + MONEY + LIMITS + MODELS + ADDRESSES + LONG + WORDS + BUSY + OWN
