"""The bytes of a stream: lines, events, and what is put between them.

The standard is https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import json

from h2o_magic.errors import IncompleteAnswerError
from tests.backends.behaviours.row import (
    DONE,
    FIRST,
    HELLO,
    LAST,
    Row,
    chunk,
    row,
    said,
    sse,
    stream,
)

_FIRST, _LAST = (json.dumps(each).encode() for each in (FIRST, LAST))
_BOTH = (_FIRST, _LAST)
_WHATWG = "the standard"


def _events(shape: bytes) -> bytes:
    """The two chunks, each written as `shape`, and the end."""
    return b"".join(shape.replace(b"{}", each) for each in _BOTH) + DONE


def _between(what: bytes) -> bytes:
    return what + sse(FIRST) + what + sse(LAST) + what + DONE + what


LINES = [
    row("lines may end with CR LF", "h2oGPT: recorded", HELLO.replace(b"\n", b"\r\n")),
    row("lines may end with CR", _WHATWG, HELLO.replace(b"\n", b"\r")),
    row(
        "line ends may be mixed",
        _WHATWG,
        _events(b"data: {}\r\n\n").replace(b"\n\ndata: [", b"\r\rdata: ["),
    ),
    row("a byte order mark is no text", _WHATWG, b"\xef\xbb\xbf" + HELLO),
    row(
        "the space after the colon may be missing",
        "TGI 0.9; Clawith PR 106",
        _events(b"data:{}\n\n"),
    ),
    row("a line may be indented", "proxies that indent", _events(b"  data: {}\n\n")),
    row("a field may be in capitals", "HTTP habits", _events(b"Data: {}\n\n")),
    row("there may be more spaces than one", _WHATWG, _events(b"data:  \t{} \n\n")),
    row(
        "an event may have several data lines",
        "term-llm PR 454",
        _events(b"data: {}\n\n").replace(b'"choices": ', b'"choices":\ndata: '),
    ),
    row(
        "the blank line between events may be missing",
        "llama.cpp #14268",
        _events(b"data: {}\n"),
    ),
    row(
        "the blank line before [DONE] may be missing",
        "llama.cpp, 2025",
        sse(FIRST) + b"data: " + _LAST + b"\n" + DONE,
    ),
    row(
        "the last event needs no blank line",
        "Ray Serve",
        HELLO.removesuffix(DONE).rstrip(b"\n"),
    ),
    row("[DONE] needs no line end", "Ray Serve", HELLO.rstrip(b"\n")),
    row(
        "there may be many blank lines",
        "DeepSeek: docs, keep-alive",
        _between(b"\n" * 9),
    ),
    row(
        "data: may be written twice",
        "aprender PR 2015, openclaw PR 97474",
        _events(b"data: data: {}\n\n"),
    ),
    row(
        "data: may be written twice without a space, or three times",
        "aprender PR 2015",
        b"data:data:" + _FIRST + b"\n\ndata: data: data: " + _LAST + b"\n\n" + DONE,
    ),
    row(
        "[DONE] may be on the line of the last chunk",
        "sse.js: supabase PR 20706",
        sse(FIRST) + b"data: " + _LAST + b"[DONE]\n\n",
    ),
    row(
        "data: may be written twice, with lines of nothing behind it",
        "shimmy #26",
        _events(b"data: data: {}\ndata:\ndata:\n\n"),
    ),
    row(
        "a whole stream may be in the data of another",
        "servers that frame twice",
        _events(b"data: event: message\ndata: data: {}\ndata: \n\n"),
    ),
    row(
        "two chunks may be in one line",
        "sse.js: supabase PR 20706",
        b"data: " + b"".join(_BOTH) + b"\n\n" + DONE,
    ),
    row(
        "two chunks with their data: may be in one line",
        "sse.js: supabase PR 20706",
        b"data: " + b"data: ".join(_BOTH) + b"data: [DONE]\n\n",
    ),
    row(
        "the chunks may be in a list",
        "Gemini: docs, streams without alt=sse",
        b"data: [" + b", ".join(_BOTH) + b"]\n\n" + DONE,
    ),
    row(
        "a chunk may be a JSON text within a JSON text",
        "servers that encode twice",
        sse(_FIRST.decode(), _LAST.decode(), "[DONE]"),
    ),
    row(
        "a chunk may stand on a line without data:",
        "basaran #144",
        sse(FIRST) + _LAST + b"\n\n" + DONE,
    ),
    row(
        "[DONE] may stand on a line without data:",
        "basaran #144",
        sse(FIRST, LAST) + b"[DONE]\n",
    ),
    row(
        "a chunk may be printed over many data lines",
        _WHATWG,
        b"".join(
            b"data: %s\n\n"
            % json.dumps(each, indent=1).encode().replace(b"\n", b"\ndata: ")
            for each in (FIRST, LAST)
        )
        + DONE,
    ),
    *(
        row(
            f"the end may be written {done.decode()!r}",
            "servers that write their own",
            sse(FIRST, LAST, b"data: %s\n\n" % done),
        )
        for done in (b"[done]", b"DONE", b" [DONE] ", b'"[DONE]"')
    ),
]

BETWEEN = [
    row(
        "comments are no text",
        "TGI, h2oGPT: recorded",
        _between(b": ping - 2026-11-22\n\n"),
    ),
    row("a bare colon is no text", "TGI: recorded", _between(b":\n\n")),
    row("a comment may hold JSON", _WHATWG, _between(b': {"choices": 1}\n\n')),
    row(
        "a comment may be within an event",
        _WHATWG,
        sse(FIRST).replace(b"data: ", b": x\ndata: ") + b": y\n" + sse(LAST) + DONE,
    ),
    row("empty data means nothing", "OllamaFlow #7", _between(b"data: \n\n")),
    row("data without a colon means nothing", _WHATWG, _between(b"data\n\n")),
    row(
        "the name of an event does not matter",
        "KoboldCpp",
        _events(b"event: message\ndata: {}\n\n"),
    ),
    row(
        "any name of an event will do",
        "Vercel AI Gateway",
        _events(b"event: chat.completion.chunk\ndata: {}\n\n"),
    ),
    row(
        "an event that says the end is an end",
        "servers with event: done",
        sse(FIRST, said(" world")) + b"event: done\ndata: {}\n\n",
        ends="unknown",
    ),
    row(
        "id and retry mean nothing",
        _WHATWG,
        b"retry: 3000\n\n" + _events(b"id: 7\ndata: {}\n\n"),
    ),
    row("an unknown field means nothing", _WHATWG, _between(b"x-request-id: 7\n\n")),
    row(
        "an event named ping means nothing",
        "Anthropic: docs, ping events",
        _between(b'event: ping\ndata: {"type": "ping"}\n\n'),
    ),
    row(
        "a ping in words means nothing",
        "sse pings of gateways",
        _between(b"event: ping\ndata: 12:00:00\n\n"),
    ),
    *(
        row(
            f"{word} in the data means nothing",
            "keep-alives of gateways",
            _between(b"data: %s\n\n" % word.encode()),
        )
        for word in ("ping", "keep-alive", ": OPENROUTER PROCESSING", "heartbeat")
    ),
    row(
        "comments alone may come for a while",
        "OpenRouter: docs, streaming",
        b": OPENROUTER PROCESSING\n\n" * 20 + HELLO,
    ),
    row(
        "progress in comments is no text",
        "mlx-lm PR 362",
        b": keepalive 512/4096\n\n" + HELLO,
    ),
    *(
        row(
            f"{odd.decode()} is no chunk, and no failure",
            "servers that write what they have",
            _between(b"data: %s\n\n" % odd),
        )
        for odd in (b"null", b"{}", b"[]", b'""', b"true", b"5")
    ),
    row(
        "an event without choices means nothing",
        "Open WebUI: openai-php/client #545, sources",
        _between(b'data: {"sources": [{"source": {"id": "1"}}]}\n\n'),
    ),
]

#: Texts that a reader of lines or of words could take for something else.
_TRICKY = (
    'data: [DONE] <|endoftext|> } {"error": "x"}\n\ndata: {"choices": []}\r\n: end'
)
_SEPARATORS = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"


def _raw(*texts: str) -> bytes:
    """Chunks with letters as they are, without JSON's escapes."""
    texts_of = [json.dumps(said(text), ensure_ascii=False).encode() for text in texts]
    return sse(*(b"data: %s\n\n" % each for each in texts_of), chunk({}, "stop"), DONE)


