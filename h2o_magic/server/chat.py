"""Asks and answers within one conversation: whose turn it is, what is remembered."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from h2o_magic.errors import ConfigurationError, GenerationError
from h2o_magic.server import tgi
from h2o_magic.server.conversations import Conversation
from h2o_magic.server.facts import Facts
from h2o_magic.server.generation import Question, generate
from h2o_magic.server.models import Models
from h2o_magic.server.prompts import Dialogue
from h2o_magic.server.sampling import Sampling, ValidationError
from h2o_magic.server.turn_request import TurnRequest
from h2o_magic.server.weights import Weights

__all__ = ["answer", "answer_at_once"]

_log = logging.getLogger(__name__)


async def answer(
    models: Models,
    conversation: Conversation,
    weights: Weights,
    request: TurnRequest,
    sampling: Sampling,
    *,
    facts: Facts,
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield an answer's events as JSON objects; a failure is the last event.

    An answer to the same conversation that is still being written is waited for. The
    turn is stored just before its last event is yielded: who has seen that event finds
    the turn in the history, and a turn that was stopped or failed is not there.
    """
    with conversation.stopping.stoppable():
        async with conversation.turn:
            history = conversation.history(request.retried)
            dialogue = Dialogue(conversation.system, history, request.inputs)
            question = Question(
                weights, dialogue, sampling, request.details, request.json_schema
            )
            try:
                answering = generate(models, question, facts.note_prompt)
                async with aclosing(answering) as events:
                    async for event in events:
                        facts.note(event)
                        if event.generated_text is not None:
                            _store(conversation, request, event.answer)
                        yield event.as_json()
            except Exception as error:
                yield _failure(error)


async def answer_at_once(
    events: AsyncGenerator[dict[str, Any], None],
) -> tuple[list[dict[str, Any]] | dict[str, Any], int]:
    """Return what a client gets that wants no stream: the JSON body and the status."""
    async with aclosing(events):
        *_, last = [event async for event in events]
    if "error" in last:
        return last, tgi.STATUS[last["error_type"]]
    whole = {"generated_text": last["generated_text"]}
    return [whole | ({"details": last["details"]} if last["details"] else {})], 200


def _store(conversation: Conversation, request: TurnRequest, text: str) -> None:
    conversation.store(
        request.inputs,
        text,
        question_id=request.message_id,
        answer_id=request.response_id,
        retried=request.retried,
    )


def _failure(error: Exception) -> dict[str, Any]:
    """Return the event that ends a failed answer; a stream never just breaks off."""
    if isinstance(error, ValidationError):
        return tgi.error(str(error), "validation")
    expected = isinstance(error, ConfigurationError | GenerationError)
    _log.warning("an answer failed", exc_info=error)
    reason = str(error) if expected else repr(error)
    return tgi.error(f"Request failed during generation: {reason}", "generation")
