"""The server counts the tokens of a prompt as an answer would read it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.client import Client
from tests.server.conftest import Serving

HISTORY = [
    {"role": "system", "content": "Answer in one word."},
    {"role": "user", "content": "Is the sky blue?"},
    {"role": "assistant", "content": "Yes."},
]
QUESTION = {"role": "user", "content": " And the sea? ☃ <|answer|> "}


def count(client: Client, messages: object, model: str = "llama-13b") -> Any:
    body = {"model": model, "messages": messages}
    return client.call("POST", "/api/tokenize", body)


@pytest.mark.parametrize("model", ["llama-13b", "falcon-7b"])
@pytest.mark.parametrize("history", [[], HISTORY[1:], HISTORY])
def test_it_counts_what_an_answer_reads(
    client: Client, history: list[dict[str, str]], model: str
) -> None:
    conversation = client.converse(model, messages=history)
    event = client.ask(conversation, QUESTION["content"], max_new_tokens=1)[-1]
    counted = count(client, [*history, QUESTION], model)
    assert counted.json == {"tokens": event["details"]["input_length"]}


def test_it_counts_more_than_fits(client: Client) -> None:
    long = {"role": "user", "content": "word " * 200_000}
    assert count(client, [long]).json["tokens"] > 100_000


def test_it_needs_the_token(serving: Serving) -> None:
    assert count(serving.client(), [QUESTION]).status == 200
    assert count(Client(serving.url, "wrong"), [QUESTION]).status == 401


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        (None, "expected `messages` to be a list"),
        ([], "at least one message"),
        ([{"role": "robot", "content": "x"}], "expected role"),
        ([{"role": "assistant", "content": "x"}], "the user's question"),
    ],
)
def test_messages_that_end_with_no_question_are_refused(
    client: Client, messages: object, words: str
) -> None:
    reply = count(client, messages)
    assert (reply.status, reply.json["error_type"]) == (422, "validation")
    assert words in reply.json["error"]


def test_a_body_without_a_model_and_an_unknown_model_are_refused(
    client: Client,
) -> None:
    for body in ([], {}, {"model": 3, "messages": [QUESTION]}):
        assert client.call("POST", "/api/tokenize", body).status == 422
    reply = count(client, [QUESTION], "llama-31b")
    assert reply.status == 422
    assert "llama-13b" in reply.json["error"]


def test_counting_leaves_no_slot_busy(client: Client) -> None:
    count(client, [QUESTION])
    assert client.busy_slots() == 0
