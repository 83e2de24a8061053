"""The server as one ASGI application: routes, checks, and how errors look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from h2o_magic.errors import ConfigurationError, GenerationError
from h2o_magic.server.access import Access
from h2o_magic.server.conversation_routes import ConversationRoutes
from h2o_magic.server.conversations import Conversations
from h2o_magic.server.ending import IdleTimer
from h2o_magic.server.line import Line, OverloadedError
from h2o_magic.server.metrics import Metrics
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.openai_errors import OpenAIError, as_openai
from h2o_magic.server.openai_routes import OpenAIRoutes
from h2o_magic.server.records import Records
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.server.service_routes import ServiceRoutes
from h2o_magic.server.streaming import ClientLeftError, Unheard


def build_app(
    runtime: Runtime,
    models: Models,
    conversations: Conversations,
    *,
    line: Line,
    idle: IdleTimer,
    end: Callable[[], None] | None,
    is_ending: Callable[[], bool] = lambda: False,
    offer: Offer = Offer(),  # noqa: B008 - a frozen value
    local: bool = True,
) -> Starlette:
    """`end` is for ``POST /shutdown``; None if no client may end the server."""
    metrics = Metrics()
    service = ServiceRoutes(runtime, models, offer, line, metrics, is_ending, end)
    # The first match is taken, so what must be quick comes first.
    routes = [
        *OpenAIRoutes(models, offer, line).routes(),
        *ConversationRoutes(conversations, models, offer, line).routes(),
        *service.routes(),
    ]
    access = Middleware(
        Access,
        token=runtime.token,
        activity=idle.activity,
        local=local,
        is_ending=is_ending,
    )
    return Starlette(
        routes=routes,
        middleware=[Middleware(Records, routes=routes, metrics=metrics), access],
        exception_handlers={
            HTTPException: partial(_no_route, routes),
            OpenAIError: _fail,
            OverloadedError: _fail,
            # Expected errors, which need no traceback in the log.
            ConfigurationError: _fail,
            GenerationError: _fail,
            ClientLeftError: lambda _request, _error: Unheard(),
            Exception: _fail,
        },
    )


def _no_route(routes: Sequence[Route], request: Request, error: Exception) -> Response:
    path, status = request.url.path, cast(HTTPException, error).status_code
    here = [r for r in routes if r.path_regex.match(path)]
    allowed = ", ".join(sorted({m for route in here for m in route.methods or ()}))
    words = f"expected one of the methods {allowed}" if here else "unknown path"
    refusal = OpenAIError(f"{words}, got {request.method} {path[:200]}", status)
    refusal.headers = {"Allow": allowed} if here else None
    return refusal.response(path)


def _fail(request: Request, error: Exception) -> Response:
    path = request.url.path
    return as_openai(error, path).response(path)
