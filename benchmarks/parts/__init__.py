"""What is measured, one module for each part of the product.

Each has ``measure(options) -> Iterable[Bar]``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bars import Bar

__all__ = ["LEAST_ROUNDS", "MOST_ROUNDS", "PARTS", "Options", "run"]


@dataclass(frozen=True)
class Options:
    """What the command line says of all parts.

    Attributes
    ----------
    rounds : int
        How often what is compared is measured in turn; the median counts. Some parts
        have their own least or most: :data:`LEAST_ROUNDS`, :data:`MOST_ROUNDS`.
    peers : bool
        Whether other packages are installed, each in an environment of its own, and
        measured beside this one.
    streams : int
        How many streams at once the local server is to serve.
    answers : int
        How many answers the largest folder holds.
    keep : Path or None
        Where environments of other packages stay; None to remove each after its use.
    """

    rounds: int = 7
    peers: bool = False
    streams: int = 500
    answers: int = 100_000
    keep: Path | None = None


#: The parts by name, in the order in which all of them run, and what each measures.
PARTS = {
    "loading": "%load_ext in a running kernel",
    "flood": "an answer as fast as the socket gives it: kernel time",
    "call_path": "what a five-token answer runs through: functions and frames",
    "iopub": "what an answer costs on IOPub: bytes and messages",
    "delay": "from the server's first token to the first text on IOPub",
    "lab": "a cell in JupyterLab: what is seen, and when",
    "starting": "from a fresh kernel to the first text",
    "memory": "the kernel's memory after many answers",
    "side_by_side": "eight answers at once",
    "long_conversation": "a thousand turns in the store and on screen",
    "slow_link": "text over 100 ms and 1 Mbit/s between server and kernel",
    "describing": "a table of a million rows in a prompt: time and memory",
    "replay": "a folder of stored answers: look-ups and writes",
    "tables": "one prompt over a table: cost, slots and limits",
    "package": "the size of the wheel, and what an installation adds",
    "panel": "the chat panel in JupyterLab",
    "extension": "JupyterLab's start with the extension, and without",
    "local_server": "the local server beside its engine, and with many streams",
    "local_rows": "rows of a table on the local server, and what they share",
    "clients": "other libraries' own calls, to the engine's own server and to ours",
    "real_model": "SmolLM2-135M: its texts, right answers, and wait for the first text",
}

#: The least rounds of parts whose figures are short, and vary.
LEAST_ROUNDS = {
    "loading": 5,
    "delay": 15,
    "starting": 5,
    "long_conversation": 9,
    "extension": 15,
    "asking in panel": 25,  # seen to a frame of 17 ms
}
#: The most of those with answers that take long; lab and iopub ask others more often.
MOST_ROUNDS = {
    "iopub": 5,
    "lab": 5,
    "memory": 5,
    "slow_link": 5,
    "panel": 5,
    "flood of chatlab": 5,
}


def run(part: str, options: Options) -> Iterable[Bar]:
    """Measure a part.

    Parameters
    ----------
    part
        A name of :data:`PARTS`.
    options
        Of the command line.
    """
    module = importlib.import_module(f"benchmarks.parts.{part}")
    bars: Iterable[Bar] = module.measure(options)
    return bars
