"""Routes of the OpenAI API: the models, and chat completions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from h2o_magic.server.checks import read_body
from h2o_magic.server.facts import Facts, facts_of
from h2o_magic.server.generation import Question, generate
from h2o_magic.server.line import Line
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.openai_answer import (
    ENDING,
    CompletionShape,
    chunks,
    whole_answer,
)
from h2o_magic.server.openai_errors import OpenAIError
from h2o_magic.server.openai_request import ChatCompletion, parse_completion
from h2o_magic.server.prompts import Prompt
from h2o_magic.server.streaming import EventStream, while_connected
from h2o_magic.server.tgi import TokenEvent
from h2o_magic.weights.files import Weights
from h2o_magic.weights.listing import list_models

CHAT = "/v1/chat/completions"
#: Seconds that finding weights may take without a thread.
_QUICK = 0.001
_SHOWN = (
    "weights",
    "demo",
    "answered_by",
    "context_length",
    "size",
    "license",
    "loaded",
    "sampling",
    "system",
)


@dataclass
class OpenAIRoutes:
    """Routes under ``/v1``."""

    models: Models
    offer: Offer
    line: Line
    _created: int = field(default_factory=lambda: int(time.time()))
    _last_look: float = field(default=_QUICK, init=False)

    def routes(self) -> list[Route]:
        return [
            Route(CHAT, self.complete, methods=["POST"]),
            Route("/v1/models", self.list_models),
            Route("/v1/models/{id:path}", self.show_model),
        ]

    async def list_models(self, _request: Request) -> Response:
        return JSONResponse({"object": "list", "data": await self._listed()})

    async def show_model(self, request: Request) -> Response:
        weights = await self._find(request.path_params["id"])
        return JSONResponse((await self._listed([weights]))[0])

    async def complete(self, request: Request) -> Response:
        asked = parse_completion(await read_body(request))
        weights = await self._find(asked.model)
        if asked.strict and weights.is_stand_in:
            name = weights.listed_as
            here, pull = "the server", f"`h2o-magic pull {name}` there"
            if self.offer.paths:  # it is the user's own
                here, pull = "this machine", f"`%h2o pull {name}`"
            raise OpenAIError(
                f"{name} is not on {here}: run {pull}, or ask without `strict`",
                param="strict",
                code="weights_missing",
            )
        facts = facts_of(request)
        facts.model = weights.model
        facts.at_end.enter_context(self.line.place(weights.path))
        events = self._events(weights, asked, facts)
        shape = CompletionShape(weights)
        if asked.stream:
            parts = chunks(events, shape, asked)
            return EventStream(parts, stopped=ENDING)
        whole = whole_answer(events, shape, asked)
        done = await while_connected(request.receive, whole)
        return ENDING.response(CHAT) if done is None else JSONResponse(done)

    async def _events(
        self, weights: Weights, asked: ChatCompletion, facts: Facts
    ) -> AsyncGenerator[TokenEvent, None]:
        dialogue = asked.dialogue
        if dialogue.system is None and weights.system:
            dialogue = replace(dialogue, system=weights.system)
        question = Question(
            weights,
            dialogue,
            asked.sampling,
            details=True,
            schema=asked.schema,
            text_only=True,
        )
        events = generate(self.models, question, _reader(asked, facts))
        with self.line.stopping.stoppable():
            async with aclosing(events):
                async for event in events:
                    facts.note(event)
                    yield event

    async def _find(self, name: str) -> Weights:
        # A thread takes longer than a look into a cached folder.
        if self._last_look < _QUICK:
            weights = self._look(name)
        else:
            weights = await asyncio.to_thread(self._look, name)
        if weights is None or not weights.path.is_file():
            raise OpenAIError(
                await asyncio.to_thread(self.offer.unknown_model, name),
                404,
                param="model",
                code="model_not_found",
            )
        return weights

    def _look(self, name: str) -> Weights | None:
        began = time.perf_counter()
        found = self.offer.find(name)
        self._last_look = time.perf_counter() - began
        return found

    async def _listed(
        self, weights: list[Weights] | None = None
    ) -> list[dict[str, Any]]:
        known = weights or await asyncio.to_thread(self.offer.listed)
        models = await asyncio.to_thread(list_models, self.models.loaded, known)
        return [
            {
                "id": model["name"],
                "object": "model",
                "created": self._created,
                "owned_by": "h2o_magic",
                **{key: model[key] for key in _SHOWN},
            }
            for model in models
        ]


def _reader(asked: ChatCompletion, facts: Facts) -> Callable[[Prompt], None]:
    def read(prompt: Prompt) -> None:
        left_out = prompt.dropped_turns or prompt.cut_tokens
        if left_out and not asked.truncated:
            raise OpenAIError(
                "the messages do not fit into the model's context beside an answer "
                f"of {asked.sampling.max_new_tokens} tokens: shorten them, ask for a "
                "smaller `max_tokens`, or drop the oldest with `truncation: auto`",
                param="messages",
                code="context_length_exceeded",
            )
        facts.note_prompt(prompt)

    return read
