"""The server as one ASGI application: routes, checks, and how errors look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from h2o_magic.server.access import Access
from h2o_magic.server.conversation_routes import ConversationRoutes
from h2o_magic.server.conversations import Conversations, Sessions
from h2o_magic.server.lifetime import IdleTimer
from h2o_magic.server.models import Models
from h2o_magic.server.replies import RouteError, error_page, method_not_allowed
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.server.service_routes import ServiceRoutes

__all__ = ["build_app"]


def build_app(
    runtime: Runtime,
    models: Models,
    conversations: Conversations,
    *,
    idle: IdleTimer,
    end: Callable[[], None],
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
    idle
        Is told of every request.
    end
        Ends the server; called by ``POST /shutdown``.
    """
    sessions = Sessions()
    routes = [
        *ServiceRoutes(runtime, models, sessions, end).routes(),
        *ConversationRoutes(conversations, models).routes(),
    ]
    access = Middleware(
        Access, token=runtime.token, sessions=sessions, activity=idle.activity
    )
    return Starlette(
        routes=routes,
        middleware=[access],
        exception_handlers={
            HTTPException: partial(_no_route, routes),
            RouteError: _refuse,
            Exception: _crash,
        },
    )


def _no_route(routes: Sequence[Route], request: Request, error: Exception) -> Response:
    """Answer where there is no route, or none for the verb, as SvelteKit does."""
    if cast(HTTPException, error).status_code != 405:
        return error_page("Not Found", 404)
    here = [r for r in routes if r.path_regex.match(request.url.path)]
    allowed = sorted({method for route in here for method in route.methods or ()})
    return method_not_allowed(request.method, ", ".join(allowed))


def _refuse(request: Request, error: Exception) -> Response:
    # Starlette's types do not say that a handler gets only what it was set for.
    return cast(RouteError, error).response(request.headers.get("accept"))


def _crash(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"message": "Internal Error"}, 500)
