"""The route that lists models, and the refusal of demo weights."""

from __future__ import annotations

import pytest

from h2o_magic.config.models import MODELS
from tests.server.client import Client, turn


def test_the_route_lists_the_models(client: Client) -> None:
    listed = client.call("GET", "/api/models").json
    assert [model["name"] for model in listed] == list(MODELS)
    client.answer("hello", "falcon-7b", max_new_tokens=1)
    loaded = {m["name"]: m["loaded"] for m in client.call("GET", "/api/models").json}
    assert loaded["falcon-7b"]
    assert "falcon-7b" in client.call("GET", "/health").json["loaded"]


@pytest.mark.parametrize("stream", [True, False])
def test_strict_refuses_demo_weights(client: Client, *, stream: bool) -> None:
    path = f"/conversation/{client.converse()}"
    body = turn("hi", {}, strict=True) | {"stream": stream}
    reply = client.call("POST", path, body)
    assert reply.status == 422
    assert reply.json == {
        "error": "llama-13b has no weights on this machine: run `%h2o pull llama-13b`, "
        "or ask without --strict",
        "error_type": "weights_missing",
    }


def test_strict_lets_real_weights_answer(client: Client, noisy: str) -> None:
    path = f"/conversation/{client.converse(noisy)}"
    body = turn("hi", {"max_new_tokens": 1}, strict=True)
    details = client.call("POST", path, body).events[-1]["details"]
    assert details["h2o_magic"]["demo"] is False
    assert details["h2o_magic"]["weights"] == "noisy"
