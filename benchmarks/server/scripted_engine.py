"""An HTTP server like the engine's that computes nothing and writes at a set speed."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time

from aiohttp import web

_HEAD = {"id": "chatcmpl-x", "object": "chat.completion.chunk", "model": "stand-in"}


async def _complete(request: web.Request) -> web.StreamResponse:
    """Send a word each ``1 / rate`` seconds; who is late catches up."""
    body = await request.json()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    began, rate = time.monotonic(), request.app[_RATE]
    for count in range(1, body["max_tokens"] + 1):
        due = began + count / rate
        if (early := due - time.monotonic()) > 0:
            await asyncio.sleep(early)
        await response.write(_event({"content": f" w{count}"}, None))
    await response.write(_event({}, "length") + b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _event(delta: dict[str, str], finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    separators = (",", ":")
    return (
        b"data: "
        + json.dumps({**_HEAD, "choices": [choice]}, separators=separators).encode()
        + b"\n\n"
    )


async def _props(_request: web.Request) -> web.Response:
    return web.json_response({"default_generation_settings": {"n_ctx": 1024}})


_RATE = web.AppKey("rate", float)


async def _serve(rate: float) -> None:
    app = web.Application()
    app[_RATE] = rate
    app.add_routes(
        [web.post("/v1/chat/completions", _complete), web.get("/props", _props)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    port = runner.addresses[0][1]
    print(json.dumps({"url": f"http://127.0.0.1:{port}", "key": ""}), flush=True)
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Serve until the process is ended; print the address first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, required=True)
    asyncio.run(_serve(parser.parse_args().rate))


if __name__ == "__main__":
    main()
