"""Answers that are no stream of events: documents, lines of JSON, compressed ones."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from h2o_magic.errors import GenerationError, IncompleteAnswerError, ProtocolError
from tests.backends.behaviours.row import (
    DONE,
    FIRST,
    HELLO,
    LAST,
    WORDS,
    Row,
    choice,
    row,
    sse,
    stream,
    usage,
)
from tests.backends.scripted import Answer, document

_GZIP = {"Content-Encoding": "gzip"}


def _whole(message: Any, finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    each = {"index": 0, "message": message, "finish_reason": finish}
    return {"object": "chat.completion", "model": "m", "choices": [each], **more}


def _lines(*documents: Any, kind: str = "application/x-ndjson") -> Answer:
    body = b"".join(json.dumps(each).encode() + b"\n" for each in documents)
    return stream(body, content_type=kind)


def _zipped(begun: bytes) -> bytes:
    """The beginning of a compressed body, as a server that flushes writes it."""
    packer = zlib.compressobj(wbits=31)
    return packer.compress(begun) + packer.flush(zlib.Z_SYNC_FLUSH)


_MESSAGE = {"role": "assistant", "content": WORDS}
_COUNTED = _whole(_MESSAGE, usage=usage(9, 2))

DOCUMENTS = [
    row(
        "a whole answer is read",
        "GPT4All: docs; every server without streams",
        document(_COUNTED),
        counts=(9, 2),
        model="m",
    ),
    *(
        row(
            f"an answer may have the status {status}",
            origin,
            stream(HELLO, status=status),
        )
        for status, origin in ((201, "NestJS: a POST"), (203, "transforming proxies"))
    ),
    row(
        "DashScope's own document is read",
        "DashScope: docs, output.choices",
        document({"output": _whole(_MESSAGE), "request_id": "1"}),
    ),
    row(
        "blank lines may come before a whole answer",
        "DeepSeek: docs, keep-alive",
        stream(
            b"\n" * 99 + json.dumps(_COUNTED).encode(), content_type="application/json"
        ),
        counts=(9, 2),
    ),
    row(
        "a whole answer may say that it is a stream",
        "gateways",
        stream(json.dumps(_COUNTED).encode()),
        counts=(9, 2),
    ),
    row(
        "a whole answer may be an event",
        "gateways that wrap",
        stream(b"data: " + json.dumps(_COUNTED).encode() + b"\n\n"),
        counts=(9, 2),
    ),
    row(
        "a whole answer may be in a list",
        "Hugging Face",
        document([_COUNTED]),
        counts=(9, 2),
    ),
    row(
        "a whole answer may be printed over many lines",
        "web frameworks that indent",
        stream(
            json.dumps(_COUNTED, indent=2).encode(), content_type="application/json"
        ),
        counts=(9, 2),
    ),
    row(
        "a whole answer without a reason is complete",
        "small servers",
        document(_whole(_MESSAGE, None)),
        ends="unknown",
    ),
    row(
        "a whole answer that is too long says so",
        "OpenAI: docs",
        document(_whole(_MESSAGE, "length")),
        ends="length",
    ),
    row(
        "the reasoning of a whole answer is kept apart",
        "DeepSeek: docs, reasoner",
        document(_whole({**_MESSAGE, "reasoning_content": "Hm"})),
        reasoning="Hm",
    ),
    row(
        "the parts of a whole answer are read",
        "Databricks: docs; Mistral: docs",
        document(
            _whole(
                {
                    "content": [
                        {
                            "type": "reasoning",
                            "summary": [{"type": "summary_text", "text": "Hm"}],
                        },
                        {"type": "text", "text": WORDS},
                    ]
                }
            )
        ),
        reasoning="Hm",
    ),
    row(
        "the refusal of a whole answer is its text",
        "OpenAI: docs, refusal",
        document(_whole({"content": None, "refusal": WORDS})),
    ),
    row(
        "the words of a whole spoken answer are its text",
        "OpenAI: docs, audio",
        document(
            _whole(
                {
                    "content": None,
                    "audio": {"id": "a", "data": "UklGRg==", "transcript": WORDS},
                }
            )
        ),
    ),
    row(
        "a whole answer that is a tool call is told",
        "OpenAI: docs, tool_calls",
        document(_whole({"content": None, "tool_calls": [{"id": "1"}]}, "tool_calls")),
        text="",
        ends=GenerationError,
        says="tool call",
    ),
    row(
        "a whole answer without a message is told",
        "Gemini: compat, content_filter",
        document(
            {
                "choices": [
                    {"index": 0, "finish_reason": "content_filter: PROHIBITED_CONTENT"}
                ]
            }
        ),
        text="",
        ends=GenerationError,
        says="content filter",
    ),
    row(
        "a whole old completion is read",
        "OpenAI: docs, completions",
        document({"choices": [{"index": 0, "text": WORDS, "finish_reason": "stop"}]}),
    ),
    row(
        "Cloudflare's own document is read",
        "Cloudflare: litellm PR 29354",
        document(
            {
                "result": {"response": WORDS, "usage": usage(9, 2)},
                "success": True,
                "errors": [],
                "messages": [],
            }
        ),
        ends="unknown",
        counts=(9, 2),
    ),
    row(
        "a choice within Cloudflare's document is read",
        "Cloudflare: litellm PR 29833",
        document({"result": _COUNTED, "success": True}),
        counts=(9, 2),
    ),
    row(
        "a document that is cut is told",
        "every network",
        stream(
            json.dumps(_COUNTED).encode()[:-9],
            content_type="application/json",
            end="cut",
        ),
        text="",
        ends=IncompleteAnswerError,
        says="before the first word",
    ),
    row(
        "a document that ends in the middle is told",
        "every network",
        stream(json.dumps(_COUNTED).encode()[:-9], content_type="application/json"),
        text="",
        ends=ProtocolError,
        says="expected an answer",
    ),
    row(
        "an answer without choices is told",
        "OpenAI: choices of length 0",
        document({"object": "chat.completion", "choices": []}),
        text="",
        ends=IncompleteAnswerError,
    ),
]

LINES = [
    row(
        "chunks may be lines of JSON",
        "basaran #144; ndjson gateways",
        _lines(FIRST, LAST),
    ),
    row(
        "lines of JSON may say that they are a stream of events",
        "ndjson gateways",
        _lines(FIRST, LAST, kind="text/event-stream"),
    ),
    row(
        "lines of JSON may end with [DONE]",
        "ndjson gateways",
        stream(
            json.dumps(FIRST).encode()
            + b"\n"
            + json.dumps(choice(delta={"content": " world"})).encode()
            + b"\n[DONE]\n"
        ),
        ends="unknown",
    ),
    row(
        "lines of JSON that end without a sign prove nothing",
        "ndjson gateways",
        _lines(FIRST),
        text="Hello",
        ends=IncompleteAnswerError,
        says="without a sign",
    ),
    row(
        "lines of JSON that are cut keep what came",
        "ndjson gateways",
        stream(
            json.dumps(FIRST).encode() + b"\n" + json.dumps(LAST).encode()[:30],
            content_type="application/x-ndjson",
            end="cut",
        ),
        text="Hello",
        ends=IncompleteAnswerError,
        says="the server stopped while it was answering",
    ),
    row(
        "an error in lines of JSON is told",
        "Ollama: docs, errors while streaming",
        _lines(FIRST, {"error": "an error was encountered"}),
        text="Hello",
        ends=GenerationError,
        says="an error was encountered",
    ),
    row(
        "Ollama's own lines are read",
        "Ollama: docs, api/chat; ollama #4788",
        _lines(
            {
                "model": "m",
                "message": {"role": "assistant", "content": "Hello"},
                "done": False,
            },
            {
                "model": "m",
                "message": {"role": "assistant", "content": " world"},
                "done": False,
            },
            {
                "model": "m",
                "message": {"role": "assistant", "content": ""},
                "done": True,
                "done_reason": "stop",
                "prompt_eval_count": 9,
                "eval_count": 2,
            },
        ),
        counts=(9, 2),
    ),
    row(
        "chunks that follow each other without a line end are read",
        "ndjson gateways",
        stream(
            json.dumps(FIRST).encode() + json.dumps(LAST).encode(),
            content_type="application/json",
        ),
    ),
    row(
        "a list of chunks is read",
        "Gemini: docs, streams without alt=sse",
        document([FIRST, LAST]),
    ),
]

COMPRESSED = [
    row(
        "a compressed stream is read",
        "proxies that compress",
        stream(gzip.compress(HELLO), headers=_GZIP),
    ),
    row(
        "a compressed stream is read however it is cut",
        "proxies that compress",
        stream(
            *(gzip.compress(HELLO)[at : at + 9] for at in range(0, 999, 9)),
            headers=_GZIP,
        ),
    ),
    row(
        "a false header of compression does no harm",
        "chat-ui: recorded",
        stream(HELLO, headers=_GZIP),
    ),
    row(
        "a compressed document is read",
        "proxies that compress",
        stream(
            gzip.compress(json.dumps(_COUNTED).encode()),
            headers=_GZIP,
            content_type="application/json",
        ),
        counts=(9, 2),
    ),
    row(
        "x-gzip is gzip",
        "HTTP: RFC 9110",
        stream(gzip.compress(HELLO), headers={"Content-Encoding": "x-gzip"}),
    ),
    row(
        "a compressed stream that is cut keeps what came",
        "proxies that compress",
        stream(_zipped(sse(FIRST)), headers=_GZIP, end="cut"),
        text="Hello",
        ends=IncompleteAnswerError,
        says="the server stopped while it was answering",
    ),
    row(
        "a stream whose pieces are compressed one by one is read",
        "proxies that compress each write",
        stream(
            *(gzip.compress(each) for each in (sse(FIRST), sse(LAST), DONE)),
            headers=_GZIP,
        ),
    ),
    row(
        "deflate is read where it is announced",
        "HTTP: RFC 9110",
        stream(zlib.compress(HELLO), headers={"Content-Encoding": "deflate"}),
    ),
    row(
        "compressed without a word of it",
        "proxies that drop headers",
        stream(gzip.compress(HELLO)),
    ),
    row(
        "compression that is none is told",
        "proxies that break",
        stream(b"\x1f\x8b\x08nonsense", headers=_GZIP),
        text="",
        ends=ProtocolError,
        says="not valid gzip",
    ),
]

KINDS = [
    row(
        f"the type {kind or 'of nothing'} does not matter",
        "chat-ui, TGI, proxies",
        stream(HELLO, content_type=kind),
    )
    for kind in (
        "text/event-stream; charset=utf-8",
        "TEXT/EVENT-STREAM",
        "text/plain",
        "application/json",
        "text/html",
        "application/octet-stream",
        None,
    )
]

ROWS: list[Row] = DOCUMENTS + LINES + COMPRESSED + KINDS
