"""Records each request: one line in the log, and the metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from h2o_magic.server.facts import Facts
from h2o_magic.server.metrics import Metrics

_log = logging.getLogger(__name__)

#: The status of a client that disconnected before the response (as in nginx).
_LEFT = 499
#: Requested all the time by monitoring programs.
_NOT_LOGGED = ("/health", "/metrics")


@dataclass
class Record:
    """The status of a request's response."""

    status: int = _LEFT


class Records:
    """Records patterns of routes, never paths."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @contextmanager
    def of(self, request: web.Request, facts: Facts) -> Iterator[Record]:
        record = Record()
        try:
            yield record
        finally:
            facts.at_end.close()
            resource = request.match_info.route.resource
            route = resource.canonical if resource else "other"
            self._metrics.take(route, record.status, facts)
            if route not in _NOT_LOGGED:
                fields = _fields(request.method, route, record.status, facts)
                _log.info("request", extra={"fields": fields})


def _fields(method: str, route: str, status: int, facts: Facts) -> dict[str, Any]:
    fields = {
        "request": facts.id,
        "method": method,
        "route": route,
        "status": status,
        "seconds": round(facts.seconds, 3),
    }
    if facts.model is not None:
        first = facts.first_token
        fields |= {
            "model": facts.model,
            "tokens_read": facts.read,
            "tokens_written": facts.written,
            "first_token_seconds": None if first is None else round(first, 3),
        }
    return fields
