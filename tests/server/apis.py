"""Servers of the OpenAI and Anthropic APIs: ours, and the engine's own beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.server.conftest import Serving

__all__ = ["Api", "engine_api", "our_api"]

_ROOT = Path(__file__).parents[2]
_SLOTS = 4


@dataclass(frozen=True)
class Api:
    """A server of these APIs.

    `url` is without ``/v1``; `busy` counts the slots in which an answer is written.
    """

    url: str
    key: str
    model: str
    busy: Callable[[], int]


def our_api(serving: Serving, model: str) -> Api:
    return Api(serving.url, serving.token, model, serving.client().busy_slots)


@contextmanager
def engine_api(weights: Path, context: int) -> Iterator[Api]:
    """Run the engine's own server, for one model with so many tokens of context."""
    module = "benchmarks.server.engine_alone"
    options = ["--slots", str(_SLOTS), "--capacity", str(_SLOTS * context)]
    options += ["--cache", "0", "--threads", "1", "--embeddings"]
    with subprocess.Popen(
        [sys.executable, "-m", module, str(weights), *options],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())
            url, key = address["url"].partition("/v1/")[0], address["key"]
            yield Api(url, key, weights.stem, lambda: _processing(url, key))
        finally:
            process.terminate()


def _processing(url: str, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"{url}/slots", headers=headers)
    with urllib.request.urlopen(request) as answer:
        return sum(slot["is_processing"] for slot in json.load(answer))