TEXTS = [
    row(
        "a text may look like the protocol",
        "gpt4free of 2023 took them out",
        sse(said(_TRICKY, "stop"), DONE),
        text=_TRICKY,
    ),
    row(
        "separators of Unicode are text",
        "JSON: RFC 8259",
        _raw(_SEPARATORS),
        text=_SEPARATORS,
    ),
    row(
        "letters of all lengths come through",
        "UTF-8",
        _raw("é 日本", "語 👋"),
        text="é 日本語 👋",
    ),
    row(
        "half a character in each of two chunks is one",
        "TGI, llama.cpp: \\ud83d escapes",
        sse(said("a\ud83d"), said("\ude00b", "stop"), DONE),
        text="a😀b",
    ),
    row(
        "half a character alone is replaced",
        "llama.cpp PR 28724: half a character at the limit",
        sse(said("a\ud83d", "length"), DONE),
        text="a\ufffd",
        ends="length",
    ),
    row(
        "bytes that are no UTF-8 are replaced, and told",
        "unslothai/llama.cpp PR 202",
        _raw("a|b").replace(b"|", b"\xff"),
        text="a\ufffdb",
        ends=IncompleteAnswerError,
        says="is not UTF-8",
    ),
    row(
        "zero bytes are left out",
        "chat-ui: NUL padding",
        sse(said("a\0\0"), said("b\0", "stop"), DONE),
        text="ab",
    ),
    row(
        "a raw line break within a text is text",
        "servers that escape nothing",
        _raw("a|b").replace(b"|", b"\n"),
        text="a\nb",
    ),
    row(
        "a raw zero byte is left out",
        "servers that escape nothing",
        _raw("a|b").replace(b"|", b"\0"),
        text="ab",
    ),
    row(
        "a raw tab within a text is text",
        "servers that escape nothing",
        _raw("a|b").replace(b"|", b"\t"),
        text="a\tb",
    ),
    row(
        "an event of a megabyte is read",
        "h2oGPT: recorded, save_dict",
        sse(FIRST, {**LAST, "usage": {"save_dict": {"prompt": "x" * 2**20}}}, DONE),
    ),
    row(
        "a thousand events may come at once",
        "vLLM",
        sse(*[said("y")] * 1000, LAST, DONE),
        text="y" * 1000 + " world",
    ),
    row(
        "each event may come in two pieces",
        "every network",
        stream(*(HELLO[at : at + 30] for at in range(0, len(HELLO), 30))),
    ),
]


