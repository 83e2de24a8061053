"""The local server beside its engine's own, with many streams, and many users."""

from __future__ import annotations

import asyncio

from benchmarks.bars import Bar
from benchmarks.parts import Options
from benchmarks.server import beside_engine, fairness, many_streams

__all__ = ["measure"]


def measure(options: Options) -> list[Bar]:
    """Return the figures."""
    return [
        *asyncio.run(many_streams.measure(options.streams)),
        *asyncio.run(beside_engine.measure(options.rounds)),
        *asyncio.run(fairness.measure(options.rounds)),
    ]
