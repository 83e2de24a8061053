"""One row asked: its answer read, checked, and asked for anew if it does not fit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from h2o_magic.backends.base import Backend, ChatRequest
from h2o_magic.chat.events import (
    Event,
    Finished,
    RateLimit,
    Replaced,
    Source,
    TextDelta,
    Usage,
)
from h2o_magic.chat.reasoning import split_reasoning
from h2o_magic.conversation.schema_fallback import refuses_schema
from h2o_magic.errors import GenerationError, IncompleteAnswerError, StatusError
from h2o_magic.rendering.json import AnswerFormatError, find_json
from h2o_magic.rendering.schema import Checker
from h2o_magic.tables.row_requests import RowRequests
from h2o_magic.tables.running.outcome import (
    CutOffError,
    EmptyAnswerError,
    Outcome,
    RowAnswer,
    RowFailure,
    failure_of,
)

#: Gets each answer before it is read, so that another thread can end it.
Hold = Callable[[Iterator[Event]], object]


class AnswerCheck:
    """Says whether an answer counts: it fits the schema, or is not empty."""

    def __init__(self, schema: Mapping[str, Any] | None) -> None:
        self._checker = Checker(schema) if schema is not None else None

    def checked(self, answer: str) -> str:
        """Return an answer that counts, as JSON alone if there is a schema.

        An AnswerFormatError says why another does not.
        """
        if self._checker is None:
            if not answer.strip():
                raise EmptyAnswerError
            return answer
        value = find_json(answer)
        if found := self._checker.problems(value):
            raise AnswerFormatError("; ".join(found))
        return json.dumps(value, ensure_ascii=False)


class RowAsker:
    """Asks rows of a server; any threads may use it at once.

    `backend` does not ask again by itself (`Backend.for_rows`): the run knows when. A
    server that refuses the schema is asked without it from then on.
    """

    def __init__(self, backend: Backend, requests: RowRequests) -> None:
        self._backend = backend
        self._requests = requests
        self._check = AnswerCheck(requests.request.schema)
        self._takes_schema = requests.request.schema is not None

    def ask(self, ticket: int, text: str, hold: Hold = lambda _answer: None) -> Outcome:
        """Ask a row and return what came of it; nothing is raised."""
        reading = _Reading()
        result: RowAnswer | RowFailure
        try:
            result = self._answer(text, reading, hold)
        except Exception as error:  # a dialect of a plug-in may raise anything
            result = failure_of(error)
        tokens = reading.tokens
        return Outcome(ticket, result, reading.requests, reading.limit, *tokens)

    def _answer(self, text: str, reading: _Reading, hold: Hold) -> RowAnswer:
        first = self._read(self._requests.of(text), reading, hold)
        try:
            return reading.answer(self._check.checked(first))
        except EmptyAnswerError:
            raise
        except AnswerFormatError as error:
            repair = self._requests.repair(text, first, str(error))
        again = self._read(repair, reading, hold)
        return reading.answer(self._check.checked(again), repaired=first)

    def _read(self, request: ChatRequest, reading: _Reading, hold: Hold) -> str:
        if self._takes_schema:
            try:
                return reading.read(self._backend.stream(request), hold)
            except (StatusError, GenerationError) as error:
                if error.partial or not refuses_schema(error):
                    raise
            self._takes_schema = False
        without = replace(request, schema=None)
        return reading.read(self._backend.stream(without), hold)


class _Reading:
    """What was read of the answers to one row, and what they cost."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.requests = 0
        self.limit: RateLimit | None = None
        self._clock = clock
        self._started = clock()
        self._first: float | None = None
        self._model = ""
        self._usage: list[Usage] = []

    def read(self, events: Iterator[Event], hold: Hold) -> str:
        """Return the whole answer; raise if it does not come, or is cut off."""
        self.requests += 1
        hold(events)
        try:
            for event in split_reasoning(events):
                if isinstance(event, Finished):
                    return self._ended(event)
                self._note(event)
        finally:
            close_stream(events)
        raise IncompleteAnswerError("the answer ended without its final event")

    def answer(self, text: str, *, repaired: str = "") -> RowAnswer:
        seconds = self._clock() - self._started
        model = self._model
        return RowAnswer(text, *self.tokens, seconds, self._first, model, repaired)

    @property
    def tokens(self) -> tuple[int | None, int | None]:
        """The tokens read and written; None where the server did not say."""
        return (
            _total(usage.prompt_tokens for usage in self._usage),
            _total(usage.completion_tokens for usage in self._usage),
        )

    def _note(self, event: Event) -> None:
        match event:
            case TextDelta() | Replaced():
                if self._first is None:
                    self._first = self._clock() - self._started
            case Source():
                self._model = event.model
            case Usage():
                self._usage.append(event)
            case RateLimit():
                self.limit = event

    def _ended(self, event: Finished) -> str:
        if event.reason == "length":
            raise CutOffError
        if event.reason == "stopped":
            raise IncompleteAnswerError("the server stopped the answer before its end")
        return event.text


def close_stream(events: Iterator[Event]) -> None:
    """End an answer, from any thread; one that is a plug-in's may not allow that."""
    close = getattr(events, "close", None)
    if close is not None:
        with suppress(ValueError):  # another thread is in the middle of it
            close()


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
