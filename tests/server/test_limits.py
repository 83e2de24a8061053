"""Who comes when all places are taken is sent away, in the words of what it speaks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

import pytest

from tests.server.client import Client, turn, until
from tests.server.conftest import Start
from tests.server.test_openai_routes import CHAT, QUESTION, error
from tests.server.test_stopping import LONG


@pytest.fixture(scope="module")
def small(start: Start) -> Client:
    """A server with one slot and one place to wait."""
    return start("--slots", "1", "--queue", "1").client()


def long_body(model: str) -> dict[str, Any]:
    body = {"model": model, "messages": QUESTION, "temperature": 0, "stream": True}
    return {**body, "max_tokens": 8000}


def metric(client: Client, name: str) -> float:
    lines = client.call("GET", "/metrics").body.decode().splitlines()
    (value,) = [line.split()[-1] for line in lines if line.startswith(f"{name} ")]
    return float(value)


def waiting(client: Client) -> float:
    return metric(client, "h2o_magic_streams_waiting")


@contextmanager
def full(client: Client, model: str) -> Iterator[HTTPResponse]:
    """Take the slot and the place to wait; yield the answer that is being written."""
    with client.open("POST", CHAT, long_body(model)) as writing:
        writing.readline()
        connection = client.start("POST", CHAT, long_body(model))
        try:
            until(lambda: waiting(client) == 1)
            yield writing
        finally:
            connection.close()
    until(lambda: client.busy_slots() == 0 and waiting(client) == 0)


def test_beyond_the_queue_each_protocol_says_429_in_its_words(
    small: Client, endless: str
) -> None:
    conversation = small.converse(endless)
    with full(small, endless):
        for streamed in (True, False):
            asked = long_body(endless) | {"stream": streamed}
            reply = small.call("POST", CHAT, asked)
            assert error(reply, 429)["type"] == "rate_limit_error"
            assert int(reply.headers["retry-after"]) > 0
            path = f"/conversation/{conversation}"
            old = small.call("POST", path, turn("hi", LONG) | {"stream": streamed})
            assert old.status == 429
            assert old.json["error_type"] == "overloaded"
            assert "too many requests" in old.json["error"]
            assert int(old.headers["retry-after"]) > 0


def test_another_client_has_places_to_wait_of_its_own(
    small: Client, endless: str
) -> None:
    other = Client(small.url, small.token, {"X-H2O-Magic-Notebook": "another"})
    with full(small, endless):
        connection = other.start("POST", CHAT, long_body(endless))
        until(lambda: waiting(small) == 2)
        assert other.call("POST", CHAT, long_body(endless)).status == 429
        connection.close()
        until(lambda: waiting(small) == 1)


def test_embeddings_do_not_wait_for_answers(small: Client, endless: str) -> None:
    asked = {"model": endless, "input": ["x" * 1500] * 3}
    with full(small, endless):
        embedded = small.call("POST", "/v1/embeddings", asked)
    assert len(embedded.json["data"]) == 3
    # Each byte is a token: more than an engine that answers reads at a time.
    assert embedded.json["usage"]["prompt_tokens"] >= 4500


def test_clients_are_answered_in_turn(start: Start, endless: str) -> None:
    client = start("--slots", "1").client()
    other = Client(client.url, client.token, {"X-H2O-Magic-Notebook": "another"})
    with client.open("POST", CHAT, long_body(endless)) as writing:
        writing.readline()
        waits = []
        for before in range(3):  # they come in this order, however busy the server is
            waits.append(client.start("POST", CHAT, long_body(endless)))
            until(lambda: waiting(client) > before)  # noqa: B023 - at once
        asked = long_body(endless) | {"max_tokens": 1, "stream": False}
        last = other.start("POST", CHAT, asked)
        until(lambda: waiting(client) == 4)
    # One of the three is before it, which comes to its turn, and leaves it.
    with waits[0].getresponse() as first:
        first.readline()
    with last.getresponse() as second:
        assert second.status == 200
    assert waiting(client) <= 2
    for connection in waits:
        connection.close()


def test_other_models_have_slots_of_their_own(small: Client, endless: str) -> None:
    with full(small, endless):
        reply = small.call("POST", CHAT, long_body("falcon-7b") | {"max_tokens": 1})
        assert reply.status == 200


def test_who_leaves_the_queue_frees_its_place(small: Client, endless: str) -> None:
    with full(small, endless):
        pass
    with small.open("POST", CHAT, long_body(endless)) as writing:
        writing.readline()
        for _ in range(3):
            connection = small.start("POST", CHAT, long_body(endless))
            until(lambda: waiting(small) == 1)
            connection.close()
            until(lambda: waiting(small) == 0)


def test_who_waited_is_answered_when_the_slot_is_free(
    small: Client, endless: str
) -> None:
    with full(small, endless) as writing:
        writing.close()
        until(lambda: waiting(small) == 0 and small.busy_slots() == 1)


def test_a_refused_request_takes_no_place(small: Client, endless: str) -> None:
    with full(small, endless):
        for _ in range(5):
            assert small.call("POST", CHAT, long_body(endless)).status == 429
        assert waiting(small) == 1
    asked = long_body(endless) | {"max_tokens": 1}
    assert small.call("POST", CHAT, asked).status == 200
