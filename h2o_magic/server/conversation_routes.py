"""The gpt-gm protocol, for `create_completion` and clients of the old service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from h2o_magic.chat.messages import user
from h2o_magic.errors import ParameterError
from h2o_magic.server.answer_schema import check_schema
from h2o_magic.server.checks import read_body, read_object
from h2o_magic.server.conversations import Conversation, Conversations
from h2o_magic.server.counting import parse_dialogue
from h2o_magic.server.facts import Facts, facts_of
from h2o_magic.server.generation import Question, generate
from h2o_magic.server.line import Line
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.openai_errors import OpenAIError
from h2o_magic.server.prompts import Dialogue
from h2o_magic.server.sampling import Sampling, parse_sampling
from h2o_magic.server.streaming import EventStream, while_connected
from h2o_magic.server.tgi import TokenEvent
from h2o_magic.weights.files import Weights


@dataclass(frozen=True, slots=True)
class _Turn:
    """A question; `retried` is the id of the turn that it and its answer replace."""

    inputs: str
    id: str
    retried: str
    stream: bool
    details: bool
    strict: bool
    sampling: Sampling
    schema: Mapping[str, Any] | None


@dataclass
class ConversationRoutes:
    """The routes."""

    conversations: Conversations
    models: Models
    offer: Offer
    line: Line

    def routes(self) -> list[Route]:
        one = "/conversation/{id}"
        return [
            Route("/settings", self.settings, methods=["POST"]),
            Route("/conversation", self.create, methods=["POST"]),
            Route(one, self.generate, methods=["POST"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/stop-generating", self.stop, methods=["POST"]),
        ]

    async def settings(self, request: Request) -> Response:
        """Accept any settings: there are no terms here."""
        await read_body(request)
        return JSONResponse({"type": "redirect", "status": 303, "location": "/"})

    async def create(self, request: Request) -> Response:
        """Begin a conversation, perhaps with a history (``messages``, ours only)."""
        body = await read_object(request)
        model = body.get("model")
        if not isinstance(model, str):
            raise ParameterError('expected {"model": "<id>"} as the body')
        weights = await asyncio.to_thread(self.offer.find, model)
        if weights is None:
            raise ParameterError(
                await asyncio.to_thread(self.offer.unknown_model, model)
            )
        conversation = Conversation(model)
        reply: dict[str, Any] = {"conversationId": conversation.id}
        if "messages" in body:
            # A list of messages must end with a question, which comes later.
            items = body["messages"]
            given = items if isinstance(items, list) else []
            dialogue = parse_dialogue([*given, user("?")] if given is items else items)
            conversation.system = dialogue.system or ""
            conversation.brought = dialogue.history
            reply["messages"] = len(given)
            reply["h2o_magic"] = {**weights.source, "json_schema": True}
        self.conversations.add(conversation)
        return JSONResponse(reply)

    async def generate(self, request: Request) -> Response:
        conversation = self._find(request)
        turn = _parse_turn(await read_object(request))
        weights = await asyncio.to_thread(self.offer.find, conversation.model)
        if weights is None or not weights.path.is_file():
            raise OpenAIError("Model not available anymore", 410)
        if turn.strict and weights.is_stand_in:
            raise _weights_missing(weights.listed_as)
        facts = facts_of(request)
        facts.model = weights.model
        facts.at_end.enter_context(self.line.place(weights.path))
        events = self._answer(conversation, weights, turn, facts)
        if turn.stream:
            return EventStream(_encoded(events))
        done = await while_connected(request.receive, _whole(events))
        return Response() if done is None else JSONResponse(done)

    async def delete(self, request: Request) -> Response:
        self.conversations.delete(self._find(request))
        return Response()

    async def stop(self, request: Request) -> Response:
        self._find(request).stopping.stop()
        return Response()

    def _find(self, request: Request) -> Conversation:
        found = self.conversations.find(request.path_params["id"])
        if found is None:
            raise OpenAIError("Conversation not found", 404)
        return found

    async def _answer(
        self, conversation: Conversation, weights: Weights, turn: _Turn, facts: Facts
    ) -> AsyncGenerator[TokenEvent, None]:
        """Yield an answer's events, once the conversation's last answer has ended."""
        with conversation.stopping.stoppable():
            async with conversation.turn:
                history = conversation.history(turn.retried)
                dialogue = Dialogue(conversation.system, history, turn.inputs)
                question = Question(
                    weights, dialogue, turn.sampling, turn.details, turn.schema
                )
                answering = generate(self.models, question, facts.note_prompt)
                async with aclosing(answering) as events:
                    async for event in events:
                        facts.note(event)
                        # Not in the history: one that was stopped or failed.
                        if event.generated_text is not None:
                            conversation.store(
                                turn.id, turn.inputs, event.answer, turn.retried
                            )
                        yield event


def _parse_turn(body: Mapping[str, Any]) -> _Turn:
    inputs = body.get("inputs")
    if not isinstance(inputs, str) or not inputs.strip():
        raise ParameterError("expected `inputs` to be a text that is not blank")
    options, parameters = _object(body, "options"), _object(body, "parameters")
    turn_id = str(options.get("id", ""))
    return _Turn(
        inputs=inputs.strip(),
        id=turn_id,
        retried=turn_id if options.get("is_retry") is True else "",
        stream=body.get("stream") is True,
        details=parameters.get("details") is True,
        strict=options.get("strict") is True,
        sampling=parse_sampling(parameters),
        schema=check_schema(options.get("json_schema")),
    )


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise ParameterError(
            f"expected `{name}` to be an object, got {type(value).__name__}"
        )
    return value


async def _encoded(
    events: AsyncGenerator[TokenEvent, None],
) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            yield event.encode()


async def _whole(events: AsyncGenerator[TokenEvent, None]) -> list[dict[str, Any]]:
    async with aclosing(events):
        *_, last = [event async for event in events]
    whole = {"generated_text": last.generated_text}
    return [whole | ({"details": last.details} if last.details else {})]


def _weights_missing(name: str) -> OpenAIError:
    return OpenAIError(
        f"{name} has no weights on this machine: run `%h2o pull {name}`, or ask "
        "without --strict",
        422,
        code="weights_missing",
    )
