"""Measures h2o_magic on this machine: ``python -m benchmarks [PART ...]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from benchmarks.bars import Bar, table
from benchmarks.parts import PARTS, Options, run


def _measured(part: str, options: Options) -> dict[str, Any]:
    """Measure a part, print its table, and return what is written of it."""
    print(f"\n{part}: {PARTS[part]}", flush=True)
    before = os.getloadavg()
    bars: list[Bar] = []
    for bar in run(part, options):
        bars.append(bar)
    after = os.getloadavg()
    print(table(bars))
    print(f"load before {before[0]:.2f}, after {after[0]:.2f}", flush=True)
    return {
        "part": part,
        "load": {"before": before, "after": after},
        "bars": [bar.as_json() for bar in bars],
    }


def _arguments() -> argparse.Namespace:
    names = "\n".join(f"  {name:18}{what}" for name, what in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"{__doc__}\n\nParts, all of them if none is named:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="what to measure")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default 7)")
    parser.add_argument(
        "--peers",
        action="store_true",
        help="install other packages, each in its own environment, and measure them",
    )
    parser.add_argument("--streams", type=int, default=500, help="default 500")
    arguments = parser.parse_args()
    for part in arguments.parts:
        if part not in PARTS:
            parser.error(f"no part {part!r}; there are {', '.join(PARTS)}")
    return arguments


def main() -> int:
    """Run what the command line names; return 1 if a bar is missed."""
    arguments = _arguments()
    options = Options(arguments.rounds, arguments.peers, arguments.streams)
    parts = [_measured(part, options) for part in arguments.parts or PARTS]
    if arguments.json:
        machine = {
            "cores": os.cpu_count(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "system": platform.system(),
        }
        figures = {"machine": machine, "parts": parts}
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    met = [bar["met"] for part in parts for bar in part["bars"]]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
