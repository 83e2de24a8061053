"""Routes about the server itself: models, health, metrics, shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from aiohttp import web

from h2o_magic.errors import ParameterError
from h2o_magic.server.access import has_token
from h2o_magic.server.bodies import read_object
from h2o_magic.server.errors import RequestError
from h2o_magic.server.metrics import CONTENT_TYPE, Metrics
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.weights.listing import list_models


@dataclass
class ServiceRoutes:
    """The routes; `end` is None if no client may end the server."""

    runtime: Runtime
    models: Models
    offer: Offer
    metrics: Metrics
    is_ending: Callable[[], bool]
    end: Callable[[], None] | None

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.root),
            web.get("/api/models", self.list_models),
            web.post("/api/unload", self.unload),
            web.get("/health", self.health),
            web.get("/metrics", self.show_metrics),
            web.post("/shutdown", self.shutdown),
        ]

    async def root(self, _request: web.Request) -> web.Response:
        return web.json_response({"h2o_magic": self.runtime.version})

    async def list_models(self, _request: web.Request) -> web.Response:
        known = await asyncio.to_thread(self.offer.listed)
        listed = await asyncio.to_thread(list_models, self.models.loaded, known)
        return web.json_response(listed)

    async def unload(self, request: web.Request) -> web.Response:
        if self.end is None:
            message = "this server is shared: no client can unload its models"
            raise RequestError(message, 403)
        paths = (await read_object(request)).get("paths")
        if not isinstance(paths, list) or not all(isinstance(p, str) for p in paths):
            raise ParameterError('expected {"paths": ["<file>", ...]} as the body')
        stay = [path for path in paths if not await self.models.unload(Path(path))]
        return web.json_response({"in_use": stay})

    async def health(self, request: web.Request) -> web.Response:
        ending = self.is_ending()
        health: dict[str, object] = {"status": "ending" if ending else "ok"}
        if has_token(request.headers, self.runtime.token):
            who = asdict(self.runtime)
            # A shared server's process and log are not for its clients.
            own = ("version", "pid", "instance", "log") if self.end else ("version",)
            health |= {key: who[key] for key in own}
            health |= {
                "uptime": self.metrics.uptime,
                "busy_slots": self.models.busy_slots,
                "slots": self.models.slots,
                "loaded": self.models.loaded,
            }
            if self.end:
                health["memory"] = self.models.memory
                health["memory_taken"] = self.models.memory_taken
        # With 503 a load balancer sends its requests elsewhere.
        return web.json_response(health, status=503 if ending else 200)

    async def show_metrics(self, _request: web.Request) -> web.Response:
        text = self.metrics.render(
            running=self.models.busy_slots,
            waiting=self.models.waiting,
            loaded=self.models.loaded,
        )
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    async def shutdown(self, _request: web.Request) -> web.Response:
        if self.end is None:
            message = "this server is shared: only a signal on its machine stops it"
            raise RequestError(message, 403)
        self.end()
        return web.Response()
