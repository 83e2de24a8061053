"""Reports cross from the engine's thread in order, none is lost, and few wake us."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from h2o_magic.errors import GenerationError
from h2o_magic.server.engine_stream import Chunk, Complete, stream

Report = Callable[[str], bool]


def text(word: str) -> str:
    return json.dumps(
        {"choices": [{"text": word, "logprobs": None, "finish_reason": None}]}
    )


def end(count: int) -> str:
    choice = {"text": "", "logprobs": None, "finish_reason": "length"}
    timings = {"predicted_ms": 250.0, "predicted_n": count}
    usage = {"completion_tokens": count}
    return json.dumps({"choices": [choice], "usage": usage, "timings": timings})


async def heard(complete: Complete, pause: asyncio.Event | None = None) -> list[Chunk]:
    """Return the chunks; after the first one, wait for `pause`."""
    let_go = []
    with ThreadPoolExecutor(1) as threads:
        chunks = []
        async for chunk in stream(
            complete, dict, threads=threads, let_go=lambda: let_go.append(True)
        ):
            chunks.append(chunk)
            if pause is not None:
                await pause.wait()
    while not let_go:
        await asyncio.sleep(0)
    return chunks


def test_all_reports_come_in_order_however_fast() -> None:
    def complete(_request: str, report: Report) -> None:
        for number in range(2000):
            assert report(text(f"{number} ")) is False
        report(end(2000))

    chunks = asyncio.run(heard(complete))
    assert "".join(c.text for c in chunks) == "".join(f"{n} " for n in range(2000))
    assert [c.count for c in chunks[:-1]] == list(range(1, 2001))
    assert (chunks[-1].finish, chunks[-1].count) == ("length", 2000)
    assert chunks[-1].seconds == 0.25


def test_a_chunk_says_whether_the_next_is_there_already() -> None:
    written = threading.Event()

    def complete(_request: str, report: Report) -> None:
        for word in ("a", "b", "c"):
            report(text(word))
        report(end(3))
        written.set()

    async def run() -> list[Chunk]:
        pause = asyncio.Event()

        async def later() -> None:
            await asyncio.to_thread(written.wait)
            pause.set()

        waiting = asyncio.ensure_future(later())
        chunks = await heard(complete, pause)
        await waiting
        return chunks

    chunks = asyncio.run(run())
    assert [c.more for c in chunks[1:]] == [True, True, False]


def test_progress_in_reading_the_input_is_no_chunk() -> None:
    progress = json.loads(text("")) | {"prompt_progress": {"total": 3}}
    spoken = 'it says "prompt_progress": yes'

    def complete(_request: str, report: Report) -> None:
        report(json.dumps(progress, separators=(",", ":")))
        report(text(spoken))
        report(end(1))

    chunks = asyncio.run(heard(complete))
    assert [chunk.text for chunk in chunks] == [spoken, ""]


def test_who_leaves_is_told_to_the_engine_at_its_next_report() -> None:
    told: list[bool] = []
    left = threading.Event()

    def complete(_request: str, report: Report) -> None:
        told.append(report(text("a")))
        left.wait()
        told.append(report(text("b")))

    async def run() -> None:
        with ThreadPoolExecutor(1) as threads:
            chunks = stream(complete, dict, threads=threads, let_go=lambda: None)
            await anext(chunks)
            await chunks.aclose()
            left.set()

    asyncio.run(run())
    assert told == [False, True]


@pytest.mark.parametrize("reports", [[], ['{"error": {"message": "no room"}}']])
def test_an_end_without_a_reason_is_an_error(reports: list[str]) -> None:
    def complete(_request: str, report: Report) -> None:
        for one in reports:
            report(one)

    with pytest.raises(
        GenerationError, match="no room" if reports else "without giving"
    ):
        asyncio.run(heard(complete))


def test_an_error_in_making_the_request_is_passed_on_and_lets_the_slot_go() -> None:
    def refuse() -> dict[str, object]:
        raise GenerationError("too long")

    async def run() -> None:
        gone = asyncio.Event()
        with ThreadPoolExecutor(1) as threads:
            chunks = stream(lambda *_: None, refuse, threads=threads, let_go=gone.set)
            with pytest.raises(GenerationError, match="too long"):
                await anext(chunks)
            await gone.wait()

    asyncio.run(run())
