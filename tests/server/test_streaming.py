"""Streams keep alive, end properly, and let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from h2o_magic.server import streaming
from h2o_magic.server.streaming import EventStream, while_connected


async def never() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


def parts(sent: list[dict[str, Any]]) -> list[bytes]:
    return [message["body"] for message in sent[1:]]


def send_to(sent: list[dict[str, Any]]) -> Any:
    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    return send


def test_silence_is_filled_with_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "_KEEP_ALIVE_SECONDS", 0.05)
    monkeypatch.setattr(streaming, "_PATIENCE_SECONDS", 0.05)
    sent: list[dict[str, Any]] = []

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"data:1\n\n"
        while len(parts(sent)) < 3:
            await asyncio.sleep(0.01)
        yield b"data:2\n\n"

    asyncio.run(EventStream(events())({}, never, send_to(sent)))
    assert parts(sent)[:3] == [b"data:1\n\n", b":\n\n", b":\n\n"]
    assert parts(sent)[-2:] == [b"data:2\n\n", b""]
    assert sent[-1]["more_body"] is False


def test_a_stream_that_speaks_needs_no_comments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "_KEEP_ALIVE_SECONDS", 1.0)
    sent: list[dict[str, Any]] = []

    async def events() -> AsyncGenerator[bytes, None]:
        for _ in range(30):  # longer than that in all
            yield b"data:1\n\n"
            await asyncio.sleep(0.05)

    asyncio.run(EventStream(events())({}, never, send_to(sent)))
    assert b":\n\n" not in parts(sent)


def test_the_head_says_event_stream() -> None:
    sent: list[dict[str, Any]] = []

    async def events() -> AsyncGenerator[bytes, None]:
        return
        yield b""

    asyncio.run(EventStream(events())({}, never, send_to(sent)))
    assert dict(sent[0]["headers"]) == {
        b"cache-control": b"no-cache",
        b"content-type": b"text/event-stream",
        b"x-accel-buffering": b"no",
    }


def test_the_source_is_closed_when_the_client_leaves() -> None:
    closed = []

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            yield b"data:1\n\n"
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def leaves() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    asyncio.run(EventStream(events())({}, leaves, send_to([])))
    assert closed == [True]


def test_work_is_done_while_the_client_is_there() -> None:
    async def work() -> int:
        return 3

    assert asyncio.run(while_connected(never, work())) == 3


def test_the_rest_of_a_body_is_no_leaving() -> None:
    messages = iter([{"type": "http.request"}])

    async def receive() -> dict[str, Any]:
        return next(messages, None) or await never()

    async def work() -> int:
        await asyncio.sleep(0.01)
        return 3

    assert asyncio.run(while_connected(receive, work())) == 3


def test_an_error_of_the_work_is_passed_on() -> None:
    async def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(while_connected(never, work()))


def test_work_ends_with_the_request() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        waiting = asyncio.ensure_future(while_connected(never, work()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())
