"""Measures h2o_magic on this machine: ``python -m benchmarks [PART ...]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bars import Bar, table
from benchmarks.parts import LEAST_ROUNDS, MOST_ROUNDS, PARTS, Options, run


def _measured(part: str, options: Options) -> dict[str, Any]:
    """Measure a part, print its table, and return what is written of it."""
    print(f"\n{part}: {PARTS[part]}", flush=True)
    before = os.getloadavg()
    bars: list[Bar] = []
    failed = ""
    try:
        for bar in run(part, options):
            bars.append(bar)
    except Exception as error:  # what was measured before counts, and so do other parts
        traceback.print_exc()
        failed = f"{type(error).__name__}: {error}"
    after = os.getloadavg()
    print(table(bars))
    if failed:
        print(f"FAILED after {len(bars)} figures: {failed}")
    print(f"load before {before[0]:.2f}, after {after[0]:.2f}", flush=True)
    return {
        "part": part,
        "load": {"before": before, "after": after},
        "bars": [bar.as_json() for bar in bars],
        "failed": failed,
    }


def _arguments() -> argparse.Namespace:
    names = "\n".join(f"  {name:18}{what}" for name, what in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"{__doc__}\n\nParts, all of them if none is named:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="what to measure")
    parser.add_argument("--json", type=_path, help="write the figures to this file")
    parser.add_argument(
        "--rounds",
        type=_count,
        default=7,
        help="rounds that a median is of (default 7; fewer than 5 tell little); "
        f"at least {_each(LEAST_ROUNDS)}; at most {_each(MOST_ROUNDS)}, for answers "
        "that take long; one in memory, package and for the local server's many "
        "streams",
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="install other packages, each in its own environment, and measure them",
    )
    parser.add_argument(
        "--streams",
        type=_count,
        default=500,
        help="streams at once of the part local_server (default 500)",
    )
    parser.add_argument(
        "--answers",
        type=_count,
        default=100_000,
        help="stored answers of the part replay (default 100000; 1000000 take minutes "
        "and 4 GB of the disk)",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep the environments of the part clients there, for another run",
    )
    arguments = parser.parse_args()
    for part in arguments.parts:
        if part not in PARTS:
            parser.error(f"no part {part!r}; there are {', '.join(PARTS)}")
    return arguments


def _each(rounds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} in {part}" for part, count in rounds.items())


def _path(text: str) -> Path:
    """Return a file that can be written: to find out at the end would be too late."""
    path = Path(text)
    there = path.exists()
    try:
        path.open("a").close()
    except OSError as error:
        reason = f"cannot write {text}: {error.strerror}"
        raise argparse.ArgumentTypeError(reason) from error
    if not there:
        path.unlink()
    return path


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, not {text!r}")
    return int(text)


def _write(path: Path, parts: Sequence[Mapping[str, Any]]) -> None:
    machine = {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "system": platform.system(),
    }
    figures = {"machine": machine, "parts": parts}
    path.write_text(json.dumps(figures, indent=2) + "\n")


def main() -> int:
    """Run what the command line names; return 1 if a bar is missed, or a part fails."""
    arguments = _arguments()
    options = Options(
        arguments.rounds,
        arguments.peers,
        arguments.streams,
        arguments.answers,
        arguments.keep,
    )
    parts: list[dict[str, Any]] = []
    for part in arguments.parts or PARTS:
        parts.append(_measured(part, options))
        if arguments.json:  # after each: all of them take long
            _write(arguments.json, parts)
    met = all(bar["met"] for part in parts for bar in part["bars"])
    return 0 if met and not any(part["failed"] for part in parts) else 1


if __name__ == "__main__":
    sys.exit(main())
