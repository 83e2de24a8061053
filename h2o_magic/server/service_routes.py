"""Routes about the server itself: front page, terms, models, health, shutdown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from h2o_magic.errors import ConfigurationError, GenerationError, MessagesError
from h2o_magic.server import tgi
from h2o_magic.server.bodies import read_body, read_json
from h2o_magic.server.checks import has_token
from h2o_magic.server.conversations import Sessions
from h2o_magic.server.counting import count_tokens, parse_dialogue
from h2o_magic.server.listing import list_models
from h2o_magic.server.models import Models
from h2o_magic.server.replies import front_page, preferred
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.server.settings_form import parse_form
from h2o_magic.server.weights import find_weights, why_unknown

__all__ = ["ServiceRoutes"]


@dataclass
class ServiceRoutes:
    """Routes that concern no conversation.

    Attributes
    ----------
    runtime : Runtime
        Who this server is.
    models : Models
        What can answer.
    sessions : Sessions
        Who accepted the terms.
    end : callable
        Ends the server.
    """

    runtime: Runtime
    models: Models
    sessions: Sessions
    end: Callable[[], None]
    _started: float = field(default_factory=time.monotonic)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self.root),
            Route("/settings", self.settings, methods=["POST"]),
            Route("/api/models", self.list_models),
            Route("/api/tokenize", self.tokenize, methods=["POST"]),
            Route("/api/unload", self.unload, methods=["POST"]),
            Route("/health", self.health),
            Route("/shutdown", self.shutdown, methods=["POST"]),
        ]

    async def root(self, request: Request) -> Response:
        """Say what this is; ``?model=`` of the old page only redirects."""
        if "model" in request.query_params:
            return RedirectResponse("/", 302)
        return front_page(self.runtime.version)

    async def settings(self, request: Request) -> Response:
        """Accept the terms for this session (chat-ui ``settings/+page.server.ts``).

        Any text in ``ethicsModalAccepted`` means yes. ``activeModel`` must be known;
        what else the form holds is of no use here.
        """
        body = await read_body(request)
        try:
            form = parse_form(body, request.headers.get("content-type", ""))
        except ValueError as error:
            return _refused(str(error))
        reason = await asyncio.to_thread(_why_refused, form.get("activeModel"))
        if reason:
            return _refused(reason)
        if form.get("ethicsModalAccepted"):
            self.sessions.accept(request.state.session)
        # A form without a Referer does not come this far.
        location = request.headers["referer"]
        accept = request.headers.get("accept", "*/*")
        if preferred(accept) == "html":
            return RedirectResponse(location, 303)
        return JSONResponse({"type": "redirect", "status": 303, "location": location})

    async def list_models(self, _request: Request) -> Response:
        """List what can answer."""
        listed = await asyncio.to_thread(list_models, self.models.loaded)
        return JSONResponse(listed)

    async def tokenize(self, request: Request) -> Response:
        """Count the tokens that a model would read of ``messages``."""
        body = await read_json(request)
        asked = body if isinstance(body, dict) else {}
        name = asked.get("model")
        if not isinstance(name, str):
            return _unusable(
                'expected {"model": "<id>", "messages": [...]} as the body'
            )
        try:
            dialogue = parse_dialogue(asked.get("messages"))
        except MessagesError as error:
            return _unusable(str(error))
        weights = await asyncio.to_thread(find_weights, name)
        if weights is None:
            return _unusable(await asyncio.to_thread(why_unknown, name))
        try:
            tokens = await count_tokens(self.models, weights, dialogue)
        except (ConfigurationError, GenerationError) as error:
            return JSONResponse(tgi.error(str(error), "generation"), 424)
        return JSONResponse({"tokens": tokens})

    async def unload(self, request: Request) -> Response:
        """Let go of the models in ``paths``; say which of them are in use, and stay."""
        body = await read_json(request)
        paths = body.get("paths") if isinstance(body, dict) else None
        if not isinstance(paths, list) or not all(isinstance(p, str) for p in paths):
            return _unusable('expected {"paths": ["<file>", ...]} as the body')
        stay = [path for path in paths if not await self.models.unload(Path(path))]
        return JSONResponse({"in_use": stay})

    async def health(self, request: Request) -> Response:
        """Say that the server is well; to those who have the token, how it is."""
        health: dict[str, object] = {"status": "ok"}
        if has_token(request.headers, self.runtime.token):
            who = asdict(self.runtime)
            health |= {key: who[key] for key in ("version", "pid", "instance", "log")}
            health |= {
                "uptime": time.monotonic() - self._started,
                "busy_slots": self.models.busy_slots,
                "slots": self.models.slots,
                "loaded": self.models.loaded,
                "memory": self.models.memory,
                "memory_taken": self.models.memory_taken,
            }
        return JSONResponse(health)

    async def shutdown(self, _request: Request) -> Response:
        """End the server; running answers are stopped."""
        self.end()
        return Response()


def _why_refused(model: str | None) -> str:
    known = model is None or find_weights(model) is not None
    return "" if known else why_unknown(model or "")


def _unusable(reason: str) -> Response:
    return JSONResponse(tgi.error(reason, "validation"), 422)


def _refused(reason: str) -> Response:
    error = {"type": "error", "error": {"message": "Internal Error"}, "reason": reason}
    return JSONResponse(error, 500)
