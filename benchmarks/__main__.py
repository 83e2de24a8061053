"""Runs a benchmark: ``python -m benchmarks server``, or ``panel``."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from benchmarks import beside_engine, many_streams
from benchmarks.bars import Bar, table


def _panel() -> list[Bar]:
    from benchmarks import panel  # noqa: PLC0415 - it needs a browser

    return panel.measure()


def _server(options: argparse.Namespace) -> list[Bar]:
    return [
        *asyncio.run(many_streams.measure(options.streams)),
        *asyncio.run(beside_engine.measure(options.rounds)),
    ]


def main() -> int:
    """Run what the command line names; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", choices=["server", "panel"])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default 7)")
    parser.add_argument("--streams", type=int, default=500, help="default 500")
    options = parser.parse_args()
    before = os.getloadavg()
    bars = _panel() if options.what == "panel" else _server(options)
    after = os.getloadavg()
    load = {"before": before, "after": after, "cores": os.cpu_count()}
    print(table(bars))
    print(f"load before {before[0]:.2f}, after {after[0]:.2f}")
    if options.json:
        figures = {"load": load, "bars": [bar.as_json() for bar in bars]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if all(bar.met for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
