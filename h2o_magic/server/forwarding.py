"""A request to a model: its turn, the engine's answer, and both as bytes.

What the engine sends is passed on as it comes. A client that goes away cancels the
handler, which closes the engine's connection, and so ends its work.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from h2o_magic.config.parameters import DEFAULT_LENGTH
from h2o_magic.server.answer_schema import check_schema, grammar_of, take_schema
from h2o_magic.server.embedding import joined, parts_of
from h2o_magic.server.engine_errors import refusal
from h2o_magic.server.engine_process import Engine, EngineDiedError
from h2o_magic.server.engine_stream import ask_for_stream, assembled, pass_on
from h2o_magic.server.errors import RequestError
from h2o_magic.server.facts import Facts, facts_of
from h2o_magic.server.forced_tools import (
    as_calls,
    as_chunks,
    demanded_tools,
    describe,
    schema_of,
)
from h2o_magic.server.models import Models
from h2o_magic.server.reply import Reply
from h2o_magic.server.rewriting import EngineRequest
from h2o_magic.weights.files import Weights
from h2o_magic.weights.gguf import read_header

#: The routes that write an answer, and all that occupy a slot.
_WRITES = frozenset(
    ["/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/responses"]
)
_EMBEDS = frozenset(["/v1/embeddings", "/v1/rerank"])
_COMPUTES = _WRITES | _EMBEDS
#: How many times all slots may be taken by one request.
_ROUNDS = 8
#: The routes that count the tokens of a request.
_COUNTS = {
    "/v1/chat/completions": "/v1/chat/completions/input_tokens",
    "/v1/responses": "/v1/responses/input_tokens",
    "/v1/messages": "/v1/messages/count_tokens",
}
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")


@dataclass
class Forwarder:
    """Passes requests on to engines."""

    models: Models

    async def forward(
        self,
        http: web.Request,
        request: EngineRequest,
        weights: Weights,
        client: str,
        reply: Reply,
    ) -> web.StreamResponse:
        """Answer `http` with what the engine of `weights` answers to `request`.

        A request that was not answered yet when an engine had to be ended for another's
        sake is asked once more.
        """
        try:
            return await self._once(http, request.copy(), weights, client, reply)
        except EngineDiedError as error:
            if not error.hung or reply.begun or _is_suspect(request):
                raise _final(error, reply) from error
        # One at a time, as it may be this one that the engine could not end.
        async with self.models.second_tries:
            try:
                return await self._once(http, request, weights, client, reply)
            except EngineDiedError as error:
                raise _final(error, reply) from error

    async def _once(
        self,
        http: web.Request,
        request: EngineRequest,
        weights: Weights,
        client: str,
        reply: Reply,
    ) -> web.StreamResponse:
        facts = facts_of(http)
        if request.path == "/v1/embeddings":
            return await self._embed(request, weights, client, reply, facts)
        async with (
            self.models.use(
                weights, embeds=request.path in _EMBEDS, tell=reply.tell
            ) as engine,
            self._place(engine, request, client, reply),
        ):
            plan = await self._prepare(engine, request, weights)
            async with engine.request("POST", request.path, request.data) as answer:
                if answer.status != 200:
                    raise refusal(await answer.read(), answer.status)
                if plan is None:
                    return await reply.whole(await answer.read())
                if plan.passes:
                    queue, progress = engine.queue, plan.progress
                    return await pass_on(answer, reply, facts, queue, progress=progress)
                whole = await assembled(answer, request, facts)
        if plan.calls:
            whole = as_calls(whole)
        if plan.streams:
            return await reply.stream(as_chunks(whole, usage=plan.usage))
        return await reply.whole(json.dumps(whole, separators=(",", ":")).encode())

    async def _embed(
        self,
        request: EngineRequest,
        weights: Weights,
        client: str,
        reply: Reply,
        facts: Facts,
    ) -> web.StreamResponse:
        answers = []
        async with self.models.use(weights, embeds=True, tell=reply.tell) as engine:
            for part in parts_of(request):
                async with self._place(engine, part, client, reply):
                    answers.append(await engine.send(part.path, part.data))
        whole = answers[0] if len(answers) == 1 else joined(answers)
        facts.note_first()
        facts.read = whole.get("usage", {}).get("prompt_tokens", 0)
        return await reply.whole(json.dumps(whole).encode())

    @asynccontextmanager
    async def _place(
        self, engine: Engine, request: EngineRequest, client: str, reply: Reply
    ) -> AsyncIterator[None]:
        """Hold a slot where the request needs one, and count it."""
        if request.path not in _COMPUTES:
            async with engine.errands.place(client):
                yield
            return
        slots = _slots_needed(request, engine.queue.slots)
        tokens = slots * await _tokens_needed(engine, request)
        if engine.queue.is_full:
            reply.tell("Waiting for a free slot")
        async with engine.queue.place(client, slots=slots, tokens=tokens):
            reply.tell("")
            yield

    async def _prepare(
        self, engine: Engine, request: EngineRequest, weights: Weights
    ) -> _Plan | None:
        """Make a request the engine's; return how its answer is sent, None as it is."""
        if request.path not in _WRITES:
            return None
        tools = [] if engine.state.supports_tools else demanded_tools(request)
        plan = _plan(request, calls=bool(tools))
        if tools:
            schema = check_schema(schema_of(tools))
            describe(request, tools)
        else:
            schema = take_schema(request)
        if schema is not None:
            header = read_header(weights.path)
            request.add("grammar", await grammar_of(engine, header, schema))
        if not plan.passes:
            ask_for_stream(request)
        if not plan.progress:
            request.add("return_progress", True)
        return plan


