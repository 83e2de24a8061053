"""Routes under ``/v1``: the models, and what is passed on to their engines.

Only these: the engine's other routes (tools, slots, settings, a web page) stay shut.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from h2o_magic.server.bodies import parse_object, read_body
from h2o_magic.server.clients import client_of, takes_notices
from h2o_magic.server.errors import RequestError, as_request_error
from h2o_magic.server.facts import facts_of
from h2o_magic.server.forwarding import Forwarder
from h2o_magic.server.loading import real_name
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.reply import Reply
from h2o_magic.server.rewriting import EngineRequest, model_of, rewrite
from h2o_magic.server.stopping import Stopping
from h2o_magic.weights.files import Weights, projector_of
from h2o_magic.weights.listing import list_models

#: Seconds that finding weights may take without a thread.
_QUICK = 0.001
#: The header that says which weights answer, as JSON.
WEIGHTS_HEADER = "X-H2O-Magic-Weights"
#: The engine's routes, with ``/v1`` and without where it has both.
_PASSED = (
    "chat/completions",
    "chat/completions/input_tokens",
    "completions",
    "embeddings",
    "responses",
    "responses/input_tokens",
    "rerank",
)
_WITH_PREFIX = ("messages", "messages/count_tokens")
_WITHOUT_PREFIX = ("apply-template", "detokenize", "tokenize")
_SHOWN = (
    "weights",
    "demo",
    "answered_by",
    "context_length",
    "size",
    "license",
    "loaded",
    "sampling",
    "system",
)


@dataclass
class OpenAIRoutes:
    """The routes."""

    models: Models
    offer: Offer
    stopping: Stopping
    _created: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        self._last_look = _QUICK
        self._forwarder = Forwarder(self.models)

    def routes(self) -> list[web.RouteDef]:
        passed = {f"/v1/{name}": f"/v1/{name}" for name in (*_PASSED, *_WITH_PREFIX)}
        passed |= {f"/{name}": f"/v1/{name}" for name in _PASSED}
        passed |= {f"/{name}": f"/{name}" for name in _WITHOUT_PREFIX}
        passed |= {f"/v1/{name}": f"/{name}" for name in _WITHOUT_PREFIX}
        return [
            web.get("/v1/models", self.list_models),
            web.get("/models", self.list_models),
            web.get("/v1/models/{id:.+}", self.show_model),
            *(web.post(path, self._passing(to)) for path, to in passed.items()),
        ]

    async def list_models(self, _request: web.Request) -> web.Response:
        listed = await asyncio.to_thread(self._listed, None)
        return web.json_response({"object": "list", "data": listed})

    async def show_model(self, request: web.Request) -> web.Response:
        weights = await self._find(request.match_info["id"])
        listed = await asyncio.to_thread(self._listed, [weights])
        return web.json_response(listed[0])

    def _passing(self, to: str) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._pass(request, to)

        return handle

    async def _pass(self, http: web.Request, to: str) -> web.StreamResponse:
        raw = await read_body(http)
        request = EngineRequest(to, parse_object(raw), raw)
        weights = await self._find(model_of(request.body))
        if request.body.get("strict") is True and weights.is_stand_in:
            raise self._missing(weights.listed_as)
        try:
            rewrite(request, weights)
        except RecursionError as error:
            raise RequestError("expected JSON that is not nested as deep") from error
        facts = facts_of(http)
        facts.model = weights.model
        reply = Reply(http, streams=request.streams, notices=takes_notices(http))
        reply.headers[WEIGHTS_HEADER] = json.dumps(weights.source)
        try:
            return await self.stopping.run(
                self._forwarder.forward(http, request, weights, client_of(http), reply)
            )
        except Exception as error:
            return await reply.fail(as_request_error(error))
        finally:
            await reply.close()

    async def _find(self, name: str) -> Weights:
        # A thread takes longer than a look into a cached folder.
        if self._last_look < _QUICK:
            weights = self._look(name)
        else:
            weights = await asyncio.to_thread(self._look, name)
        if weights is None or not os.path.isfile(weights.path):
            raise RequestError(
                await asyncio.to_thread(self.offer.unknown_model, name),
                404,
                param="model",
                code="model_not_found",
            )
        return weights

    def _look(self, name: str) -> Weights | None:
        began = time.perf_counter()
        found = None
        with suppress(OSError):  # the name is too long for one of a file
            found = self.offer.find(name)
        self._last_look = time.perf_counter() - began
        return found

    def _missing(self, name: str) -> RequestError:
        here, pull = "the server", f"`h2o-magic pull {name}` there"
        if self.offer.paths:  # it is the user's own
            here, pull = "this machine", f"`%h2o pull {name}`"
        return RequestError(
            f"{name} is not on {here}: run {pull}, or ask without `strict`",
            param="strict",
            code="weights_missing",
        )

    def _listed(self, known: list[Weights] | None) -> list[dict[str, Any]]:
        weights = self.offer.listed() if known is None else known
        return [
            self._entry(model, of)
            for model, of in zip(
                list_models(self.models.loaded, weights), weights, strict=True
            )
        ]

    def _entry(self, model: Mapping[str, Any], weights: Weights) -> dict[str, Any]:
        by_path = weights.model == str(weights.path)
        return {
            "id": real_name(weights) if by_path else weights.listed_as,
            "object": "model",
            "created": self._created,
            "owned_by": "h2o_magic",
            **{key: model[key] for key in _SHOWN},
            "vision": projector_of(weights.path) is not None,
        }
