"""Generates one answer: prompt, engine, events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from h2o_magic.chat.context import input_room
from h2o_magic.server.answer_schema import is_json, use_schema
from h2o_magic.server.engine import Engine
from h2o_magic.server.engine_stream import Chunk
from h2o_magic.server.models import Models
from h2o_magic.server.prompts import RAW_MARKERS, Dialogue, Prompt, build_prompt
from h2o_magic.server.sampling import Sampling, engine_options
from h2o_magic.server.tgi import TokenEvent, notice
from h2o_magic.server.transcript import Transcript
from h2o_magic.weights.files import Weights

#: Seconds of waiting without a notice, so that nothing flickers.
QUIET = 0.3


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that an answer depends on."""

    weights: Weights
    dialogue: Dialogue
    sampling: Sampling
    details: bool  # the last event describes how the answer was made
    schema: Mapping[str, Any] | None = None
    text_only: bool = False  # without ids and log probabilities of tokens


class Waiting:
    """Passes notices from some work to whoever waits for it."""

    def __init__(self) -> None:
        self._words = ""
        self._said = ""
        self._news = asyncio.Event()

    @property
    def spoke(self) -> bool:
        return self._said != ""

    def say(self, words: str) -> None:
        """Say what is being done now; an empty text withdraws it."""
        self._words = words
        self._news.set()

    async def during(self, work: asyncio.Future[Any]) -> AsyncGenerator[str, None]:
        """Yield the latest notices until `work` is done; leaving early cancels it."""
        try:
            await asyncio.wait({work}, timeout=QUIET)
            while not work.done():
                self._news.clear()
                if self._words != self._said:
                    self._said = self._words
                    yield self._said
                else:
                    await self._news_or_end(work)
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work})

    async def _news_or_end(self, work: asyncio.Future[Any]) -> None:
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait({work, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()


async def generate(
    models: Models,
    question: Question,
    read: Callable[[Prompt], None] = lambda _: None,
) -> AsyncGenerator[TokenEvent, None]:
    """Yield notices, then the token events; the last has its `generated_text`.

    Closing the iterator, or cancelling its task, stops the engine. `read` is called in
    some thread with the prompt before the engine reads it, and may raise to refuse it.
    """
    waiting = Waiting()
    async with AsyncExitStack() as kept:
        use = models.use(question.weights, tell=waiting.say)
        loading: Awaitable[Engine] = kept.enter_async_context(use)
        if not models.at_hand(question.weights):
            loading = asyncio.ensure_future(loading)
            async with aclosing(waiting.during(loading)) as said:
                async for words in said:
                    yield notice(words)
        async with aclosing(_answer(await loading, question, waiting, read)) as events:
            async for event in events:
                yield event


@dataclass(frozen=True, slots=True)
class _Input:
    prompt: Prompt
    length: int


async def _answer(
    engine: Engine,
    question: Question,
    waiting: Waiting,
    read: Callable[[Prompt], None],
) -> AsyncGenerator[TokenEvent, None]:
    schema = question.schema
    grammar = {} if schema is None else await use_schema(engine, schema)

    @cache
    def made() -> _Input:
        return _input(engine, question, read)

    def request() -> dict[str, Any]:
        return {**_request(engine, question, made()), **grammar}

    tokens = engine.room.context
    if engine.room.shared or not engine.at_hand(tokens):
        whole = await asyncio.to_thread(made)
        tokens = len(whole.prompt.tokens) + whole.length
    # Without a template, a marker of a turn may be a token without text.
    text_only = question.text_only and engine.header.chat_template is not None
    chunks = engine.generate(request, tokens, text_only=text_only, tell=waiting.say)
    async with aclosing(chunks):
        first: Awaitable[Chunk] = anext(chunks)
        # Watching takes longer than a small model takes for a token.
        if waiting.spoke or not engine.at_hand(tokens):
            first = asyncio.ensure_future(first)
            async with aclosing(waiting.during(first)) as said:
                async for words in said:
                    yield notice(words)
        chunk = await first
        prompt = made().prompt
        transcript = _transcript(engine, question, made().length)
        while True:
            events = transcript.add(chunk)
            if transcript.reason is not None:
                events[-1] = _last(events[-1], transcript, question, prompt)
            for event in events:
                yield event
            if transcript.reason is not None:
                return
            chunk = await anext(chunks)


def _input(
    engine: Engine, question: Question, read: Callable[[Prompt], None]
) -> _Input:
    sampling, context = question.sampling, engine.room.context
    room = input_room(context, sampling.max_new_tokens, sampling.truncate)
    prompt = build_prompt(engine, question.dialogue, room)
    read(prompt)
    most = sampling.max_new_tokens
    return _Input(prompt, min(most, context - len(prompt.tokens)))


def _transcript(engine: Engine, question: Question, length: int) -> Transcript:
    # An answer with a schema ends where that does: a marker in it is text.
    raw = engine.header.chat_template is None and question.schema is None
    markers = (*RAW_MARKERS, engine.header.end_text) if raw else ()
    return Transcript(
        engine.header,
        length,
        stop=question.sampling.stop,
        turn_markers=[marker for marker in markers if marker],
    )


def _request(engine: Engine, question: Question, whole: _Input) -> dict[str, Any]:
    sampling = question.sampling
    # What the model's file recommends the engine applies by itself.
    recommended = {
        name: value
        for name, value in question.weights.recommended.items()
        if name not in engine.header.sampling
        and not (sampling.sampled and name == "temperature" and value == 0)
    }
    # Reading only the new part of a prompt rounds differently from reading all of it,
    # so an answer that is to be repeated does without the prompt cache.
    cached = not sampling.repeatable
    options = {**engine_options(recommended), **sampling.engine_options}
    # -1 means all of it, which the engine understands neither from us nor from a file.
    own_last_n = engine.header.sampling.get("penalty_last_n")
    if options.get("repeat_last_n", own_last_n) == -1:
        options["repeat_last_n"] = engine.room.context
    return {
        **options,
        "prompt": whole.prompt.tokens,
        "max_tokens": whole.length,
        "cache_prompt": cached,
    }


def _last(
    event: TokenEvent, transcript: Transcript, question: Question, prompt: Prompt
) -> TokenEvent:
    whole = question.sampling.return_full_text
    text = prompt.text + transcript.text if whole else transcript.text
    details = _details(transcript, question, prompt) if question.details else None
    return replace(
        event, generated_text=text, details=details, answer=transcript.answer
    )


def _details(
    transcript: Transcript, question: Question, prompt: Prompt
) -> dict[str, Any]:
    return {
        "finish_reason": transcript.reason,
        "generated_tokens": transcript.count,
        "seed": question.sampling.seed,
        "input_length": len(prompt.tokens),
        "h2o_magic": {
            **question.weights.source,
            "dropped_turns": prompt.dropped_turns,
            "cut_tokens": prompt.cut_tokens,
            "writing_seconds": round(transcript.seconds, 6),
            **_about_schema(transcript, question),
        },
    }


def _about_schema(transcript: Transcript, question: Question) -> dict[str, bool]:
    """Say whether the schema was enforced: the engine drops one that is too costly."""
    if question.schema is None:
        return {}
    whole = transcript.reason == "eos_token"
    return {"json_schema": not whole or is_json(transcript.text)}
