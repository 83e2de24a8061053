"""How streams end, and how they break off."""

from __future__ import annotations

from h2o_magic.backends.http import Timeouts
from h2o_magic.errors import (
    ConnectionFailedError,
    GenerationError,
    IncompleteAnswerError,
    ProtocolError,
    TimedOutError,
)
from tests.backends.behaviours.row import (
    DONE,
    FIRST,
    HELLO,
    LAST,
    Row,
    chunk,
    pinging,
    row,
    said,
    sse,
    stream,
    usage,
)
from tests.backends.scripted import DROP, Answer

_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_SHORT = Timeouts(first_byte=0.3, idle=0.1)
_HALF = {"text": "Hello", "ends": IncompleteAnswerError}
_NO_SIGN = {**_HALF, "says": ("without a sign that it is complete", "ask again")}
_CUT = {**_HALF, "says": ("the server stopped while it was answering", "ask again")}


def _sized(body: bytes, size: int) -> Answer:
    """A body with a length that may be false, and then the end of the connection."""
    headers = {"Content-Length": str(size)}
    return stream(body, chunked=False, headers=headers, end="close")


WHOLE = [
    row("[DONE] after the reason", "OpenAI: docs", HELLO),
    row(
        "a reason, and a clean end",
        "h2oGPT: recorded; Perplexity: api-discussion #209",
        sse(FIRST, LAST),
    ),
    row(
        "[DONE] without a reason",
        "SGLang #4550; gateways before Gemini",
        sse(FIRST, said(" world"), DONE),
        ends="unknown",
    ),
    row(
        "[DONE] behind an empty reason",
        "LocalAI #5102",
        sse(FIRST, said(" world", ""), DONE),
        ends="unknown",
    ),
    row(
        "[DONE] behind reasoning alone",
        "vLLM",
        sse(chunk({"reasoning": "Hm"}), DONE),
        text="",
        reasoning="Hm",
        ends="unknown",
    ),
    row(
        "text after [DONE] is not the answer",
        "OpenAI: docs, terminated by [DONE]",
        sse(FIRST, LAST, DONE, said("!")),
    ),
    row(
        "an error after [DONE] takes nothing back",
        "gateways that count afterwards",
        HELLO + sse({"error": {"message": "usage failed"}}),
    ),
    row(
        "an error after the reason takes nothing back",
        "gateways that count afterwards",
        sse(FIRST, LAST, {"error": {"message": "usage failed"}}),
    ),
    row(
        "words after [DONE] mean nothing",
        "proxies that add a comment",
        HELLO + b"<!-- 7 ms -->\n",
    ),
    row(
        "a connection that is held after [DONE] is let go",
        "Node servers",
        stream(HELLO, end="hold"),
        timeouts=_SHORT,
    ),
    row(
        "a connection that is cut after [DONE] loses nothing",
        "llama_cpp.server: recorded",
        stream(HELLO, end="cut"),
    ),
    row(
        "a connection that is cut after the reason loses nothing",
        "vLLM behind nginx",
        stream(sse(FIRST, LAST), end="cut"),
    ),
    row(
        "half an event after the reason takes nothing back",
        "vLLM behind nginx",
        stream(sse(FIRST, LAST) + b'data: {"choices": [], "usa', end="cut"),
    ),
    row(
        "chunks of the transfer may have extensions",
        "HTTP: RFC 9112",
        Answer(_CHUNKED, (b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (len(HELLO), HELLO),)),
    ),
    row(
        "an answer may be in HTTP/1.0",
        "Python's http.server: docs",
        Answer(b"HTTP/1.0 200 OK\r\n\r\n", (HELLO,), "close"),
    ),
    row(
        "a body without a length ends with the connection",
        "HTTP/1.0 servers",
        stream(HELLO, chunked=False, end="close"),
    ),
    row(
        "a length that is too large loses nothing behind [DONE]",
        "chat-ui: copied headers",
        _sized(HELLO, len(HELLO) + 9),
    ),
    row(
        "a length that is too small hides the end only",
        "chat-ui: copied headers",
        _sized(HELLO, len(HELLO) - 9),
    ),
    row(
        "counts that come after the reason are waited for",
        "OpenAI: docs, include_usage",
        sse(FIRST, LAST, {"choices": [], "usage": usage(9, 2)}, DONE),
        counts=(9, 2),
    ),
    row(
        "a server that says it is done and pings on is let go",
        "gateways that ping",
        stream(HELLO, *[b": ping\n\n"] * 40, end="hold"),
        timeouts=_SHORT,
    ),
]

