"""What many texts of one request cost the others: no more than a turn."""

from __future__ import annotations

from typing import Any

import pytest

from h2o_magic.server.embedding import joined, parts_of
from h2o_magic.server.rewriting import EngineRequest
from tests.server.client import Client
from tests.server.test_openai_routes import CHAT, body, error


def embed(client: Client, texts: Any) -> Any:
    asked = {"model": "demo", "input": texts}
    reply = client.call("POST", "/v1/embeddings", asked)
    assert reply.status == 200, reply
    return reply.json


def test_many_texts_are_embedded_in_their_order_as_each_alone(client: Client) -> None:
    texts = [f"How do I choose model {i}?" for i in range(20)]
    whole = embed(client, texts)
    assert [item["index"] for item in whole["data"]] == list(range(20))
    for i in (0, 7, 8, 19):
        (alone,) = embed(client, texts[i])["data"]
        expected = pytest.approx(alone["embedding"], abs=1e-3)
        assert whole["data"][i]["embedding"] == expected
    counts = [embed(client, text)["usage"]["prompt_tokens"] for text in texts]
    assert whole["usage"]["prompt_tokens"] == sum(counts)


def test_an_engine_gets_few_texts_at_once() -> None:
    request = EngineRequest("/v1/embeddings", {"model": "m", "input": ["x"] * 100})
    sizes = [len(part.body["input"]) for part in parts_of(request)]
    assert sum(sizes) == 100
    assert max(sizes) == 8


@pytest.mark.parametrize("given", ["x", ["x"], [1, 2, 3] * 10])
def test_one_text_goes_as_it_came(given: object) -> None:
    request = EngineRequest("/v1/embeddings", {"input": given}, b"{}")
    assert list(parts_of(request)) == [request]


def test_joined_answers_count_on() -> None:
    part = {"data": [{"index": 0}, {"index": 1}], "usage": {"prompt_tokens": 2}}
    whole = joined([part, part])
    assert [item["index"] for item in whole["data"]] == [0, 1, 2, 3]
    assert whole["usage"] == {"prompt_tokens": 4}


def test_more_prompts_than_a_request_may_have_are_refused(client: Client) -> None:
    asked = {"model": "demo", "prompt": ["hi"] * 3000, "max_tokens": 1}
    found = error(client.call("POST", "/v1/completions", asked), 400)
    assert "at most 32 answers" in found["message"]
    several = {"model": "demo", "prompt": ["hi"] * 6, "max_tokens": 1}
    reply = client.call("POST", "/v1/completions", several)
    assert len(reply.json["choices"]) == 6


def test_texts_that_can_never_fit_are_refused_by_their_size(client: Client) -> None:
    long = "word " * 200_000
    for path, name in (("/v1/completions", "prompt"), ("/v1/embeddings", "input")):
        found = error(client.call("POST", path, {"model": "demo", name: long}), 400)
        assert found["code"] == "context_length_exceeded"
    asked = {"model": "demo", "content": "x" * 2_000_000}
    assert client.call("POST", "/tokenize", asked).status == 413


def test_a_whole_message_may_begin_inside_a_character(
    client: Client, endless: str
) -> None:
    turns = [{"role": "user", "content": "hi"}]
    asked = {"model": endless, "max_tokens": 50, "messages": turns, "temperature": 0}
    reply = client.call("POST", "/v1/messages", asked)
    assert (reply.status, reply.json["role"]) == (200, "assistant")
    assert reply.json["usage"]["output_tokens"] == 50
    assert reply.json["content"][0]["text"]


def test_an_address_that_is_not_of_an_image_is_no_image(client: Client) -> None:
    use = {"type": "tool_use", "id": "1", "name": "f", "input": {"url": "https://x"}}
    result = {"type": "tool_result", "tool_use_id": "1", "content": "It is noon."}
    turns = [
        {"role": "user", "content": "Fetch it."},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    asked = {"model": "demo", "max_tokens": 3, "messages": turns}
    assert client.call("POST", "/v1/messages", asked).status == 200


@pytest.mark.parametrize(
    "given",
    [
        {"model": "/" + "a" * 300 + ".gguf"},
        {"tools": 5, "tool_choice": "required"},
        {"tool_choice": "required"},
        {"tools": [], "tool_choice": "required"},
    ],
)
def test_what_is_no_model_or_tool_is_a_4xx(
    client: Client, given: dict[str, Any]
) -> None:
    asked = {**body("demo"), **given}
    assert client.call("POST", CHAT, asked).status in (400, 404)


def test_a_demanded_call_that_was_cut_off_is_a_call_that_was_cut_off(
    client: Client,
) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    function = {"name": "weather", "parameters": {**schema, "required": ["city"]}}
    tools = [{"type": "function", "function": function}]
    asked = {"tools": tools, "tool_choice": "required", "temperature": 0}
    for limit in (2, 12):
        reply = client.call(
            "POST", CHAT, {**body("demo"), **asked, "max_tokens": limit}
        )
        (choice,) = reply.json["choices"]
        assert choice["finish_reason"] == "length"
        assert not choice["message"]["content"]
