"""Schemas and token counts, asked of our own server and of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.gptgm import GptGmBackend
from h2o_magic.chat.events import Event, Finished, Source
from h2o_magic.chat.messages import user
from h2o_magic.errors import BackendError, StatusError
from tests.backends.scripted import GptGmScript, document, serving
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
