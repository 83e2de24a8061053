"""Routes about the server itself: front page, terms, models, health, metrics, end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
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
from h2o_magic.server.line import Line
from h2o_magic.server.listing import list_models
from h2o_magic.server.metrics import MEDIA_TYPE, Metrics
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.replies import early_error, front_page, preferred
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.server.settings_form import parse_form

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
    offer : Offer
        Which models can be asked for.
    line : Line
        Who is being answered, and who waits.
    metrics : Metrics
        What was counted.
    is_ending : callable
        Whether nothing new may begin any more.
    end : callable or None
        Ends the server; None if no client may do that.
    """

    runtime: Runtime
    models: Models
    sessions: Sessions
    offer: Offer
    line: Line
    metrics: Metrics
    is_ending: Callable[[], bool]
    end: Callable[[], None] | None

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self.root),
            Route("/settings", self.settings, methods=["POST"]),
            Route("/api/models", self.list_models),
            Route("/api/tokenize", self.tokenize, methods=["POST"]),
            Route("/api/unload", self.unload, methods=["POST"]),
            Route("/health", self.health),
            Route("/metrics", self.show_metrics),
            Route("/shutdown", self.shutdown, methods=["POST"]),
        ]

    async def root(self, request: Request) -> Response:
        """Say what this is; ``?model=`` of the old page only redirects."""
        if "model" in request.query_params:
            return RedirectResponse("/", 302)
        return front_page(self.runtime.version, shared=self.end is None)

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
        reason = await asyncio.to_thread(self._why_refused, form.get("activeModel"))
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
        known = await asyncio.to_thread(self.offer.listed)
        listed = await asyncio.to_thread(list_models, self.models.loaded, known)
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
        weights = await asyncio.to_thread(self.offer.find, name)
        if weights is None:
            return _unusable(await asyncio.to_thread(self.offer.why_unknown, name))
        try:
            tokens = await count_tokens(self.models, weights, dialogue)
        except (ConfigurationError, GenerationError) as error:
            return JSONResponse(tgi.error(str(error), "generation"), 424)
        return JSONResponse({"tokens": tokens})

    async def unload(self, request: Request) -> Response:
        """Let go of the models in ``paths``; say which of them are in use, and stay."""
        if self.end is None:
            message = "This server is shared: its models are no matter of one client's"
            return early_error(message, 403, request.headers)
        body = await read_json(request)
        paths = body.get("paths") if isinstance(body, dict) else None
        if not isinstance(paths, list) or not all(isinstance(p, str) for p in paths):
            return _unusable('expected {"paths": ["<file>", ...]} as the body')
        stay = [path for path in paths if not await self.models.unload(Path(path))]
        return JSONResponse({"in_use": stay})

    async def health(self, request: Request) -> Response:
        """Say that the server is well; to those who have the token, how it is."""
        ending = self.is_ending()
        health: dict[str, object] = {"status": "ending" if ending else "ok"}
        if has_token(request.headers, self.runtime.token):
            who = asdict(self.runtime)
            # Where the server's process and log are is no matter of other people's.
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
        # A balancer that sees 503 sends its requests elsewhere.
        return JSONResponse(health, 503 if ending else 200)

    async def show_metrics(self, _request: Request) -> Response:
        """Say what was counted, in Prometheus' text format."""
        text = self.metrics.render(
            running=self.models.busy_slots,
            under_way=self.line.under_way,
            loaded=self.models.loaded,
        )
        return Response(text, media_type=MEDIA_TYPE)

    async def shutdown(self, request: Request) -> Response:
        """End the server; running answers are stopped."""
        if self.end is None:
            message = "This server is shared: only a signal on its machine ends it"
            return early_error(message, 403, request.headers)
        self.end()
        return Response()

    def _why_refused(self, model: str | None) -> str:
        known = model is None or self.offer.find(model) is not None
        return "" if known else self.offer.why_unknown(model or "")


def _unusable(reason: str) -> Response:
    return JSONResponse(tgi.error(reason, "validation"), 422)


def _refused(reason: str) -> Response:
    error = {"type": "error", "error": {"message": "Internal Error"}, "reason": reason}
    return JSONResponse(error, 500)
