"""Routes about the server itself: models, health, metrics, shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from h2o_magic.errors import ParameterError
from h2o_magic.server.checks import has_token, read_object
from h2o_magic.server.counting import count_tokens, parse_dialogue
from h2o_magic.server.line import Line
from h2o_magic.server.metrics import MEDIA_TYPE, Metrics
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.openai_errors import OpenAIError
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.weights.listing import list_models


@dataclass
class ServiceRoutes:
    """The routes; `end` is None if no client may end the server."""

    runtime: Runtime
    models: Models
    offer: Offer
    line: Line
    metrics: Metrics
    is_ending: Callable[[], bool]
    end: Callable[[], None] | None

    def routes(self) -> list[Route]:
        return [
            Route("/", self.root),
            Route("/api/models", self.list_models),
            Route("/api/tokenize", self.tokenize, methods=["POST"]),
            Route("/api/unload", self.unload, methods=["POST"]),
            Route("/health", self.health),
            Route("/metrics", self.show_metrics),
            Route("/shutdown", self.shutdown, methods=["POST"]),
        ]

    async def root(self, _request: Request) -> Response:
        return JSONResponse({"h2o_magic": self.runtime.version})

    async def list_models(self, _request: Request) -> Response:
        known = await asyncio.to_thread(self.offer.listed)
        listed = await asyncio.to_thread(list_models, self.models.loaded, known)
        return JSONResponse(listed)

    async def tokenize(self, request: Request) -> Response:
        body = await read_object(request)
        name = body.get("model")
        if not isinstance(name, str):
            raise ParameterError(
                'expected {"model": "<id>", "messages": [...]} as the body'
            )
        dialogue = parse_dialogue(body.get("messages"))
        weights = await asyncio.to_thread(self.offer.find, name)
        if weights is None:
            raise ParameterError(
                await asyncio.to_thread(self.offer.unknown_model, name)
            )
        tokens = await count_tokens(self.models, weights, dialogue)
        return JSONResponse({"tokens": tokens})

    async def unload(self, request: Request) -> Response:
        if self.end is None:
            message = "this server is shared: no client can unload its models"
            raise OpenAIError(message, 403)
        paths = (await read_object(request)).get("paths")
        if not isinstance(paths, list) or not all(isinstance(p, str) for p in paths):
            raise ParameterError('expected {"paths": ["<file>", ...]} as the body')
        stay = [path for path in paths if not await self.models.unload(Path(path))]
        return JSONResponse({"in_use": stay})

    async def health(self, request: Request) -> Response:
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
        return JSONResponse(health, 503 if ending else 200)

    async def show_metrics(self, _request: Request) -> Response:
        text = self.metrics.render(
            running=self.models.busy_slots,
            under_way=self.line.under_way,
            loaded=self.models.loaded,
        )
        return Response(text, media_type=MEDIA_TYPE)

    async def shutdown(self, _request: Request) -> Response:
        if self.end is None:
            message = "this server is shared: only a signal on its machine stops it"
            raise OpenAIError(message, 403)
        self.end()
        return Response()
