"""The gpt-gm dialect: events of text-generation-inference behind chat-ui of 2023."""

from __future__ import annotations

import json
from typing import Any

from h2o_magic.errors import (
    GenerationError,
    IncompleteAnswerError,
    ProtocolError,
    RateLimitedError,
    StatusError,
)
from tests.backends.behaviours.row import Row, row, stream
from tests.backends.scripted import (
    document,
    final,
    recorded,
    token,
)

_END = {
    "token": {"id": 2, "text": "</s>", "special": True},
    "generated_text": " Hello world",
    "details": None,
}
_HI, _WORLD = token(" Hello"), token(" world")


#: The ends of turns, and a beginning, in the templates of many models.
_MARKERS = ("<|endoftext|>", "</s>", "<s>", "<|im_end|>")


def _tgi(*documents: Any, form: bytes = b"data:%s\n\n") -> bytes:
    return b"".join(
        d if isinstance(d, bytes) else form % json.dumps(d).encode() for d in documents
    )


def _row(promise: str, origin: str, *sends: Any, **expected: Any) -> Row:
    return row(promise, origin, *sends, gptgm=True, **expected)


_BODY = _tgi(_HI, _WORLD, _END)

SHAPES = [
    _row("tokens, and a final event", "TGI 0.9: recorded", _BODY),
    _row(
        "a space after the colon",
        "TGI of 2024, axum 0.7",
        _tgi(_HI, _WORLD, _END, form=b"data: %s\n\n"),
    ),
    _row("lines that end with CR LF", "the standard", _BODY.replace(b"\n", b"\r\n")),
    _row(
        "pings between the events",
        "TGI: recorded, keep-alive",
        _tgi(b":\n\n", _HI, b":\n\n", _WORLD, b": ping\n\n", _END),
    ),
    _row("the last event without a blank line", "TGI: recorded", _BODY.rstrip()),
    _row(
        "events of the newer versions",
        "TGI 2, index and top_tokens",
        _tgi(
            *(
                {"index": i, **each, "top_tokens": []}
                for i, each in enumerate((_HI, _WORLD, _END))
            )
        ),
    ),
    _row("a logprob of null", "TGI 2", _tgi(token(" Hello world", logprob=None), _END)),
    _row(
        "empty tokens", "TGI: recorded", _tgi(token(""), _HI, token(""), _WORLD, _END)
    ),
    _row(
        "padded tokens",
        "chat-ui: NUL padding",
        _tgi(token(" Hello\0\0\0"), _WORLD, _END),
    ),
    _row(
        "special tokens are no text",
        "TGI: recorded",
        _tgi(_HI, token("<|secret|>", special=True), _WORLD, _END),
    ),
    _row(
        "end markers are special where nothing says so",
        "gateways before TGI",
        _tgi(_HI, *({"token": {"text": m}} for m in _MARKERS), _WORLD, _END),
    ),
    _row(
        "a marker that is not special is text",
        "TGI: recorded",
        _tgi(token(" a </s>"), token(" b"), final(" a </s> b")),
        text="a </s> b",
    ),
    _row(
        "the last token may be text",
        "TGI: recorded, length",
        _tgi(_HI, {**_WORLD, "generated_text": " Hello world"}),
    ),
    _row(
        "white space before the answer is left out",
        "TGI: leading space",
        _tgi(token("\n"), token(" Hello world"), final("\n Hello world")),
    ),
    _row(
        "white space behind it, too",
        "chat-ui",
        _tgi(token(" Hello world"), token("\n\n"), final(" Hello world\n\n")),
    ),
    _row(
        "the final text counts where it is longer",
        "TGI: held back bytes",
        _tgi(_HI, final(" Hello world")),
    ),
    _row(
        "the final text counts where it differs",
        "TGI: clean-up of spaces",
        _tgi(token(" Helo"), token(" world"), final(" Hello world")),
    ),
    _row(
        "markers at the end of the final text are cut off",
        "chat-ui: trims",
        _tgi(_HI, _WORLD, final(" Hello world</s><|endoftext|>")),
    ),
    _row(
        "the prompt before the final text is cut off",
        "TGI: return_full_text",
        _tgi(_HI, _WORLD, final("Hi there Hello world")),
    ),
    _row(
        "halves of a character are joined",
        "TGI: \\ud83d escapes",
        _tgi(token(" a\ud83d"), token("\ude00"), final(" a\ud83d\ude00")),
        text="a😀",
    ),
    _row(
        "a text may look like the protocol",
        "gpt4free of 2023 took it out",
        _tgi(token('data: {"error":"x"}'), final('data: {"error":"x"}')),
        text='data: {"error":"x"}',
    ),
    _row(
        "a stop text is held, and cut off",
        "TGI: stop keeps its text",
        _tgi(
            _HI,
            _WORLD,
            token(" EN"),
            token("D"),
            final(" Hello world END", {"finish_reason": "stop_sequence"}),
        ),
        ends="stop_text",
        parameters={"stop": (" END",)},
    ),
    _row(
        "what only begins like a stop text is text",
        "TGI",
        _tgi(_HI, token(" EN"), token("T"), final(" Hello ENT")),
        text="Hello ENT",
        parameters={"stop": (" END",)},
    ),
    _row(
        "an empty answer is an answer",
        "TGI: recorded",
        _tgi({**_END, "generated_text": ""}),
        text="",
    ),
    _row(
        "a token of null beside the final text",
        "proxies before TGI",
        _tgi(_HI, _WORLD, {"token": None, "generated_text": " Hello world"}),
    ),
    _row(
        "a whole answer in a list",
        "TGI: recorded, stream false",
        document([{"generated_text": " Hello world"}]),
    ),
    _row(
        "a whole answer in a document",
        "TGI: generate",
        document({"generated_text": " Hello world"}),
    ),
    _row(
        "a false header of compression does no harm",
        "chat-ui: recorded",
        stream(_BODY, headers={"Content-Encoding": "gzip"}),
    ),
    _row(
        "what follows the final event means nothing",
        "TGI: error after the end",
        _BODY + _tgi({"error": "late"}),
    ),
    *(
        _row(
            f"the reason {reason} is understood",
            "TGI: finish_reason",
            _tgi(_HI, _WORLD, final(" Hello world", {"finish_reason": reason})),
            ends=meant,
        )
        for reason, meant in (
            ("eos_token", "end"),
            ("length", "length"),
            ("stop_sequence", "stop_text"),
            ("new", "unknown"),
        )
    ),
    _row(
        "details tell the counts",
        "TGI: recorded",
        _tgi(
            _HI,
            _WORLD,
            final(
                " Hello world",
                {
                    "finish_reason": "eos_token",
                    "generated_tokens": 2,
                    "input_length": 9,
                },
            ),
        ),
        counts=(9, 2),
    ),
]

