"""An OpenAI-compatible server for many rows: real sockets, in a process of its own.

It counts what it is asked, and how often each question came. What it answers is in the
question: see `_answer`. Its limits are options: how many at once, how many a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

from aiohttp import web

PROGRAM = "tests.tables.rows_server"


@dataclass
class RowsServer:
    """A running server, as a test sees it."""

    url: str
    process: subprocess.Popen[str]

    def stats(self) -> dict[str, Any]:
        """Return the counts: requests, refused, most at once, and by question."""
        with urlopen(f"{self.url}/stats") as reply:
            found: dict[str, Any] = json.load(reply)
        return found

    def configure(self, **options: object) -> None:
        """Change options while it runs; the counts begin anew."""
        body = json.dumps(options).encode()
        urlopen(Request(f"{self.url}/configure", body)).close()


@contextmanager
def rows_server(**options: object) -> Iterator[RowsServer]:
    """Run a server: `delay` (seconds), `slots`, `rate` (a second), `window`, ..."""
    words = [f"--{name}={value}" for name, value in options.items()]
    process = subprocess.Popen(
        [sys.executable, "-m", PROGRAM, *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield RowsServer(process.stdout.readline().strip(), process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class _Limits:
    """A bucket of requests, or so many in each second of the clock."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._rate, self._window = options.rate, options.window
        self._left, self._at = float(self._rate or 0), time.monotonic()

    def admit(self) -> tuple[bool, float, int]:
        """Return whether a request is admitted, the wait if not, and what is left."""
        if not self._rate:
            return True, 0.0, 0
        now = time.monotonic()
        if self._window:
            if int(now) != int(self._at):
                self._left, self._at = self._rate, now
            wait = int(now) + 1 - now
        else:
            self._left = min(self._rate, self._left + (now - self._at) * self._rate)
            self._at = now
            wait = (1 - self._left) / self._rate
        if self._left < 1:
            return False, wait, 0
        self._left -= 1
        return True, wait, int(self._left)


class _Server:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.begin()

    def begin(self) -> None:
        self.questions: Counter[str] = Counter()
        self.requests = self.refused = self.now = self.most = 0
        self.busy = 0.0  # seconds of slots in use
        self.first = self.last = 0.0
        self.limits = _Limits(self.options)
        self.slots = asyncio.Semaphore(self.options.slots or 10**6)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        given = request.headers.get("Authorization")
        if self.options.key and given != f"Bearer {self.options.key}":
            return _error(401, "Incorrect API key provided", "invalid_api_key")
        question = body["messages"][-1]["content"]
        admitted, wait, left = self.limits.admit()
        self.requests += 1
        self.last = time.monotonic()
        self.first = self.first or self.last
        if not admitted:
            self.refused += 1
            headers = {"retry-after-ms": str(int(wait * 1000) + 1)}
            return _error(429, "Rate limit reached", "rate_limit", headers)
        self.questions[question] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            async with self.slots:
                began = time.monotonic()
                await asyncio.sleep(self.options.delay)
                self.busy += time.monotonic() - began
        finally:
            self.now -= 1
        status, text, reason = _answer(body, self.questions[question])
        if status != 200:
            return _error(status, text, "invalid_request_error")
        headers = {"Content-Type": "text/event-stream"}
        if self.options.rate and self.options.headers:
            headers["x-ratelimit-remaining-requests"] = str(left)
            headers["x-ratelimit-limit-requests"] = str(self.options.rate)
            headers["x-ratelimit-reset-requests"] = f"{wait:.3f}s"
        usage = (20, 5)
        if self.options.count:  # by what is read and written
            asked = sum(len(message["content"]) for message in body["messages"])
            usage = (asked // 4 + 1, len(text) // 4 + 1)
        counted = None if "NOUSAGE" in question else usage
        stream = _stream(body["model"], text, reason, counted)
        return web.Response(body=stream, headers=headers)

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [{"id": "mock", "object": "model"}]}
        )

    async def stats(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "requests": self.requests,
                "refused": self.refused,
                "most": self.most,
                "now": self.now,
                "busy": self.busy,
                "seconds": self.last - self.first,
                "questions": dict(self.questions),
            }
        )

    async def configure(self, request: web.Request) -> web.Response:
        vars(self.options).update(json.loads(await request.text()))
        self.begin()
        return web.Response()


def _answer(  # noqa: PLR0911 - a case a word
    body: dict[str, Any], times: int
) -> tuple[int, str, str]:
    """Return status, text and finish reason, as the words in a question say.

    ``FAIL`` is refused, ``CUT`` cut off, ``EMPTY`` empty, ``BAD`` is no JSON but for
    its repair, and ``WORSE`` never is; ``ONCE`` is refused at first; ``SAY x`` is
    answered with x.
    """
    messages = [message["content"] for message in body["messages"]]
    question, repaired = (
        messages[-1],
        messages[-1]
        != messages[
            1 if len(messages) > 1 and body["messages"][0]["role"] == "system" else 0
        ],
    )
    asked = " ".join(messages)
    if "FAIL" in asked or ("ONCE" in asked and times == 1):
        return 400, "this row cannot be answered", ""
    if question.startswith("SAY ") and not repaired:
        return 200, question[4:], "stop"
    if "EMPTY" in asked:
        return 200, "", "stop"
    if "CUT" in asked:
        return 200, "An answer that has no", "length"
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    if schema is None:
        return 200, f"Answer to: {question}", "stop"
    if "WORSE" in asked or ("BAD" in asked and not repaired):
        return 200, "I would rather not.", "stop"
    return 200, json.dumps(_fitting(schema, len(question))), "stop"


def _fitting(schema: dict[str, Any], size: int) -> Any:
    if "enum" in schema:
        return schema["enum"][size % len(schema["enum"])]
    kind = schema.get("type")
    if kind == "object":
        return {n: _fitting(s, size) for n, s in schema.get("properties", {}).items()}
    values = {"integer": size % 5 + 1, "number": size / 4, "boolean": size % 2 == 0}
    return values.get(kind, f"text of {size}") if kind != "array" else []


def _stream(model: str, text: str, reason: str, usage: tuple[int, int] | None) -> bytes:
    base = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": model}
    chunks: list[dict[str, Any]] = [
        {
            **base,
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}],
        },
        {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
    ]
    if usage is not None:
        read, written = usage
        counts = {"prompt_tokens": read, "completion_tokens": written}
        counts["total_tokens"] = read + written
        chunks.append({**base, "choices": [], "usage": counts})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


def _error(
    status: int, message: str, kind: str, headers: dict[str, str] | None = None
) -> web.Response:
    error = {"error": {"message": message, "type": kind, "code": kind}}
    return web.json_response(error, status=status, headers=headers)


async def _main(options: argparse.Namespace) -> None:
    server = _Server(options)
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_get("/v1/models", server.models)
    app.router.add_get("/stats", server.stats)
    app.router.add_post("/configure", server.configure)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", options.port, backlog=1024)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    print(f"http://127.0.0.1:{port}", flush=True)  # noqa: T201 - who started it reads
    await asyncio.sleep(3600)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--slots", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--window", type=int, default=0)
    parser.add_argument("--headers", type=int, default=1)
    parser.add_argument("--key", default="")
    parser.add_argument("--count", type=int, default=0)
    asyncio.run(_main(parser.parse_args()))
