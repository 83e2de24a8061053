"""A stand-in server that costs nothing: it says ready-made answers.

The question tells what to say: "Say 2000 tokens of prose at 200 a second.", or without
a speed, as fast as the socket takes it. "Say 2000 varied tokens of prose." makes each
event differ from the next in more than its text, as those of some servers do. It speaks
gpt-gm and the OpenAI dialect, each below a path of its own: one server would be taken
for one or the other. It tells at ``/said`` when it has sent what, since only it knows.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypeAlias
from urllib.request import urlopen

from benchmarks.apparatus.answers import answer

__all__ = [
    "PATHS",
    "Dialect",
    "Speaker",
    "body_parts",
    "question",
    "request",
    "speaking",
]

Dialect: TypeAlias = Literal["gpt-gm", "OpenAI"]

#: Where each dialect is spoken, behind the server's address.
PATHS: dict[Dialect, str] = {"OpenAI": "/v1", "gpt-gm": "/gpt-gm"}
_CONVERSATION = "0" * 24

_OPENAI, _GPTGM = PATHS["OpenAI"], PATHS["gpt-gm"]
_QUESTION = re.compile(r"Say (\d+) (varied )?tokens of (\w+)(?: at (\d+) a second)?\.")
_MODEL = "llama-13b"
_LAST_CHUNK = b"0\r\n\r\n"


def question(shape: str, tokens: int, rate: int = 0, *, varied: bool = False) -> str:
    """Return the question that makes it say this.

    Parameters
    ----------
    shape, tokens
        As of :func:`benchmarks.apparatus.answers.answer`.
    rate
        Tokens a second; 0 for as fast as they are taken.
    varied
        True if each event is to say something anew beside its text, as of
        :func:`body_parts`.
    """
    what = f"{'varied ' * varied}tokens of {shape}"
    return f"Say {tokens} {what}{f' at {rate} a second' * bool(rate)}."


def request(dialect: Dialect, asked: str) -> tuple[str, dict[str, Any]]:
    """Return where, behind the server's address, and with what JSON it is asked."""
    if dialect == "OpenAI":
        messages = [{"role": "user", "content": asked}]
        body = {"model": _MODEL, "stream": True, "messages": messages}
        return f"{_OPENAI}/chat/completions", body
    return f"{_GPTGM}/conversation/{_CONVERSATION}", {"inputs": asked}


@cache
def body_parts(
    dialect: Dialect, shape: str, tokens: int, *, varied: bool = False
) -> tuple[bytes, ...]:
    """Return the events of an answer, a token each, and what ends it.

    If they are `varied`, each says what is another thing in the next: in the OpenAI
    dialect the counts so far (vLLM's ``continuous_usage_stats``) and an
    ``obfuscation`` of another length (OpenAI itself); in gpt-gm the event's ``index``
    (newer text-generation-inference).
    """
    said = answer(shape, tokens)
    if dialect == "OpenAI":
        head = _openai_event({"role": "assistant", "content": ""})
        texts = [
            _openai_event({"content": token}, **(_varied(number) if varied else {}))
            for number, token in enumerate(said, 1)
        ]
        end = _openai_event({}, "stop", usage=_usage(tokens))
        texts[0] = head + texts[0]
        return tuple(map(_chunk, (*texts, end, b"data: [DONE]\n\n")))
    end = _gptgm_event("</s>", special=True, generated_text="".join(said))
    texts = [
        _gptgm_event(token, number, indexed=varied) for number, token in enumerate(said)
    ]
    return tuple(map(_chunk, (*texts, end)))


def _varied(number: int) -> dict[str, Any]:
    """Return what the chunk of a token says beside its text."""
    letters = base64.b64encode(number.to_bytes(9, "big") + bytes(3)).decode()
    return {"usage": _usage(number), "obfuscation": letters[number * 7 % 16 :]}


def _usage(tokens: int) -> dict[str, int]:
    counts = {"prompt_tokens": 9, "total_tokens": 9 + tokens}
    return {**counts, "completion_tokens": tokens}


