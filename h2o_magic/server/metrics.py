"""The server's metrics for Prometheus: only names, routes and numbers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics import disable_created_metrics

from h2o_magic.server.facts import Facts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Upper bounds of the histogram, in seconds.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_REFUSALS = {429: "queue full", 503: "ending"}


class Metrics:
    """Counts since the start."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._began = time.monotonic()
        self._registry = registry = CollectorRegistry()
        named: dict[str, Any] = {"namespace": "h2o_magic", "registry": registry}
        self._requests = Counter(
            "requests",
            "Requests that have ended; 499 if the client disconnected first.",
            ["route", "status"],
            **named,
        )
        self._refused = Counter(
            "refused", "Requests refused, to be tried again later.", ["why"], **named
        )
        for why in _REFUSALS.values():
            self._refused.labels(why)
        self._read = Counter("tokens_read", "Tokens of inputs.", **named)
        self._written = Counter("tokens_written", "Tokens of answers.", **named)
        self._first = Histogram(
            "first_token_seconds",
            "Seconds from a request to its first token.",
            buckets=_BUCKETS,
            **named,
        )
        self._running = Gauge("streams_running", "Answers being written.", **named)
        self._waiting = Gauge("streams_waiting", "Answers waiting.", **named)
        self._models = Gauge("models_loaded", "Models in memory.", **named)
        self._model = Gauge(
            "model_loaded", "1 for each model in memory.", ["model"], **named
        )
        self._uptime = Gauge("uptime_seconds", "Seconds since the start.", **named)

    @property
    def uptime(self) -> float:
        return time.monotonic() - self._began

    def take(self, route: str, status: int, facts: Facts) -> None:
        self._requests.labels(route, status).inc()
        if status in _REFUSALS:
            self._refused.labels(_REFUSALS[status]).inc()
        self._read.inc(facts.read)
        self._written.inc(facts.written)
        if facts.first_token is not None:
            self._first.observe(facts.first_token)

    def render(self, *, running: int, waiting: int, loaded: Iterable[str]) -> str:
        """Return everything as text, with the answers now `running` and `waiting`."""
        names = sorted(loaded)
        self._running.set(running)
        self._waiting.set(waiting)
        self._models.set(len(names))
        self._model.clear()
        for name in names:
            self._model.labels(name).set(1)
        self._uptime.set(self.uptime)
        return generate_latest(self._registry).decode()
