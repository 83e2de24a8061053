"""One row asked of a real server: what its failure means for it, and for the run."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from h2o_magic.backends.base import Backend, ChatRequest
from h2o_magic.backends.openai.backend import OpenAIBackend
from h2o_magic.chat.events import Event, Finished, TextDelta, Usage
from h2o_magic.chat.messages import system, user
from h2o_magic.errors import (
    ConfigurationError,
    ConnectionFailedError,
    GenerationError,
    H2OMagicError,
    IncompleteAnswerError,
    ParameterError,
    RateLimitedError,
    StatusError,
    TimedOutError,
)
from h2o_magic.tables.row_requests import RowRequests
from h2o_magic.tables.running.asking import RowAsker
from h2o_magic.tables.running.outcome import Outcome, RowAnswer, RowFailure, failure_of
from h2o_magic.tables.template import Place
from tests.tables.rows_server import RowsServer, rows_server

RATING = {
    "type": "object",
    "properties": {"rating": {"type": "integer"}},
    "required": ["rating"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[RowsServer]:
    with rows_server() as running:
        yield running


def requests(schema: dict[str, Any] | None = None) -> RowRequests:
    messages = (system("Be brief."), user("?"))
    return RowRequests(
        ChatRequest("mock", messages, {}, schema=schema), (Place(0, "{text}"),)
    )


def ask(server: RowsServer, text: str, schema: dict[str, Any] | None = None) -> Outcome:
    server.configure(key="")
    backend = OpenAIBackend(f"{server.url}/v1").for_rows(1)
    try:
        return RowAsker(backend, requests(schema)).ask(7, text)
    finally:
        backend.close()


def test_an_answer_has_its_tokens_times_and_model(server: RowsServer) -> None:
    outcome = ask(server, "hello")
    answer = outcome.result
    assert isinstance(answer, RowAnswer)
    assert (outcome.ticket, outcome.requests) == (7, 1)
    assert answer.text == "Answer to: hello"
    assert (answer.prompt_tokens, answer.completion_tokens) == (20, 5)
    assert answer.model == "mock"
    assert answer.first_token is not None
    assert 0 < answer.first_token <= answer.seconds


def test_a_schema_that_is_not_met_is_repaired_once(server: RowsServer) -> None:
    outcome = ask(server, "BAD", RATING)
    answer = outcome.result
    assert isinstance(answer, RowAnswer)
    assert answer.text.startswith('{"rating": ')
    assert answer.repaired == "I would rather not."
    assert outcome.requests == 2
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (40, 10)
    questions = server.stats()["questions"]
    assert any("does not fit the JSON schema" in question for question in questions)


@pytest.mark.parametrize(
    ("text", "schema", "said", "sent"),
    [
        ("WORSE", RATING, "does not fit the schema: ", 2),
        ("CUT", None, "cut off at the token limit: allow more with", 1),
        ("CUT", RATING, "cut off at the token limit", 1),
        ("FAIL", None, "this row cannot be answered", 1),
    ],
    ids=["worse", "cut", "cut with a schema", "fail"],
)
def test_a_rows_failure_is_a_value(
    server: RowsServer, text: str, schema: dict[str, Any] | None, said: str, sent: int
) -> None:
    outcome = ask(server, text, schema)
    failure = outcome.result
    assert isinstance(failure, RowFailure)
    assert failure.kind == "row"
    assert said in failure.message
    assert "\n" not in failure.message
    assert outcome.requests == sent
    assert outcome.prompt_tokens == (None if text == "FAIL" else 20 * sent)


def test_a_server_that_is_not_there_loses_rows() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    backend = OpenAIBackend(url).for_rows(1)
    failure = RowAsker(backend, requests()).ask(1, "x").result
    backend.close()
    assert isinstance(failure, RowFailure)
    assert (failure.kind, failure.wait) == ("lost", 1.0)


def test_a_wrong_key_is_of_the_run(server: RowsServer) -> None:
    server.configure(key="sesame")
    backend = OpenAIBackend(f"{server.url}/v1", "wrong-key-1234567890").for_rows(1)
    failure = RowAsker(backend, requests()).ask(1, "x").result
    backend.close()
    assert isinstance(failure, RowFailure)
    assert failure.kind == "run"
    assert "wrong-key-1234567890" not in failure.message


class Scripted(Backend):
    """Yields or raises what a test says."""

    url = "http://scripted"

    def __init__(self, *events: Event | Exception) -> None:
        self._events = events

    def stream(self, request: ChatRequest) -> Iterator[Event]:  # noqa: ARG002
        for event in self._events:
            if isinstance(event, Exception):
                raise event
            yield event

    def models(self) -> list[Any]:
        return []


@pytest.mark.parametrize(
    ("events", "kind", "said"),
    [
        ((ZeroDivisionError("odd"),), "row", "ZeroDivisionError: odd"),
        ((TextDelta("half"),), "lost", "without its final event"),
        ((TextDelta("ha"), Finished("ha", "stopped")), "lost", "before its end"),
        ((Finished(" \n", "end"),), "row", "the answer is empty"),
    ],
    ids=["a plug-in's error", "no end", "stopped", "empty"],
)
def test_whatever_a_backend_does_comes_back_as_a_failure(
    events: tuple[Event | Exception, ...], kind: str, said: str
) -> None:
    failure = RowAsker(Scripted(*events), requests()).ask(1, "x").result
    assert isinstance(failure, RowFailure)
    assert failure.kind == kind
    assert said in failure.message


def test_tokens_of_an_answer_that_does_not_count_are_told() -> None:
    backend = Scripted(Usage(3, 4), Finished("", "length"))
    outcome = RowAsker(backend, requests()).ask(1, "x")
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (3, 4)
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def status(code: int, said: str = "") -> StatusError:
    return StatusError(f"HTTP {code}", status=code, server_message=said)


@pytest.mark.parametrize(
    ("error", "kind", "wait"),
    [
        (status(400), "row", None),
        (status(401), "run", None),
        (status(402), "run", None),
        (status(403, "your input was flagged"), "row", None),
        (status(403, "invalid API key"), "run", None),
        (status(404), "run", None),
        (status(413), "row", None),
        (status(500), "busy", None),
        (status(503), "busy", None),
        (RateLimitedError("later", retry_after=3.0), "busy", 3.0),
        (RateLimitedError("no", server_message="insufficient_quota"), "run", None),
        (TimedOutError("slow"), "lost", None),
        (IncompleteAnswerError("half"), "lost", None),
        (ConnectionFailedError("gone", why="refused"), "lost", 1.0),
        (ConnectionFailedError("reset"), "lost", None),
        (ConnectionFailedError("untrusted", why="certificate"), "run", None),
        (GenerationError("filtered"), "row", None),
        (ParameterError("top_k: unknown"), "run", None),
        (ConfigurationError("a secret"), "row", None),
    ],
    ids=lambda value: (
        str(value).replace(" ", "-") if isinstance(value, Exception) else ""
    ),
)
def test_what_an_error_means(
    error: H2OMagicError, kind: str, wait: float | None
) -> None:
    failure = failure_of(error)
    assert (failure.kind, failure.wait) == (kind, wait)
    assert failure.message == str(error)
