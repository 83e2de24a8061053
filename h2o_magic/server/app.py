"""The server as one application: routes, checks, records, and how errors look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from h2o_magic.server.access import Access
from h2o_magic.server.bodies import drain, limit_together
from h2o_magic.server.ending import IdleTimer
from h2o_magic.server.errors import RequestError, as_request_error
from h2o_magic.server.facts import facts_of
from h2o_magic.server.gptgm.conversations import Conversations
from h2o_magic.server.gptgm.routes import ConversationRoutes
from h2o_magic.server.metrics import Metrics
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.openai_routes import OpenAIRoutes
from h2o_magic.server.records import Records
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.server.service_routes import ServiceRoutes
from h2o_magic.server.stopping import Stopping

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: Requested by monitoring programs, which keep no server from being idle.
_HEALTH = "/health"


def build_app(
    runtime: Runtime,
    models: Models,
    *,
    idle: IdleTimer,
    stopping: Stopping,
    end: Callable[[], None] | None,
    is_ending: Callable[[], bool] = lambda: False,
    offer: Offer | None = None,
    local: bool = True,
) -> web.Application:
    """`end` is for ``POST /shutdown``; None if no client may end the server."""
    offer, metrics = offer or Offer(), Metrics()
    access = Access(runtime.token, local=local, is_ending=is_ending)
    records = Records(metrics)

    @web.middleware
    async def record(request: web.Request, handler: Any) -> web.StreamResponse:
        with records.of(request, facts_of(request)) as record:
            response = await _answered(request, handler)
            record.status = response.status
            return response

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Request-Id"] = facts_of(request).id
        response.headers["Server"] = "h2o_magic"

    async def _answered(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            refusal = access.refusal(request)
            if refusal is not None:
                await drain(request)
                raise refusal
            if request.path == _HEALTH:
                return await handler(request)
            with idle.activity():
                return await handler(request)
        except web.HTTPException as error:
            return _no_route(request, error).response(request.path)
        except Exception as error:
            return as_request_error(error).response(request.path)

    app = web.Application(middlewares=[record], client_max_size=0)
    app.on_response_prepare.append(mark)
    limit_together(app)
    app.add_routes(OpenAIRoutes(models, offer, stopping).routes())
    app.add_routes(
        ConversationRoutes(Conversations(), models, offer, stopping).routes()
    )
    app.add_routes(
        ServiceRoutes(runtime, models, offer, metrics, is_ending, end).routes()
    )
    return app


def _no_route(request: web.Request, error: web.HTTPException) -> RequestError:
    words, headers = "unknown path", None
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        words, headers = f"expected one of the methods {allowed}", {"Allow": allowed}
    message = f"{words}, got {request.method} {request.path[:200]}"
    return RequestError(message, error.status, headers=headers)
