"""One answer in the old engine's events, from those of llama.cpp's ``/completion``."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

from h2o_magic.chat.context import input_room
from h2o_magic.server.answer_schema import grammar_of
from h2o_magic.server.engine_errors import refusal
from h2o_magic.server.engine_process import Engine
from h2o_magic.server.engine_stream import tell_progress
from h2o_magic.server.gptgm.events import TokenEvent
from h2o_magic.server.gptgm.prompt import Dialogue, Prompt, PromptBuilder
from h2o_magic.server.gptgm.sampling import Sampling
from h2o_magic.server.loading import default_stops
from h2o_magic.server.reply import Tell
from h2o_magic.weights.files import Weights
from h2o_magic.weights.gguf import Header, read_header

_FINISHES = {"eos": "eos_token", "limit": "length", "word": "stop_sequence"}


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that an answer depends on."""

    weights: Weights
    dialogue: Dialogue
    sampling: Sampling
    details: bool  # the last event describes how the answer was made
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """Whose turn it is, and how that is told what is waited for."""

    name: str
    tell: Tell


async def answer(
    engine: Engine, client: Client, question: Question
) -> AsyncGenerator[TokenEvent, None]:
    """Yield the token events; the last has its `generated_text`."""
    header, sampling = read_header(question.weights.path), question.sampling
    context = engine.state.context
    room = input_room(context, sampling.max_new_tokens, sampling.truncate)
    prompt = await PromptBuilder(engine, header).build(question.dialogue, room)
    length = min(sampling.max_new_tokens, context - len(prompt.tokens))
    needed = len(prompt.tokens) + length if engine.shares_context else 0
    stops = default_stops(header)
    options = dict(sampling.engine_options)
    if options["repeat_last_n"] == -1:
        options["repeat_last_n"] = context
    request = {
        **options,
        "prompt": prompt.tokens,
        "n_predict": length,
        "stop": [*sampling.stop, *stops],
        "n_probs": 1,
        "return_tokens": True,
        "stream": True,
        "return_progress": True,  # so that it can be stopped while it reads
    }
    writer = _Writer(header, question, prompt, stops)
    async with AsyncExitStack() as held:
        if engine.queue.is_full:
            client.tell("Waiting for a free slot")
        place = engine.queue.place(client.name, tokens=needed)
        await held.enter_async_context(place)
        client.tell("")
        if question.schema is not None:
            grammar = await grammar_of(engine, header, question.schema)
            request["grammar"] = grammar
        async for chunk in _chunks(engine, request, client.tell):
            for event in writer.take(chunk):
                yield event


async def _chunks(
    engine: Engine, request: Mapping[str, Any], tell: Tell
) -> AsyncGenerator[dict[str, Any], None]:
    data = json.dumps(request).encode()
    async with engine.request("POST", "/completion", data) as answer:
        if answer.status != 200:
            raise refusal(await answer.read(), answer.status)
        async for line in answer.content:
            if line.startswith(b"data: "):
                chunk = json.loads(line[6:])
                if "content" not in chunk:
                    raise refusal(json.dumps(chunk).encode(), 500)
                if "prompt_progress" in chunk:
                    tell_progress(chunk, tell)
                else:
                    yield chunk


class _Writer:
    """Makes events of chunks; holds one back, since the last has the whole text."""

    def __init__(
        self,
        header: Header,
        question: Question,
        prompt: Prompt,
        stops: tuple[str, ...],
    ) -> None:
        self._header = header
        self._question = question
        self._prompt = prompt
        self._stops = stops
        self._text = ""
        self._held: TokenEvent | None = None

    def take(self, chunk: Mapping[str, Any]) -> list[TokenEvent]:
        self._text += chunk["content"]
        due = [] if self._held is None else [self._held]
        event = self._event(chunk)
        if not chunk.get("stop"):
            self._held = event
            return due
        finish, word = _FINISHES[chunk["stop_type"]], chunk["stopping_word"]
        if word in self._stops:
            finish = "eos_token"
        elif finish == "stop_sequence":  # it stays, as in the old engine
            self._text += word
            event = replace(event, text=event.text + word)
        if finish == "eos_token":
            event = replace(event, text=self._header.end_text, special=True)
            event = replace(event, token_id=self._header.end_id)
        elif not event.text and due:
            event = due.pop()
        return [*due, self._last(event, chunk, finish, word)]

    def _event(self, chunk: Mapping[str, Any]) -> TokenEvent:
        found = chunk.get("completion_probabilities") or [{}]
        token = found[-1]
        return TokenEvent(
            token.get("id", -1), chunk["content"], token.get("logprob"), special=False
        )

    def _last(
        self, event: TokenEvent, chunk: Mapping[str, Any], finish: str, word: str
    ) -> TokenEvent:
        question, prompt = self._question, self._prompt
        details = {
            "finish_reason": finish,
            "generated_tokens": chunk["tokens_predicted"],
            "seed": question.sampling.seed,
            "input_length": len(prompt.tokens),
            "h2o_magic": {
                **question.weights.source,
                "dropped_turns": prompt.dropped_turns,
                "cut_tokens": prompt.cut_tokens,
                "writing_seconds": chunk["timings"]["predicted_ms"] / 1000,
                **({"json_schema": True} if question.schema is not None else {}),
            },
        }
        own = self._text.removesuffix(word) if finish == "stop_sequence" else self._text
        whole = question.sampling.return_full_text
        return replace(
            event,
            generated_text=prompt.text + self._text if whole else self._text,
            details=details if question.details else None,
            answer=own.rstrip(),
            counts=(len(prompt.tokens), chunk["tokens_predicted"]),
        )