def _chunk(data: bytes) -> bytes:
    """Return a chunk of HTTP: the servers of use send one for each event."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def _openai_event(
    delta: dict[str, str], finish: str | None = None, **more: object
) -> bytes:
    event = {
        "id": "chatcmpl-0",
        "object": "chat.completion.chunk",
        "created": 1795000000,
        "model": _MODEL,
        "choices": [
            {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        ],
        **more,
    }
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def _gptgm_event(
    text: str,
    number: int = 0,
    *,
    special: bool = False,
    indexed: bool = False,
    generated_text: str | None = None,
) -> bytes:
    details = None
    if generated_text is not None:
        details = {"finish_reason": "eos_token", "generated_tokens": 1, "seed": None}
    # The numbers are others for each token, as a model's are.
    named = {"id": 300 + number * 7919 % 31000, "text": text}
    event = {
        **({"index": number + 1} if indexed else {}),
        "token": {**named, "logprob": -(number % 997) / 311, "special": special},
        "generated_text": generated_text,
        "details": details,
    }
    return b"data:" + json.dumps(event).encode() + b"\n\n"


@dataclass(frozen=True)
class Speaker:
    """A running one: its address, behind which come :data:`PATHS`."""

    url: str

    def said(self) -> list[dict[str, Any]]:
        """Return what it has said, and when it sent its first and last token.

        Each has ``asked``, ``first`` and ``last``, by ``time.time()``; the last is 0
        while it speaks.
        """
        with urlopen(f"{self.url}/said") as answer:
            said: list[dict[str, Any]] = json.load(answer)
        return said


@contextmanager
def speaking() -> Iterator[Speaker]:
    """Run the server in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            yield Speaker(json.loads(process.stdout.readline())["url"])
        finally:
            process.stdin.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Speaker

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer what a client asks before its question."""
        if self.path == "/said":
            self._json(self.server.said)
        elif self.path == f"{_OPENAI}/models":
            self._json({"object": "list", "data": [{"id": _MODEL, "object": "model"}]})
        elif self.path == f"{_GPTGM}/__data.json":  # a page without models
            self._json({"type": "data", "nodes": [{"type": "data", "data": [{}]}]})
        else:
            self._reply(404, "text/plain", b"")

    def do_POST(self) -> None:
        """Answer a question, or what a client of gpt-gm asks around it."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        if self.path == f"{_GPTGM}/settings":
            self._json({"type": "redirect", "status": 303, "location": "/"})
        elif self.path == f"{_GPTGM}/conversation":
            self._json({"conversationId": _CONVERSATION})
        elif self.path == f"{_OPENAI}/chat/completions":
            asked = json.loads(body)["messages"][-1]["content"]
            self._say("OpenAI", asked)
        elif self.path == f"{_GPTGM}/conversation/{_CONVERSATION}":
            self._say("gpt-gm", json.loads(body)["inputs"])
        else:
            self._json({})

    def _say(self, dialect: Dialect, asked: str) -> None:
        found = _QUESTION.findall(asked)
        tokens, varied, shape, rate = found[-1] if found else ("5", "", "prose", "")
        parts = body_parts(dialect, shape, int(tokens), varied=bool(varied))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        said = {"asked": asked, "first": time.time(), "last": 0.0}
        self.server.said.append(said)
        try:
            self._send(parts, int(rate or 0))
        except OSError:
            self.close_connection = True  # the client went away
            return
        said["last"] = time.time()

    def _send(self, parts: Sequence[bytes], rate: int) -> None:
        if not rate:
            self.wfile.write(b"".join((*parts, _LAST_CHUNK)))
            return
        began = time.monotonic()
        for number, part in enumerate(parts):
            time.sleep(max(began + number / rate - time.monotonic(), 0))
            self.wfile.write(part)
        self.wfile.write(_LAST_CHUNK)

    def _json(self, value: object) -> None:
        self._reply(200, "application/json", json.dumps(value).encode())

    def _reply(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Speaker(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.said: list[dict[str, Any]] = []


def main() -> None:
    """Serve until standard input ends; print the address first."""
    server = _Speaker()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    print(json.dumps({"url": url}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
