"""Errors in an answer with status 200: in its first event, and later."""

from __future__ import annotations

import json
from typing import Any

from h2o_magic.errors import GenerationError, ProtocolError
from tests.backends.behaviours.row import DONE, FIRST, Row, row, sse, stream

_DEEP = {"error": {"message": "deep", "details": {"a": [1, {"b": None}]}}}

#: What is reported, whose it is, the server's own words in it.
_REPORTS: tuple[tuple[Any, str, str], ...] = (
    (
        {"error": {"message": "Overheated", "type": "server_error"}},
        "OpenAI: docs",
        "Overheated",
    ),
    ({"error": "Overheated"}, "TGI, Xinference", "Overheated"),
    ({"error": ["Over", "heated"]}, "Hugging Face: recorded", "Over; heated"),
    (
        {"error": {"message": "", "code": "overheated"}},
        "FastChat: recorded",
        "overheated",
    ),
    (
        {"error": {"code": 7, "message": "Overheated"}},
        "codes as numbers: vLLM",
        "Overheated",
    ),
    (
        {"error": {"error": {"message": "Overheated"}}},
        "gateways that wrap",
        "Overheated",
    ),
    ({"error": {"detail": "Overheated"}}, "Open WebUI", "Overheated"),
    (
        {"error": {"message": {"detail": "Overheated"}}},
        "Mistral: docs, 422",
        "Overheated",
    ),
    (
        {"error": json.dumps({"error": {"message": "Overheated"}})},
        "gateways that encode twice",
        "Overheated",
    ),
    ({"error": True}, "hostile", '{"error": true}'),
    ({"error": 7}, "hostile", '{"error": 7}'),
    ({"detail": "Overheated"}, "FastAPI", "Overheated"),
    (
        {"object": "error", "message": "Overheated", "code": 50001},
        "FastChat: recorded; older vLLM",
        "Overheated",
    ),
    (
        {"code": "DataInspectionFailed", "message": "Overheated"},
        "DashScope: docs, error codes",
        "Overheated",
    ),
    (
        {"code": 50508, "message": "Overheated", "data": None},
        "SiliconFlow: ragflow #5676",
        "Overheated",
    ),
    (
        {"code": 500, "msg": "Overheated", "success": False},
        "Zhipu, older",
        "Overheated",
    ),
    (
        {"error_code": 336003, "error_msg": "Overheated"},
        "Baidu Qianfan: docs, error codes",
        "Overheated",
    ),
    (
        {"error_code": "RESOURCE_EXHAUSTED", "message": "Overheated"},
        "Databricks: docs",
        "Overheated",
    ),
    (
        {
            "base_resp": {"status_code": 1013, "status_msg": "Overheated"},
            "choices": None,
        },
        "MiniMax: docs, error codes",
        "Overheated",
    ),
    (
        {"type": "error", "error": {"type": "api_error", "message": "Overheated"}},
        "Anthropic: docs, errors",
        "Overheated",
    ),
    (
        {
            "success": False,
            "errors": [{"code": 7009, "message": "Overheated"}],
            "result": None,
        },
        "Cloudflare: cloudflare-docs #15116",
        "Overheated",
    ),
    (
        {"status": 500, "title": "Overheated", "type": "about:blank"},
        "RFC 9457",
        "Overheated",
    ),
    (
        {"message": "Overheated", "type": "server_error", "param": "", "code": "x"},
        "Cerebras: docs, errors",
        "Overheated",
    ),
    (
        {"__type": "ThrottlingException", "message": "Overheated"},
        "AWS: error responses",
        "Overheated",
    ),
    (
        {"success": False, "message": "Overheated"},
        "gateways; no vendor known",
        "Overheated",
    ),
    (
        {"status": "error", "message": "Overheated"},
        "gateways; no vendor known",
        "Overheated",
    ),
    (b"event: error\ndata: Overheated\n\n", "Groq: groq-python PR 119", "Overheated"),
    (b'event: error\ndata: ["Overheated"]\n\n', "hostile", "Overheated"),
    (
        b"event: error\ndata:\n\n",
        "hostile",
        "the server reported an error without a message",
    ),
    (b"event: ERROR\ndata: Overheated\n\n", "gateways", "Overheated"),
    (b"error: Overheated\n\n", "llama.cpp PR 16109", "Overheated"),
    (
        b'{"error": "Overheated"}\n',
        "Ollama: docs, errors while streaming",
        "Overheated",
    ),
    (_DEEP, "Azure: docs, innererror", "deep"),
)


def _named(report: Any) -> str:
    text = f"{report!r}" if isinstance(report, bytes) else json.dumps(report)
    return " ".join(text.split())[:60]


LATER = [
    row(
        f"an error after some text is told: {_named(report)}",
        origin,
        sse(FIRST, report),
        text="Hello",
        ends=GenerationError,
        says=words,
    )
    for report, origin, words in _REPORTS
]
DOCUMENTS = [
    row(
        f"an error in place of a stream is told: {_named(report)}",
        origin,
        stream(json.dumps(report).encode(), content_type="application/json"),
        text="",
        ends=GenerationError,
        says=words,
    )
    for report, origin, words in _REPORTS
    if not isinstance(report, bytes)
]

BUSY = [
    row(
        f"an overload in the first event is asked again: {_named(error)}",
        origin,
        sse({"error": error}, DONE),
        requests=2,
    )
    for origin, error in (
        ("OpenRouter: docs, errors", {"code": 502, "message": "busy"}),
        (
            "Anthropic: docs, overloaded_error",
            {"type": "overloaded_error", "message": "Overloaded"},
        ),
        ("vLLM", {"code": "503", "message": "busy"}),
        (
            "llama.cpp",
            {"code": 503, "type": "unavailable_error", "message": "Loading model"},
        ),
    )
] + [
    row(
        "an overload after some text is told, and not asked again",
        "OpenRouter: docs, errors mid-stream",
        sse(FIRST, {"error": {"code": 502, "message": "busy"}}),
        text="Hello",
        ends=GenerationError,
        says="busy",
    ),
    row(
        "a request that is refused in the first event is repaired, too",
        "gateways that begin with 200",
        sse({"error": {"message": "unknown field: stream_options", "code": 400}}, DONE),
        requests=2,
    ),
]

PAGES = [
    row(
        f"a page in place of an answer is told by its title: {what}",
        origin,
        stream(page, content_type="text/html"),
        text="",
        ends=ProtocolError,
        says=("web page titled", title, "asks for a login"),
    )
    for what, origin, page, title in (
        (
            "a login",
            "captive portals",
            b"<!doctype html><title>Sign in &amp; pay</title><p>Hello",
            "'Sign in & pay'",
        ),
        (
            "with a byte order mark",
            "IIS",
            b"\xef\xbb\xbf \r\n<html><title>Log in</title>",
            "'Log in'",
        ),
        (
            "by its heading",
            "small servers",
            b"<html><h1>Welcome to <b>nginx</b></h1>",
            "'Welcome to nginx'",
        ),
        (
            "without a title",
            "small servers",
            b"<p>Hello",
            "'an HTML page without a title'",
        ),
    )
] + [
    row(
        "a document of another kind is shown",
        "another API at that address",
        stream(b'{"object": "list", "data": []}', content_type="application/json"),
        text="",
        ends=ProtocolError,
        says=("expected an answer", "check the server's address"),
    ),
]

ROWS: list[Row] = LATER + DOCUMENTS + BUSY + PAGES
