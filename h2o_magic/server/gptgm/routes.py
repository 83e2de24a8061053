"""The routes of the gpt-gm protocol."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from h2o_magic.chat.messages import user
from h2o_magic.errors import ParameterError
from h2o_magic.server.answer_schema import check_schema
from h2o_magic.server.bodies import read_body, read_object
from h2o_magic.server.clients import client_of
from h2o_magic.server.errors import RequestError, as_request_error
from h2o_magic.server.facts import Facts, facts_of
from h2o_magic.server.gptgm.answer import Client, Question, answer
from h2o_magic.server.gptgm.conversations import Conversation, Conversations
from h2o_magic.server.gptgm.events import TokenEvent
from h2o_magic.server.gptgm.prompt import Dialogue, parse_dialogue
from h2o_magic.server.gptgm.sampling import Sampling, parse_sampling
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.reply import Reply
from h2o_magic.server.stopping import StoppedError, Stopping
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
    stopping: Stopping

    def routes(self) -> list[web.RouteDef]:
        one = "/conversation/{id}"
        return [
            web.post("/settings", self.settings),
            web.post("/conversation", self.create),
            web.post(one, self.generate),
            web.delete(one, self.delete),
            web.post(f"{one}/stop-generating", self.stop),
        ]

    async def settings(self, request: web.Request) -> web.Response:
        """Accept any settings: there are no terms here."""
        await read_body(request)
        return web.json_response({"type": "redirect", "status": 303, "location": "/"})

    async def create(self, request: web.Request) -> web.Response:
        """Begin a conversation, perhaps with a history (``messages``, ours only)."""
        body = await read_object(request)
        weights = await self._weights(body.get("model"))
        conversation = Conversation(body["model"])
        reply: dict[str, Any] = {"conversationId": conversation.id}
        if "messages" in body:
            # A list of messages must end with a question, which comes later.
            items = body["messages"]
            given = items if isinstance(items, list) else []
            dialogue = parse_dialogue([*given, user("?")] if given is items else items)
            conversation.system = dialogue.system
            conversation.brought = dialogue.history
            reply["messages"] = len(given)
            reply["h2o_magic"] = {**weights.source, "json_schema": True}
        self.conversations.add(conversation)
        return web.json_response(reply)

    async def generate(self, request: web.Request) -> web.StreamResponse:
        conversation = self._find(request)
        turn = _parse_turn(await read_object(request))
        weights = await asyncio.to_thread(self.offer.find, conversation.model)
        if weights is None or not os.path.isfile(weights.path):
            raise RequestError("Model not available anymore", 410)
        if turn.strict and weights.is_stand_in:
            raise _weights_missing(weights.listed_as)
        facts = facts_of(request)
        facts.model = weights.model
        reply = Reply(request, streams=turn.stream, notices=True)
        client = Client(client_of(request), reply.tell)
        events = self._answer(conversation, weights, turn, client)
        writing = conversation.stopping.run(_send(reply, turn, events, facts))
        try:
            return await self.stopping.run(_until_stopped(reply, turn, writing))
        except Exception as error:
            return await reply.fail(as_request_error(error))
        finally:
            self.conversations.note_change(conversation)
            await reply.close()

    async def delete(self, request: web.Request) -> web.Response:
        self.conversations.delete(self._find(request))
        return web.Response()

    async def stop(self, request: web.Request) -> web.Response:
        self._find(request).stopping.stop()
        return web.Response()

    async def _weights(self, name: object) -> Weights:
        if not isinstance(name, str):
            raise ParameterError('expected {"model": "<id>"} as the body')
        weights = await asyncio.to_thread(self.offer.find, name)
        if weights is None:
            unknown = await asyncio.to_thread(self.offer.unknown_model, name)
            raise ParameterError(unknown)
        return weights

    def _find(self, request: web.Request) -> Conversation:
        found = self.conversations.find(request.match_info["id"])
        if found is None:
            raise RequestError("Conversation not found", 404)
        return found

    async def _answer(
        self, conversation: Conversation, weights: Weights, turn: _Turn, client: Client
    ) -> AsyncGenerator[TokenEvent, None]:
        """Yield an answer's events, once the conversation's last answer has ended."""
        async with conversation.turn:
            history = conversation.history(turn.retried)
            dialogue = Dialogue(conversation.system, history, turn.inputs)
            question = Question(
                weights, dialogue, turn.sampling, turn.details, turn.schema
            )
            async with (
                self.models.use(weights, tell=client.tell) as engine,
                aclosing(answer(engine, client, question)) as events,
            ):
                async for event in events:
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


async def _until_stopped(
    reply: Reply, turn: _Turn, writing: Coroutine[Any, Any, web.StreamResponse]
) -> web.StreamResponse:
    """Stopping is no error of whoever did it: what came is the answer."""
    try:
        return await writing
    except StoppedError:
        return await reply.end() if turn.stream else web.Response()


async def _send(
    reply: Reply, turn: _Turn, events: AsyncGenerator[TokenEvent, None], facts: Facts
) -> web.StreamResponse:
    last = None
    async with aclosing(events):
        async for last in events:
            facts.note_first()
            facts.written += 1
            if turn.stream:
                await reply.write(last.encode())
    if last is None or last.generated_text is None:
        raise RequestError("the engine ended the answer without giving a reason", 500)
    facts.read, facts.written = last.counts
    if turn.stream:
        return await reply.end()
    whole: dict[str, Any] = {"generated_text": last.generated_text}
    if last.details:
        whole["details"] = last.details
    return web.json_response([whole])


def _weights_missing(name: str) -> RequestError:
    return RequestError(
        f"{name} has no weights on this machine: run `%h2o pull {name}`, or ask "
        "without --strict",
        422,
        code="weights_missing",
    )
