"""Many slow streams at once on our server, and what a reader of one notices."""

from __future__ import annotations

import asyncio
import statistics

from benchmarks.bars import Bar
from benchmarks.server.processes import Address, started
from benchmarks.server.sse_client import ask
from h2o_magic.weights.files import best_real

__all__ = ["measure"]

_MOST_GAP_MS = 250.0


async def measure(streams: int, *, rate: int = 20, tokens: int = 200) -> list[Bar]:
    """Ask for that many streams at once.

    Parameters
    ----------
    streams
        How many.
    rate, tokens
        Tokens per second of each, and how many it has.
    """
    options = ["--slots", str(streams), "--rate", str(rate)]
    async with started("benchmarks.server.stand_in", *options) as server:
        body = {
            "model": "demo",
            "messages": [{"role": "user", "content": "Write."}],
            "max_tokens": tokens,
        }
        await ask(server.url, server.key, {**body, "max_tokens": 1})  # it loads
        asking = [ask(server.url, server.key, body) for _ in range(streams)]
        loading = asyncio.ensure_future(_load_another(server, after=tokens / rate / 2))
        heard, loaded = await asyncio.gather(*asking), await loading
    whole = [h.status == 200 and h.whole and len(h.times) == tokens for h in heard]
    gaps = [gap * 1000 for h in heard for gap in h.gaps]
    cuts = statistics.quantiles(gaps, n=100)
    other = f", {loaded} loading meanwhile" if loaded else ""
    what = f"{streams} streams of {rate} tokens/s, {tokens} tokens each{other}"
    begun = [(h.times[0] - h.asked - 1 / rate) * 1000 for h in heard if h.times]
    return [
        Bar("streams with an error", whole.count(False), "", most=0, note=what),
        Bar("gap between tokens, p99", cuts[98], "ms", most=_MOST_GAP_MS, note=what),
        Bar("gap between tokens, median", statistics.median(gaps), "ms"),
        Bar("gap between tokens, longest", max(gaps), "ms", most=_MOST_GAP_MS),
        Bar("first token later than written, p99", _p99(begun), "ms"),
    ]


async def _load_another(server: Address, *, after: float) -> str:
    """Ask another model, which is loaded for that; return its name, empty for none."""
    found = best_real()
    if found is None:
        return ""
    await asyncio.sleep(after)
    body = {"model": found.model, "messages": [{"role": "user", "content": "Hi"}]}
    await ask(server.url, server.key, {**body, "max_tokens": 1})
    return found.model


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]
