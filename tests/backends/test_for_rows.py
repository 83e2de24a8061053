"""Backends for many questions at once: their connections, and what they tell."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest

from h2o_magic.backends.base import Backend, ChatRequest
from h2o_magic.backends.gptgm.backend import GptGmBackend
from h2o_magic.backends.http import Endpoint
from h2o_magic.backends.http.rate_limit import rate_limit
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.chat.events import Finished, RateLimit
from h2o_magic.chat.messages import user
from h2o_magic.errors import RateLimitedError
from tests.backends.scripted import (
    Answer,
    GptGmScript,
    Request,
    ScriptedServer,
    document,
    events,
    serving,
)
from tests.backends.test_openai_backend import (
    ANSWER,
    HI,
    OpenAIScript,
    asked,
    backend_of,
    refusal,
    request,
)

WIDTH = 16
LIMITED = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-reset-requests": "1s",
}


@contextmanager
def rows_of(script: Any) -> Iterator[tuple[Backend, ScriptedServer]]:
    with (
        backend_of(script, "/v1") as (backend, server),
        closing(backend.for_rows(WIDTH)) as rows,
    ):
        yield rows, server


def drained(backend: Backend, count: int = 1, width: int = WIDTH) -> list[Any]:
    with ThreadPoolExecutor(width) as pool:
        answers = pool.map(lambda _: list(backend.stream(request())), range(count))
        return list(answers)


def test_as_many_connections_as_questions_at_once_are_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    together = threading.Barrier(WIDTH)

    def script(_: Request) -> Answer:
        together.wait(10)
        return events(*ANSWER)

    caplog.set_level(logging.WARNING)
    with rows_of(script) as (rows, server):
        drained(rows, 4 * WIDTH)
        opened = {r.connection for r in server.requests}
        assert (len(server.requests), len(opened)) == (4 * WIDTH, WIDTH)
    assert "pool is full" not in caplog.text


def test_closing_it_leaves_the_other_as_it_is() -> None:
    with backend_of(OpenAIScript(), "/v1") as (backend, server):
        list(backend.stream(request()))
        rows = backend.for_rows(WIDTH)
        list(rows.stream(request()))
        rows.close()
        list(backend.stream(request()))
        first, other, again = (r.connection for r in server.requests)
        assert first == again != other


def test_a_busy_server_is_not_asked_again() -> None:
    busy = document({"error": {"message": "slow down"}}, status=429)
    with rows_of(OpenAIScript(busy)) as (rows, server):
        with pytest.raises(RateLimitedError):
            list(rows.stream(request()))
        assert len(asked(server)) == 1


def test_a_server_that_has_moved_is_found() -> None:
    gone = Endpoint("http://127.0.0.1:1")
    with serving(OpenAIScript(owner="h2o_magic")) as server:
        endpoints = [gone, Endpoint(server.url)]
        backend = OpenAIBackend(connection=lambda: endpoints.pop(0))
        with closing(backend), closing(backend.for_rows(WIDTH)) as rows:
            assert Finished("Hello") in list(rows.stream(request()))


# What is learned of a server


NO_COUNTS = "unknown field: stream_options"
NEW_NAME = "'max_tokens' is not supported: use 'max_completion_tokens' instead."


def refusing(words: str, takes: Callable[[dict[str, Any]], bool]) -> OpenAIScript:
    class Refusing(OpenAIScript):
        def __call__(self, request: Request) -> Answer:
            if request.path.endswith("/models") or takes(request.json):
                return super().__call__(request)
            return refusal(words)

    return Refusing()


@pytest.mark.parametrize(
    ("words", "field", "other"),
    [
        (NO_COUNTS, "stream_options", None),
        (NEW_NAME, "max_tokens", "max_completion_tokens"),
    ],
)
def test_what_a_server_does_not_take_is_learned_once(
    words: str, field: str, other: str | None
) -> None:
    script = refusing(words, lambda body: field not in body)
    with rows_of(script) as (rows, server):
        for _ in range(5):
            list(rows.stream(request({"max_new_tokens": 9})))
        sent = asked(server)
        assert [field in body for body in sent] == [True] + [False] * 5
        assert other is None or all(body[other] == 9 for body in sent[1:])


def test_it_is_learned_of_each_model() -> None:
    def takes(body: dict[str, Any]) -> bool:
        return body["model"] == "old" or "max_tokens" not in body

    with backend_of(refusing(NEW_NAME, takes), "/v1") as (backend, server):
        for model in ("new", "old", "new"):
            given = ChatRequest(model, HI, {"max_new_tokens": 9})
            list(backend.stream(given))
        sent = [(body["model"], "max_tokens" in body) for body in asked(server)]
        new = [("new", True), ("new", False)]
        assert sent == [*new, ("old", True), ("new", False)]


def test_a_repair_that_does_not_help_is_not_learned() -> None:
    script = OpenAIScript(refusal(NO_COUNTS), refusal("no such row"))
    with backend_of(script, "/v1") as (backend, server):
        with pytest.raises(Exception, match="no such row"):
            list(backend.stream(request()))
        list(backend.stream(request()))
        assert "stream_options" in asked(server)[-1]


def test_what_a_server_is_is_asked_once_for_all_questions() -> None:
    given = request({"temperature": 0.0, "seed": 1})
    with rows_of(OpenAIScript(owner="vllm")) as (rows, server):
        with ThreadPoolExecutor(WIDTH) as pool:
            list(pool.map(lambda _: list(rows.stream(given)), range(WIDTH)))
        assert server.calls().count("GET /v1/models") == 1


# Slots


@pytest.mark.parametrize(
    ("owner", "path", "said", "slots"),
    [
        ("llamacpp", "/props", {"total_slots": 6}, 6),
        ("h2o_magic", "/health", {"status": "ok", "slots": 4}, 4),
        ("h2o_magic", "/health", {"status": "ok"}, None),
        ("llamacpp", "/props", {"total_slots": "many"}, None),
        ("llamacpp", "/props", {"total_slots": 0}, None),
        ("llamacpp", "/props", ["no object"], None),
    ],
)
def test_a_server_says_how_many_questions_it_answers_at_once(
    owner: str, path: str, said: object, slots: int | None
) -> None:
    script = OpenAIScript(owner=owner)
    script.others[path] = document(said)
    with backend_of(script, "/v1") as (backend, _):
        assert backend.slots("m") == slots


def test_a_server_that_has_no_such_route_says_nothing() -> None:
    script = OpenAIScript(owner="llamacpp")
    script.others["/props"] = document({"error": {"message": "not found"}}, status=404)
    with backend_of(script, "/v1") as (backend, _):
        assert backend.slots("m") is None


def test_others_are_asked_nothing() -> None:
    with backend_of(OpenAIScript(owner="vllm"), "/v1") as (backend, server):
        assert backend.slots("m") is None
        assert server.calls() == ["GET /v1/models"]


def test_a_gptgm_server_says_no_slots() -> None:
    with closing(GptGmBackend("http://127.0.0.1:1")) as backend:
        assert backend.slots("m") is None


# Limits


def test_limits_are_told_for_rows_alone() -> None:
    with backend_of(lambda _: events(*ANSWER, headers=LIMITED), "/v1") as (backend, _):
        assert not any(isinstance(e, RateLimit) for e in backend.stream(request()))
        with closing(backend.for_rows(WIDTH)) as rows:
            told = [e for e in rows.stream(request()) if isinstance(e, RateLimit)]
        assert told == [RateLimit(59, 1.0, 60)]


def test_a_gptgm_server_answers_rows_too() -> None:
    given = ChatRequest("m", (user("Hi"),))
    with (
        serving(GptGmScript()) as server,
        closing(GptGmBackend(server.url)) as backend,
        closing(backend.for_rows(WIDTH)) as rows,
    ):
        assert isinstance(list(rows.stream(given))[-1], Finished)


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        pytest.param(
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-limit-tokens": "150000",
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-remaining-tokens": "149984",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-reset-tokens": "6m0s",
            },
            RateLimit(59, 1.0, 60),
            id="openai",
        ),
        pytest.param(
            {
                "retry-after": "2",
                "x-ratelimit-limit-requests": "14400",
                "x-ratelimit-limit-tokens": "18000",
                "x-ratelimit-remaining-requests": "14370",
                "x-ratelimit-remaining-tokens": "17997",
                "x-ratelimit-reset-requests": "2m59.56s",
                "x-ratelimit-reset-tokens": "7.66s",
            },
            RateLimit(14370, 179.56, 14400),
            id="groq",
        ),
        pytest.param(
            {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": "2020-01-01T00:00:00Z",
                "anthropic-ratelimit-tokens-limit": "40000",
                "anthropic-ratelimit-tokens-remaining": "0",
            },
            RateLimit(49, 0.0, 50),
            id="anthropic",
        ),
        pytest.param(
            {
                "X-RateLimit-Limit": "20",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "12",
            },
            RateLimit(0, 12.0, 20),
            id="plain",
        ),
        pytest.param(
            {
                "RateLimit-Limit": "100, 100;w=60",
                "RateLimit-Remaining": "3",
                "RateLimit-Reset": "7",
            },
            RateLimit(3, 7.0, 100),
            id="draft 5",
        ),
        pytest.param(
            {"RateLimit": "limit=100, remaining=50, reset=5"},
            RateLimit(50, 5.0, 100),
            id="draft 7",
        ),
        pytest.param(
            {
                "RateLimit-Policy": '"burst";q=100;w=60',
                "RateLimit": '"burst";r=50;t=30',
            },
            RateLimit(50, 30.0, 100),
            id="draft 10",
        ),
        pytest.param(
            {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"},
            None,
            id="tokens alone",
        ),
        pytest.param({"x-ratelimit-remaining-requests": "?"}, None, id="no number"),
        pytest.param({"content-type": "text/plain"}, None, id="none"),
    ],
)
def test_a_limit_is_read_from_the_headers_of_many(
    headers: dict[str, str], limit: RateLimit | None
) -> None:
    assert rate_limit(headers) == limit
