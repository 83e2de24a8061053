"""Routes of the gpt-gm protocol about conversations (chat-ui of June 2023)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from h2o_magic.errors import MessagesError
from h2o_magic.server import tgi
from h2o_magic.server.bodies import read_json
from h2o_magic.server.chat import answer, answer_at_once
from h2o_magic.server.conversations import Conversation, Conversations
from h2o_magic.server.facts import Facts, facts_of
from h2o_magic.server.history import parse_history
from h2o_magic.server.line import Line
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.replies import RouteError, error_page, preferred
from h2o_magic.server.sampling import ValidationError, WrongTypeError, parse_sampling
from h2o_magic.server.streaming import EventStream, while_connected
from h2o_magic.server.turn_request import SchemaError, TurnRequest, parse_turn
from h2o_magic.server.weights import Weights

__all__ = ["ConversationRoutes"]

_LONGEST_TITLE = 100


@dataclass
class ConversationRoutes:
    """Routes under ``/conversation``.

    Attributes
    ----------
    conversations : Conversations
        What was said.
    models : Models
        What answers.
    offer : Offer
        Which models can be asked for.
    line : Line
        Who may come.
    """

    conversations: Conversations
    models: Models
    offer: Offer
    line: Line

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = "/conversation/{id}"
        return [
            Route("/conversation", self.go_home),
            Route("/conversation", self.create, methods=["POST"]),
            Route(one, self.generate, methods=["POST"]),
            Route(one, self.rename, methods=["PATCH"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/stop-generating", self.stop, methods=["POST"]),
        ]

    async def go_home(self, _request: Request) -> Response:
        """Redirect to the front page, as the old service does."""
        return RedirectResponse("/", 302)

    async def create(self, request: Request) -> Response:
        """Begin a conversation.

        Ours may bring its history along (``messages``, perhaps an empty list); then the
        reply says how much of it was taken, and what will answer.
        """
        body = await read_json(request)
        model = body.get("model") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(model, str):
            raise _schema_error('expected {"model": "<id>"} as the body')
        if body.get("fromShare"):
            raise RouteError("Conversation not found", 404)
        weights = await asyncio.to_thread(self.offer.find, model)
        if weights is None:
            raise _schema_error(await asyncio.to_thread(self.offer.why_unknown, model))
        try:
            history = parse_history(body["messages"]) if "messages" in body else None
        except MessagesError as error:
            return JSONResponse(tgi.error(str(error), "validation"), 422)
        conversation = self.conversations.create(request.state.session, model)
        reply: dict[str, Any] = {"conversationId": conversation.id}
        if history is not None:
            conversation.system = history.system
            conversation.fill(history.messages)
            reply["messages"] = len(body["messages"])
            # Also that answers can be held to a JSON schema here.
            reply["h2o_magic"] = {**weights.source, "json_schema": True}
        return JSONResponse(reply)

    async def generate(self, request: Request) -> Response:
        """Answer a question: a stream of events, or one JSON list."""
        accept = request.headers.get("accept")
        if accept and preferred(accept) == "html":
            return _no_page_action()
        conversation = self._find(request)
        try:
            turn = parse_turn(await read_json(request))
        except SchemaError as error:
            raise _schema_error(str(error)) from error
        except (WrongTypeError, ValidationError) as error:
            return _unusable(error)
        weights = await asyncio.to_thread(self.offer.find, conversation.model)
        if weights is None or not weights.path.is_file():
            raise RouteError("Model not available anymore", 410)
        if turn.strict and not weights.own:
            return JSONResponse(_weights_missing(weights), 422)
        facts = facts_of(request)
        facts.model = weights.model
        facts.at_end.enter_context(self.line.place(weights.path))
        try:
            events = self._events(conversation, weights, turn, facts)
        except WrongTypeError as error:
            return PlainTextResponse(str(error), 422)
        if turn.stream:
            return EventStream(_encoded(events))
        done = await while_connected(request.receive, answer_at_once(events))
        # Stopped, or the client has gone: there is nothing to say, or nobody to hear.
        return Response() if done is None else JSONResponse(*done)

    async def rename(self, request: Request) -> Response:
        """Take a title of 1 to 100 characters; nothing here ever shows it."""
        self._find(request)
        body = await read_json(request)
        title = body.get("title") if isinstance(body, dict) else None
        if not isinstance(title, str) or not 0 < len(title.strip()) <= _LONGEST_TITLE:
            raise _schema_error(f"expected a title of 1 to {_LONGEST_TITLE} characters")
        return Response()

    async def delete(self, request: Request) -> Response:
        """Forget a conversation; its running answer is stopped."""
        self.conversations.delete(self._find(request))
        return Response()

    async def stop(self, request: Request) -> Response:
        """Stop the conversation's running answer, as often as it is asked to."""
        self._find(request).stopping.stop()
        return Response()

    def _find(self, request: Request) -> Conversation:
        conversation_id = request.path_params["id"]
        # MongoDB's ObjectId takes 24 hexadecimal digits or any 12 bytes.
        digits = re.fullmatch(r"[0-9a-fA-F]{24}", conversation_id)
        if not digits and len(conversation_id.encode()) != 12:
            raise _schema_error("expected a conversation's id in the path")
        found = self.conversations.find(request.state.session, conversation_id)
        if found is None:
            raise RouteError("Conversation not found", 404)
        return found

    def _events(
        self,
        conversation: Conversation,
        weights: Weights,
        turn: TurnRequest,
        facts: Facts,
    ) -> AsyncGenerator[dict[str, Any], None]:
        try:
            sampling = parse_sampling(turn.parameters, stream=turn.stream)
        except ValidationError as error:
            return _only(tgi.error(str(error), "validation"))
        return answer(self.models, conversation, weights, turn, sampling, facts=facts)


async def _only(event: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    yield event


async def _encoded(
    events: AsyncGenerator[dict[str, Any], None],
) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            yield tgi.encode(event)


def _schema_error(reason: str) -> RouteError:
    return RouteError("Internal Error", 500, reason=reason)


def _unusable(error: WrongTypeError | ValidationError) -> Response:
    if isinstance(error, WrongTypeError):
        return PlainTextResponse(str(error), 422)
    return JSONResponse(tgi.error(str(error), "validation"), 422)


def _weights_missing(weights: Weights) -> dict[str, str]:
    name = weights.listed_as
    return tgi.error(
        f"{name} has no weights on this machine: run `%h2o pull {name}`, or ask "
        "without --strict",
        "weights_missing",
    )


def _no_page_action() -> Response:
    response = error_page("POST method not allowed", 405)
    response.headers["allow"] = "GET"
    return response