BROKEN = [
    row(
        "an end without a word of it proves nothing",
        "gateways that lose their server: opencode PR 40061",
        sse(FIRST),
        **_NO_SIGN,
    ),
    row(
        "so does one in the middle of an event",
        "every network",
        sse(FIRST, LAST)[:-20],
        text="Hello",
        ends=IncompleteAnswerError,
        says="cannot be read",
    ),
    row(
        "a connection that is cut keeps the text",
        "vLLM, killed: recorded",
        stream(sse(FIRST), end="cut"),
        **_CUT,
    ),
    row(
        "a connection that is cut within an event, too",
        "vLLM, killed: recorded",
        stream(sse(FIRST, LAST)[:-20], end="cut"),
        **_CUT,
    ),
    row(
        "a body without a length that just ends, too",
        "HTTP/1.0 servers",
        stream(sse(FIRST), chunked=False, end="close"),
        **_NO_SIGN,
    ),
    row(
        "a length that is too large, too",
        "chat-ui: copied headers",
        _sized(sse(FIRST), 9_999),
        **_CUT,
    ),
    row(
        "a cut after text that followed a reason loses an end",
        "One API #1408",
        stream(sse(said("Hello", "stop"), said("!", "stop")), end="cut"),
        text="Hello!",
        ends=IncompleteAnswerError,
        says="the server stopped while it was answering",
    ),
    row(
        "an error after such text is an error",
        "One API #1408",
        sse(
            said("Hello", "stop"),
            said("!", "stop"),
            {"error": {"message": "overloaded"}},
        ),
        text="Hello!",
        ends=GenerationError,
        says="overloaded",
    ),
    row(
        "a server that falls silent keeps the text",
        "llama.cpp, full queue",
        stream(sse(FIRST), end="hold"),
        text="Hello",
        ends=TimedOutError,
        says="within 0.1 s",
        timeouts=_SHORT,
    ),
    row(
        "pings do not make up for words for ever",
        "llama_cpp.server: recorded, two streams",
        pinging(sse(FIRST)),
        text="Hello",
        ends=TimedOutError,
        says="next words",
        timeouts=_SHORT,
    ),
    row(
        "pings alone are not waited for for ever",
        "llama_cpp.server: recorded, two streams",
        pinging(b""),
        text="",
        ends=TimedOutError,
        says="first words",
        timeouts=_SHORT,
    ),
    row(
        "nothing at all may mean that the prompt is too long",
        "llama_cpp.server: recorded",
        b"",
        text="",
        ends=IncompleteAnswerError,
        says="too long for the model",
    ),
    row(
        "pings alone, too",
        "llama_cpp.server: recorded",
        b": ping\n\n" * 3,
        text="",
        ends=IncompleteAnswerError,
        says="too long for the model",
    ),
    row(
        "[DONE] alone, too",
        "llama_cpp.server: recorded",
        DONE,
        text="",
        ends=IncompleteAnswerError,
        says="too long for the model",
    ),
    row(
        "a connection that is closed without an answer is told",
        "servers that crash",
        DROP,
        text="",
        ends=ConnectionFailedError,
        says="closed the connection without an answer",
    ),
    row(
        "a connection that is cut before the first event is told",
        "servers that crash",
        stream(b'data: {"choices": [', end="cut"),
        text="",
        ends=IncompleteAnswerError,
        says="before the first word",
    ),
    row(
        "words that are no protocol are told",
        "Envoy: docs",
        b"upstream connect error or disconnect",
        text="",
        ends=ProtocolError,
        says="upstream connect error",
    ),
    row(
        "an odd protocol is told",
        "web servers",
        stream(b"\x00\x01\x02\x03", content_type="application/octet-stream"),
        text="",
        ends=ProtocolError,
        says="check the server's address",
    ),
]

ROWS: list[Row] = WHOLE + BROKEN
