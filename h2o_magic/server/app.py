"""The server as one ASGI application: routes, checks, and how errors look."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from h2o_magic.errors import ConfigurationError, GenerationError
from h2o_magic.server import tgi
from h2o_magic.server.access import Access
from h2o_magic.server.conversation_routes import ConversationRoutes
from h2o_magic.server.conversations import Conversations, Sessions
from h2o_magic.server.lifetime import IdleTimer
from h2o_magic.server.line import RETRY_AFTER, Line, OverloadedError
from h2o_magic.server.metrics import Metrics
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.openai_errors import OpenAIError, as_openai, is_openai
from h2o_magic.server.openai_routes import OpenAIRoutes
from h2o_magic.server.records import Records
from h2o_magic.server.replies import RouteError, error_page, method_not_allowed
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.server.service_routes import ServiceRoutes
from h2o_magic.server.streaming import ClientLeftError, Unheard

__all__ = ["build_app"]

_log = logging.getLogger(__name__)


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
    """Put the application together.

    Parameters
    ----------
    runtime
        Who this server is; holds the token that it asks for.
    models
        What answers.
    conversations
        Where it keeps what was said.
    line
        How many answers may be under way.
    idle
        Is told of every request.
    end
        Ends the server; called by ``POST /shutdown``. None if no client may do that.
    is_ending
        Whether nothing new may begin any more.
    offer
        Which models can be asked for.
    local
        Whether only this machine can reach the server.
    """
    sessions, metrics = Sessions(), Metrics()
    service = ServiceRoutes(
        runtime, models, sessions, offer, line, metrics, is_ending, end
    )
    # The first one that fits is taken, so what must be quick comes first.
    routes = [
        *OpenAIRoutes(models, offer, line).routes(),
        *ConversationRoutes(conversations, models, offer, line).routes(),
        *service.routes(),
    ]
    access = Middleware(
        Access,
        token=runtime.token,
        sessions=sessions,
        activity=idle.activity,
        local=local,
        is_ending=is_ending,
    )
    return Starlette(
        routes=routes,
        middleware=[Middleware(Records, routes=routes, metrics=metrics), access],
        exception_handlers={
            HTTPException: partial(_no_route, routes),
            RouteError: _refuse,
            OpenAIError: _refuse,
            OverloadedError: _refuse,
            # Expected ones: they are no crash, of which the log would have a traceback.
            ConfigurationError: _fail,
            GenerationError: _fail,
            ClientLeftError: lambda _request, _error: Unheard(),
            Exception: _crash,
        },
    )


def _no_route(routes: Sequence[Route], request: Request, error: Exception) -> Response:
    """Answer where there is no route, or none for the verb, as SvelteKit does."""
    path, status = request.url.path, cast(HTTPException, error).status_code
    here = [r for r in routes if r.path_regex.match(path)]
    allowed = ", ".join(sorted({m for route in here for m in route.methods or ()}))
    if is_openai(path):
        words = f"expected one of the methods {allowed}" if here else "unknown path"
        refusal = OpenAIError(f"{words}, got {request.method} {path[:200]}", status)
        refusal.headers = {"Allow": allowed} if here else None
        return refusal.response()
    if status != 405:
        return error_page("Not Found", 404)
    return method_not_allowed(request.method, allowed)


def _refuse(request: Request, error: Exception) -> Response:
    if is_openai(request.url.path):
        return as_openai(error).response()
    if isinstance(error, OverloadedError):
        overloaded = tgi.error("Model is overloaded", "overloaded")
        return JSONResponse(overloaded, tgi.STATUS["overloaded"], RETRY_AFTER)
    # Starlette's types do not say that a handler gets only what it was set for.
    return cast(RouteError, error).response(request.headers.get("accept"))


def _fail(request: Request, error: Exception) -> Response:
    if is_openai(request.url.path):
        return as_openai(error).response()
    _log.warning("a request failed", exc_info=error)
    return JSONResponse({"message": "Internal Error"}, 500)


def _crash(request: Request, error: Exception) -> Response:
    if is_openai(request.url.path):
        return as_openai(error).response()
    return JSONResponse({"message": "Internal Error"}, 500)