def _is_suspect(request: EngineRequest) -> bool:
    """Whether a request has a grammar of its own, the likeliest to keep an engine."""
    return "grammar" in request.body


def _final(error: EngineDiedError, reply: Reply) -> Exception:
    """Return the error of an answer that is not asked for again."""
    if not error.hung or reply.begun:
        return error
    return RequestError(
        "the engine did not get done with this request within 10 s of processor time: "
        "make it smaller, or its grammar simpler",
        code="request_too_costly",
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """How an answer is sent: as a stream, with its usage and progress, as a call."""

    streams: bool
    usage: bool
    progress: bool
    calls: bool

    @property
    def passes(self) -> bool:
        """Whether the engine's stream is the client's."""
        return self.streams and not self.calls


def _plan(request: EngineRequest, *, calls: bool) -> _Plan:
    options = request.body.get("stream_options")
    usage = isinstance(options, dict) and options.get("include_usage") is True
    progress = request.body.get("return_progress") is True
    return _Plan(request.streams, usage, progress and request.streams, calls)


def _slots_needed(request: EngineRequest, most: int) -> int:
    """Return how many answers are asked for at once."""
    n, prompt = request.body.get("n"), request.body.get("prompt")
    slots = n if isinstance(n, int) and n > 0 else 1
    if isinstance(prompt, list) and any(not isinstance(item, int) for item in prompt):
        slots *= len(prompt)
        if slots > most * _ROUNDS:
            raise RequestError(
                f"expected at most {most * _ROUNDS} answers of a request, got {slots}",
                param="prompt",
            )
    return slots


async def _tokens_needed(engine: Engine, request: EngineRequest) -> int:
    """Return the most tokens that input and answer take; 0 where all fit at once."""
    if not engine.shares_context or request.path not in _WRITES:
        return 0
    context = engine.state.context
    limits = [request.body.get(name) for name in _LIMITS]
    given = [n for n in limits if isinstance(n, int) and n > 0]
    length = max(given, default=DEFAULT_LENGTH)
    count = _COUNTS.get(request.path)
    if count is None:  # a token has at least one byte
        return min(context, len(json.dumps(request.body.get("prompt"))) + length)
    counted = await engine.call("POST", count, request.body)
    return min(context, int(counted["input_tokens"]) + length)
