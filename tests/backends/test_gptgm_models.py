from __future__ import annotations

import json
from contextlib import closing

import pytest

from h2o_magic.backends.base import ModelInfo
from h2o_magic.backends.gptgm import GptGmBackend
from h2o_magic.backends.gptgm.models import models_of_api, models_of_page
from h2o_magic.errors import ConnectionFailedError, StatusError
from tests.backends.scripted import (
    Answer,
    answer,
    document,
    recorded,
    recorded_body,
    serving,
)


def models(api: Answer, page: Answer) -> list[ModelInfo]:
    replies = {"/api/models": api, "/__data.json": page}
    with (
        serving(lambda request: replies[request.path]) as server,
        closing(GptGmBackend(server.url)) as backend,
    ):
        return backend.models()


KNOWN = ["llama-13b", "falcon-7b", "falcon-40b"]
NO_LIST = recorded("no-such-route")


def test_a_server_of_this_package_tells_all_it_knows() -> None:
    entry = {
        "id": "h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-13b",
        "name": "llama-13b",
        "weights": "built-in demo weights",
        "demo": True,
        "size": 12,
        "context_length": 2048,
        "loaded": True,
    }
    assert models(document([entry, {"id": "my/model"}]), NO_LIST) == [
        ModelInfo("llama-13b", "built-in demo weights", True, 12, 2048, True),
        ModelInfo("my/model"),
    ]


def test_values_of_another_type_are_not_taken_over() -> None:
    entry = {"id": "a", "weights": 1, "demo": "yes", "size": True, "loaded": 1}
    assert models_of_api([entry, {"id": 7}, {}, None, "x"]) == [ModelInfo("a")]
    assert models_of_api({"models": []}) == []


@pytest.mark.parametrize(
    "page", [recorded("data-json-root"), recorded("aug2023-data-json-root")]
)
def test_an_old_server_tells_its_models_in_the_page_data(page: Answer) -> None:
    names = [model.name for model in models(NO_LIST, page)]
    assert names == ["falcon-7b", "falcon-40b", "llama-13b"]


@pytest.mark.parametrize(
    "page",
    [
        NO_LIST,
        answer(b"<html>", content_type="text/html"),
        document({"type": "data", "nodes": [None, {"type": "error"}, {"data": [7]}]}),
        document({"nodes": [{"data": [{"models": 1}, [2], 99]}]}),
        document({"nodes": [{"data": [{"models": 9}]}]}),
        document({"nodes": [{"data": [{"models": 0}]}]}),
        document({"nodes": [{"data": [{"models": 1}, [2], {"id": 3}, 7]}]}),
        document({"nodes": [{"data": []}, {"data": 7}, {}, 7]}),
        document([]),
    ],
)
def test_a_server_without_a_list_has_the_known_models(page: Answer) -> None:
    assert [model.name for model in models(NO_LIST, page)] == KNOWN


def test_a_list_that_is_no_list_is_looked_for_elsewhere() -> None:
    names = [model.name for model in models(document([]), recorded("data-json-root"))]
    assert names == ["falcon-7b", "falcon-40b", "llama-13b"]


def test_a_server_that_refuses_is_an_error() -> None:
    with pytest.raises(StatusError, match="logged in"):
        models(recorded("login-required-401"), NO_LIST)


def test_nobody_there_is_an_error() -> None:
    with serving(lambda _: NO_LIST) as server:
        url = server.url
    with pytest.raises(ConnectionFailedError):
        GptGmBackend(url).models()


def test_the_page_of_another_session_still_lists_the_models() -> None:
    page = json.loads(recorded_body("data-json-other-session"))
    assert len(models_of_page(page)) == 3
