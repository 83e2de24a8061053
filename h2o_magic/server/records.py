"""Records each request: one line in the log, and the metrics."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from h2o_magic.server.facts import Facts
from h2o_magic.server.metrics import Metrics
from h2o_magic.server.openai_errors import is_openai

_log = logging.getLogger(__name__)

#: The status of a client that disconnected before the response (as in nginx).
_LEFT = 499
#: Requested all the time by monitoring programs.
_NOT_LOGGED = ("/health", "/metrics")


class Records:
    """The outermost ASGI middleware; records the patterns of `routes`, not paths."""

    def __init__(
        self, app: ASGIApp, *, routes: Sequence[Route], metrics: Metrics
    ) -> None:
        self._app = app
        self._routes = [(r.path_regex, r.path.replace(":path", "")) for r in routes]
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        facts = Facts()
        status = _LEFT
        scope.setdefault("state", {})["facts"] = facts

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if is_openai(scope["path"]):
                    MutableHeaders(scope=message)["x-request-id"] = facts.id
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception:
            status = 500
            raise
        finally:
            facts.at_end.close()
            self._record(scope, status, facts)

    def _record(self, scope: Scope, status: int, facts: Facts) -> None:
        path = scope["path"]
        found = (name for pattern, name in self._routes if pattern.match(path))
        route = next(found, "other")
        self._metrics.take(route, status, facts)
        if route not in _NOT_LOGGED:
            _log.info("request", extra={"fields": _fields(scope, route, status, facts)})


def _fields(scope: Scope, route: str, status: int, facts: Facts) -> dict[str, Any]:
    fields = {
        "request": facts.id,
        "method": scope["method"],
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
