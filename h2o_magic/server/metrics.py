"""The server's metrics, in Prometheus' text format 0.0.4 ("Exposition formats").

They contain only names, routes and numbers.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from h2o_magic.server.facts import Facts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "h2o_magic_"
#: Upper bounds of the histogram, in seconds.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


@dataclass
class Metrics:
    """Counts since the start."""

    _began: float = field(default_factory=time.monotonic)
    _requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    _refused: Counter[str] = field(default_factory=Counter)
    _read: int = 0
    _written: int = 0
    _buckets: list[int] = field(default_factory=lambda: [0] * (len(_BUCKETS) + 1))
    _seconds: float = 0.0

    @property
    def uptime(self) -> float:
        return time.monotonic() - self._began

    def take(self, route: str, status: int, facts: Facts) -> None:
        self._requests[route, status] += 1
        if status in (429, 503):
            self._refused["queue full" if status == 429 else "ending"] += 1
        self._read += facts.read
        self._written += facts.written
        if facts.first_token is not None:
            self._buckets[bisect_left(_BUCKETS, facts.first_token)] += 1
            self._seconds += facts.first_token

    def render(self, *, running: int, waiting: int, loaded: Iterable[str]) -> str:
        """Return everything as text, with the answers now `running` and `waiting`."""
        names = sorted(loaded)
        families = [
            _family(
                "requests_total",
                "counter",
                "Requests that have ended; 499 if the client disconnected first",
                [
                    ({"route": route, "status": str(status)}, count)
                    for (route, status), count in sorted(self._requests.items())
                ],
            ),
            _family(
                "refused_total",
                "counter",
                "Requests refused, to be tried again later",
                [
                    ({"why": why}, self._refused[why])
                    for why in ("queue full", "ending")
                ],
            ),
            _one("streams_running", "gauge", "Answers being written", running),
            _one("streams_waiting", "gauge", "Answers waiting", waiting),
            _one("tokens_read_total", "counter", "Tokens of inputs", self._read),
            _one("tokens_written_total", "counter", "Tokens of answers", self._written),
            self._histogram(),
            _one("models_loaded", "gauge", "Models in memory", len(names)),
            _family(
                "model_loaded",
                "gauge",
                "1 for each model in memory",
                [({"model": name}, 1) for name in names],
            ),
            _one("uptime_seconds", "gauge", "Seconds since the start", self.uptime),
        ]
        return "".join(f"{line}\n" for family in families for line in family)

    def _histogram(self) -> Iterator[str]:
        name = "first_token_seconds"
        yield from _heading(
            name, "histogram", "Seconds from a request to its first token"
        )
        count = 0
        for bound, new in zip((*_BUCKETS, "+Inf"), self._buckets, strict=True):
            count += new
            yield _sample(f"{name}_bucket", {"le": str(bound)}, count)
        yield _sample(f"{name}_sum", {}, self._seconds)
        yield _sample(f"{name}_count", {}, count)


def _one(name: str, kind: str, about: str, value: float) -> Iterator[str]:
    return _family(name, kind, about, [({}, value)])


def _family(
    name: str,
    kind: str,
    about: str,
    samples: Iterable[tuple[Mapping[str, str], float]],
) -> Iterator[str]:
    yield from _heading(name, kind, about)
    for labels, value in samples:
        yield _sample(name, labels, value)


def _heading(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {_PREFIX}{name} {about}."
    yield f"# TYPE {_PREFIX}{name} {kind}"


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{_PREFIX}{name}{f'{{{inside}}}' if inside else ''} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
