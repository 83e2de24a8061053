"""Our server beside the engine's own: what going through ours costs.

Both run the demo weights with the same engine settings and samplers, each in a process
of its own, and are asked in turn, one after the other, round after round.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import psutil

from benchmarks.bars import Bar
from benchmarks.server.processes import Address, own_server, started
from benchmarks.server.sse_client import Heard, ask

__all__ = ["measure"]

#: The least share of the engine's tokens per second, by the number of streams.
_LEAST_RATIOS = {1: 0.90, 4: 0.94, 8: 0.96}
_SLOTS = max(_LEAST_RATIOS)
_LONG = 400
_SHORT_ASKS = 10
_MOST_LATER_MS = 1.5
#: The most of the engine's processor time that ours may take.
_MOST_CPU = 0.05
#: The question with the longest answer, which both write word for word.
_TABLE = "Show me a table of the generation parameters"
_GREEDY = {"temperature": 0, "cache_prompt": False}

#: Where a server is, and what to add to each request.
_Server: TypeAlias = tuple[Address, dict[str, Any]]
_Measuring: TypeAlias = Callable[[Address, int, dict[str, Any]], Awaitable[float]]


def _body(index: int, question: str = "", **more: Any) -> dict[str, Any]:
    question = question or f"How do I choose a model, and what is number {index}?"
    return {
        "model": "demo",
        "messages": [{"role": "user", "content": question}],
        "seed": index,
        **more,
    }


async def _rate(
    server: Address, number: int, more: dict[str, Any], *, streams: int
) -> float:
    """Return tokens per second of all streams, from the first token to the last."""
    bodies = [
        _body(number * streams + i, _TABLE, max_tokens=_LONG, **_GREEDY, **more)
        for i in range(streams)
    ]
    heard = await asyncio.gather(*(ask(server.url, server.key, b) for b in bodies))
    _check(heard)
    took = max(h.times[-1] for h in heard) - min(h.times[0] for h in heard)
    return sum(h.tokens for h in heard) / max(took, 1e-3)  # all may come at once


async def _first_token_ms(server: Address, number: int, more: dict[str, Any]) -> float:
    """Return the time to the first token of a short answer."""
    body = _body(number, max_tokens=3, temperature=0, **more)
    heard = await ask(server.url, server.key, body)
    _check([heard])
    return (heard.times[0] - heard.asked) * 1000


def _check(heard: Sequence[Heard]) -> None:
    for h in heard:
        if h.status != 200 or not h.whole or not h.times:
            raise RuntimeError(f"a stream failed: {h}")


async def measure(rounds: int) -> list[Bar]:
    """Measure both servers in turn, that many times."""
    async with (
        started("benchmarks.server.engine_server", "--slots", str(_SLOTS)) as engine,
        own_server(_SLOTS) as ours,
    ):
        servers: list[_Server] = [(engine, {}), (ours, {})]
        for server, more in servers:
            await _rate(server, 0, more, streams=_SLOTS)
        rates: dict[int, list[list[float]]] = {n: [] for n in _LEAST_RATIOS}
        first: list[list[float]] = []
        used = await _processor_times(ours.pid)
        for number in range(1, rounds + 1):
            for streams, pairs in rates.items():
                measuring = partial(_rate, streams=streams)
                pairs.append(await _in_turn(servers, number, measuring))
        cpu = _share(used, await _processor_times(ours.pid))
        for ask_number in range(rounds * _SHORT_ASKS):
            first.append(await _in_turn(servers, ask_number, _first_token_ms))
    return [
        *(
            _ratio(f"tokens/s of the engine's own, {n} streams", pairs, least)
            for (n, least), pairs in zip(
                _LEAST_RATIOS.items(), rates.values(), strict=True
            )
        ),
        Bar("processor time of the engine's", cpu, "ratio", most=_MOST_CPU),
        _later(first),
    ]


async def _processor_times(pid: int) -> tuple[float, float]:
    """Return the seconds of our server's process, and of its engines."""
    process = psutil.Process(pid)
    ours = sum(process.cpu_times()[:2])
    return ours, sum(sum(child.cpu_times()[:2]) for child in process.children())


def _share(before: tuple[float, float], after: tuple[float, float]) -> float:
    return (after[0] - before[0]) / (after[1] - before[1])


async def _in_turn(
    servers: Sequence[_Server], number: int, measuring: _Measuring
) -> list[float]:
    """Return the figures of the engine's server and of ours, measured in turn."""
    figures = {}
    for place in (0, 1) if number % 2 else (1, 0):
        server, more = servers[place]
        figures[place] = await measuring(server, number, more)
    return [figures[0], figures[1]]


def _ratio(name: str, pairs: list[list[float]], least: float) -> Bar:
    return Bar.median(
        name,
        (ours / engine for engine, ours in pairs),
        "ratio",
        least=least,
        note=_note(pairs, "tokens/s"),
        beside=_medians(pairs, 1),
    )


def _later(pairs: list[list[float]]) -> Bar:
    return Bar.median(
        "first token later",
        (ours - engine for engine, ours in pairs),
        "ms",
        most=_MOST_LATER_MS,
        note=_note(pairs, "ms"),
        beside=_medians(pairs, 1000),
    )


def _medians(pairs: list[list[float]], per: int) -> dict[str, float]:
    engine, ours = (statistics.median(figures) for figures in zip(*pairs, strict=True))
    return {"engine": engine / per, "h2o_magic": ours / per}


def _note(pairs: list[list[float]], unit: str) -> str:
    """Tell the medians of both, and how far the rounds lie apart."""
    engine, ours = (
        f"{statistics.median(figures):.4g} ({min(figures):.4g} to {max(figures):.4g})"
        for figures in zip(*pairs, strict=True)
    )
    return f"{len(pairs)} pairs: engine {engine}, ours {ours} {unit}"
