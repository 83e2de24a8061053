"""Turns an answer's token events into what the OpenAI API sends."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from h2o_magic.server.held_text import HeldText
from h2o_magic.server.openai_answer import CompletionShape
from h2o_magic.server.openai_errors import DONE, OpenAIError
from h2o_magic.server.openai_request import ChatCompletion
from h2o_magic.server.prompts import RAW_MARKERS
from h2o_magic.server.tgi import TokenEvent

__all__ = ["ENDING", "chunks", "whole_answer"]

#: What ends a stream whose answer the server stopped, since it is ending.
ENDING = OpenAIError(
    "the server is ending, and the answer is not whole: ask again elsewhere or later",
    503,
    code="server_ending",
)
#: Marks that a model without a template may write out as text; they end its answer.
_MARKS = (*RAW_MARKERS, "<|endoftext|>", "</s>")


async def chunks(
    events: AsyncGenerator[TokenEvent, None],
    shape: CompletionShape,
    asked: ChatCompletion,
) -> AsyncGenerator[bytes, None]:
    """Yield the events of a stream, from the role to ``[DONE]``.

    Before them may come comments, which clients skip: what is waited for.

    Neither a stop text nor a mark of the model's is part of the answer here, so the
    beginning of one is held back until more is known.
    """
    held = HeldText([*asked.sampling.stop, *_MARKS])
    unsent = shape.begin()
    opening = True
    async with aclosing(events):
        async for event in events:
            if event.notice is not None:
                yield _notice(event.notice)
                continue
            if event.generated_text is not None:
                break
            text = "" if event.special else held.add(event.text)
            if text:
                unsent += shape.text(text)
                opening = False
            if not (opening or event.more):
                yield unsent
                unsent = b""
    rest = held.rest(_text(event, asked))
    details: dict[str, Any] = dict(event.details or {})
    yield b"".join(
        [
            unsent,
            shape.text(rest) if rest else b"",
            shape.end(details),
            shape.usage(details) if asked.include_usage else b"",
            DONE,
        ]
    )


async def whole_answer(
    events: AsyncGenerator[TokenEvent, None],
    shape: CompletionShape,
    asked: ChatCompletion,
) -> dict[str, Any]:
    """Return the answer as one object, when it has ended."""
    async with aclosing(events):
        *_, last = [event async for event in events]
    return shape.whole(_text(last, asked), dict(last.details or {}))


def _notice(words: str) -> bytes:
    """Return a comment that tells our own client what is being done."""
    return f": {json.dumps({'h2o_magic': {'notice': words}})}\n\n".encode()


def _text(last: TokenEvent, asked: ChatCompletion) -> str:
    """Return the answer's text, without the stop text that ended it."""
    text = last.generated_text or ""
    if last.details and last.details["finish_reason"] == "stop_sequence":
        stops = (stop for stop in asked.sampling.stop if text.endswith(stop))
        return text.removesuffix(max(stops, key=len, default=""))
    return text