_NO_END = {"text": "Hello", "ends": IncompleteAnswerError, "says": "ask again"}
BROKEN = [
    _row(
        "an end without the final event proves nothing",
        "chat-ui: recorded",
        _tgi(_HI),
        **_NO_END,
    ),
    _row(
        "[DONE] without the final event is an end",
        "proxies before TGI",
        _tgi(_HI, b"data: [DONE]\n\n"),
        text="Hello",
        ends="unknown",
    ),
    _row(
        "a cut keeps the text",
        "chat-ui: recorded",
        stream(_tgi(_HI), end="cut"),
        **_NO_END,
    ),
    _row(
        "a cut behind the final event loses nothing",
        "chat-ui: recorded",
        stream(_BODY, end="cut"),
    ),
    _row(
        "a cut in the final event keeps the text",
        "chat-ui: recorded",
        stream(_BODY[:-20], end="cut"),
        text="Hello world",
        ends=IncompleteAnswerError,
    ),
    _row(
        "a token that cannot be read is told where nothing makes up for it",
        "chat-ui: lost bytes",
        _tgi(_HI, b'data:{"token":{"te\n\n'),
        text="Hello",
        ends=IncompleteAnswerError,
    ),
    _row(
        "a token that cannot be read is made up for by the final text",
        "chat-ui: lost bytes",
        _tgi(_HI, b'data:{"token":{"te\n\n', _END),
    ),
    _row("an empty body is told", "chat-ui", b"", text="", ends=IncompleteAnswerError),
    _row(
        "a page is told",
        "chat-ui: login",
        stream(b"<title>Log in</title>", content_type="text/html"),
        text="",
        ends=ProtocolError,
        says="'Log in'",
    ),
]