def _broken(data: bytes) -> bytes:
    return sse(FIRST, b"data: %s\n\n" % data, said("!", "stop"), DONE)


BROKEN = [
    row(
        f"a chunk that cannot be read is told: {what}",
        origin,
        _broken(data),
        text="Hello!",
        ends=IncompleteAnswerError,
        says=("after 5 characters, cannot be read", "ask again"),
    )
    for what, origin, data in (
        ("cut in the middle", "amd/gaia #3501", _LAST[:60]),
        ("cut by the next one", "sub2api #1471", _LAST[:30] + b"data: " + _LAST),
        ("words of a proxy", "Envoy", b"upstream connect error"),
        ("a string", "servers that encode twice", b'"word"'),
        ("nested without end", "hostile", b"[" * 9_999),
        ("no UTF-8 at all", "hostile", b"\xff\xfe\x00"),
        ("a value of another language", "JavaScript's undefined", b"undefined"),
        (
            "a value of Python",
            "str() in place of json.dumps",
            b"{'choices': [{'delta': {'content': ' world'}}]}",
        ),
    )
] + [
    row(
        "what can be read of a broken event is kept",
        "gateways that lose bytes",
        sse(b"data: " + _FIRST + b'{"choices": [\n\n', said("!", "stop"), DONE),
        text="Hello!",
        ends=IncompleteAnswerError,
        says="after 5 characters",
    ),
    row(
        "of several broken events the first is told",
        "gateways that lose bytes",
        sse(said("a"), b"data: {one\n\n", said("b", "stop"), b"data: {two\n\n", DONE),
        text="ab",
        ends=IncompleteAnswerError,
        says=("after 1 character", "{one"),
    ),
]

ROWS: list[Row] = LINES + BETWEEN + TEXTS + BROKEN
