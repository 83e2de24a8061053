"""Schemas and token counts, asked of our own server and of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.gptgm import GptGmBackend
from h2o_magic.backends.own_server import COUNT_ROUTE
from h2o_magic.chat.events import Event, Finished, Source, Usage
from h2o_magic.chat.messages import system, user
from h2o_magic.errors import BackendError, ConnectionFailedError, StatusError
from tests.backends.scripted import Answer, GptGmScript, answer, document, serving
from tests.backends.test_gptgm_local import Local

QUESTION = (user("Which cities?"),)
PARAMETERS = {"max_new_tokens": 60, "seed": 1}
SCHEMA = {"type": "array", "items": {"enum": ["Ulm", "Köln"]}, "maxItems": 3}


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GptGmBackend]:
    server = Local(tmp_path_factory.mktemp("local"))
    server.start()
    with closing(GptGmBackend(connection=server.endpoint)) as backend:
        yield backend
    server.end()


def ask(backend: GptGmBackend, schema: object) -> list[Event]:
    request = ChatRequest("llama-13b", QUESTION, PARAMETERS, schema=schema)
    return list(backend.stream(request))


def sources(events: list[Event]) -> list[bool]:
    return [event.schema for event in events if isinstance(event, Source)]


def test_our_server_holds_the_answer_to_the_schema_and_says_so(
    backend: GptGmBackend,
) -> None:
    events = ask(backend, SCHEMA)
    assert isinstance(events[-1], Finished)
    assert set(json.loads(events[-1].text)) <= {"Ulm", "Köln"}
    assert sources(events) == [True, True]


def test_without_a_schema_it_says_that_there_is_none(backend: GptGmBackend) -> None:
    assert sources(ask(backend, None)) == [False, False]


def test_a_schema_that_cannot_be_used_is_an_error_and_the_next_answer_comes(
    backend: GptGmBackend,
) -> None:
    # In the stream, or as a status: that is the server's choice.
    with pytest.raises(BackendError, match="does not support `not`"):
        ask(backend, {"not": {}})
    with pytest.raises(StatusError, match="larger than 64 kB"):
        ask(backend, {"enum": ["x" * 70_000]})
    assert sources(ask(backend, SCHEMA)) == [True, True]


def test_the_count_is_what_the_answer_reads(backend: GptGmBackend) -> None:
    (usage,) = (e for e in ask(backend, None) if isinstance(e, Usage))
    assert backend.count_tokens("llama-13b", QUESTION) == usage.prompt_tokens
    longer = (system("Be short."), *QUESTION)
    assert (backend.count_tokens("llama-13b", longer) or 0) > (usage.prompt_tokens or 0)


def test_what_our_server_cannot_count_is_an_error(backend: GptGmBackend) -> None:
    with pytest.raises(StatusError, match="llama-13b"):
        backend.count_tokens("llama-31b", QUESTION)


def test_a_server_that_is_not_reached_is_an_error() -> None:
    with (
        closing(GptGmBackend("http://127.0.0.1:9")) as backend,
        pytest.raises(ConnectionFailedError),
    ):
        backend.count_tokens("llama-13b", QUESTION)


def test_another_server_never_sees_the_schema() -> None:
    with (
        serving(GptGmScript()) as server,
        closing(GptGmBackend(server.url)) as backend,
    ):
        assert sources(ask(backend, SCHEMA)) == []
        (post,) = (r for r in server.requests if GptGmScript.step(r) == "generate")
    assert "json_schema" not in post.json["options"]
    assert b"Ulm" not in post.body


def test_an_older_server_of_this_package_never_sees_it_either() -> None:
    ours = {"model": "llama-13b", "weights": "w", "demo": True}
    created = document({"conversationId": GptGmScript.CONVERSATION, "h2o_magic": ours})
    with (
        serving(GptGmScript().then("create", created)) as server,
        closing(GptGmBackend(server.url)) as backend,
    ):
        assert sources(ask(backend, SCHEMA)) == [False]
        (post,) = (r for r in server.requests if GptGmScript.step(r) == "generate")
    assert "json_schema" not in post.json["options"]


OURS = {"h2o_magic": "0.5"}


@pytest.mark.parametrize(
    ("root", "count"),
    [
        (answer(b"Not Found", status=404), None),
        (answer(b"<html>", content_type="text/html"), None),
        (document({"status": "ok"}), None),
        (document([]), None),
        (answer(b"{}", status=401), None),
        (document(OURS), document({"input_tokens": "many"})),
        (document(OURS), document({"input_tokens": True})),
        (document(OURS), document([3])),
    ],
)
def test_a_server_that_cannot_count_is_no_error(
    root: Answer, count: Answer | None
) -> None:
    script = GptGmScript().then("page", root)
    script.then(COUNT_ROUTE, *([count] if count else []))
    with serving(script) as server, closing(GptGmBackend(server.url)) as backend:
        assert backend.count_tokens("llama-13b", QUESTION) is None
        sent = [r for r in server.requests if b"Which cities?" in r.body]
    # The messages go to servers of this package only.
    assert len(sent) == (0 if count is None else 1)