_ERRORS = (
    (
        "validation",
        "Input validation error: `temperature` must be strictly positive",
        1,
    ),
    ("generation", "Request failed during generation: out of memory", 2),
    ("incomplete_generation", "Incomplete generation", 1),
    ("overloaded", "Model is overloaded", 3),
)
FAILURES = [
    _row(
        f"an error of the type {kind} is told",
        "TGI: recorded, error_type",
        *[_tgi({"error": words, "error_type": kind})] * 3,
        text="",
        ends=GenerationError,
        says=words,
        requests=requests,
    )
    for kind, words, requests in _ERRORS
] + [
    _row(
        "an error after some tokens keeps them",
        "TGI: recorded",
        _tgi(_HI, {"error": "Boom", "error_type": "generation"}),
        text="Hello",
        ends=GenerationError,
        says="Boom",
    ),
    *(
        _row(
            f"an error is told in any shape: {name}",
            "proxies before TGI",
            body,
            text="",
            ends=GenerationError,
            says="Boom",
        )
        for name, body in (
            ("a list", _tgi({"error": ["Boom"]})),
            ("an object", _tgi({"error": {"message": "Boom", "code": 500}})),
            ("an event", b"event: error\ndata: Boom\n\n"),
            ("a field", b"error: Boom\n\n"),
            ("a document", document([{"error": "Boom"}])),
        )
    ),
    _row(
        "a limit of the minute is told",
        "chat-ui: recorded, 429",
        *[recorded("rate-limit-429")] * 3,
        text="",
        ends=RateLimitedError,
        says=("too many messages", "ask again in 60 s"),
    ),
    _row(
        "an overloaded engine is asked again",
        "TGI: recorded, 429",
        recorded("error-overloaded-429"),
        requests=2,
    ),
    _row(
        "a refused parameter is told",
        "TGI: recorded, 422",
        *[recorded("error-validation-422")] * 3,
        text="",
        ends=StatusError,
        says="Input validation error",
    ),
    _row(
        "an engine that fails is asked once more",
        "TGI: recorded, 424",
        recorded("error-generation-424"),
        requests=2,
    ),
    _row(
        "a model that loads is waited for",
        "Hugging Face: recorded, 503",
        recorded("error-loading-503"),
        requests=2,
    ),
    _row(
        "a gateway that is down is asked again",
        "nginx: recorded, 502",
        recorded("error-gateway-502-html"),
        requests=2,
    ),
    _row(
        "a wrong type is told",
        "TGI: recorded, 422",
        *[recorded("error-wrong-type-422-text")] * 3,
        text="",
        ends=StatusError,
    ),
    _row(
        "a lost conversation is told",
        "chat-ui: recorded, 404",
        *[recorded("generate-unknown-conversation")] * 3,
        text="",
        ends=StatusError,
        says="does not keep its conversations",
    ),
    _row(
        "a model that is gone is told",
        "chat-ui: recorded, 410",
        *[recorded("generate-model-gone")] * 3,
        text="",
        ends=StatusError,
        says="choose another",
    ),
    _row(
        "a login is told",
        "chat-ui: recorded, 401",
        *[recorded("login-required-401")] * 3,
        text="",
        ends=StatusError,
        says=("You have to be logged in", "--key-env VAR"),
    ),
    _row(
        "a question that is too large is told",
        "chat-ui: recorded, 413",
        *[recorded("body-too-large")] * 3,
        text="",
        ends=StatusError,
        says="shorten it",
    ),
]

ROWS: list[Row] = SHAPES + BROKEN + FAILURES
