"""Stop, disconnect, many at once: slots are taken and given back."""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any

import pytest

from tests.server.client import Client, Reply, read_events, turn, until
from tests.server.conftest import Start

LONG = {"do_sample": False, "max_new_tokens": 8000, "repetition_penalty": 1.0}


def test_stop_frees_the_slot_and_ends_the_stream_properly(
    client: Client, endless: str
) -> None:
    conversation = client.converse(endless)
    with client.open_answer(conversation, "hi", **LONG) as answer:
        assert answer.readline().startswith(b"data:{")
        until(lambda: client.busy_slots() == 1)
        stop = client.call("POST", f"/conversation/{conversation}/stop-generating")
        assert (stop.status, stop.body) == (200, b"")
        until(lambda: client.busy_slots() == 0)
        # http.client raises IncompleteRead where the terminal chunk is missing.
        events = read_events(b"data:{}\n" + answer.read())
    assert all(event.get("generated_text") is None for event in events)
    assert len(events) < LONG["max_new_tokens"]


def test_stop_works_every_time_and_with_nothing_to_stop(
    client: Client, endless: str
) -> None:
    conversation = client.converse(endless)
    path = f"/conversation/{conversation}/stop-generating"
    assert client.call("POST", path).status == 200
    for _ in range(3):
        with client.open_answer(conversation, "hi", **LONG) as answer:
            answer.readline()
            assert client.call("POST", path).status == 200
            answer.read()
        until(lambda: client.busy_slots() == 0)


def test_a_client_that_leaves_frees_the_slot(client: Client, endless: str) -> None:
    with client.open_answer(client.converse(endless), "hi", **LONG) as answer:
        answer.readline()
        until(lambda: client.busy_slots() == 1)
    until(lambda: client.busy_slots() == 0)


def test_a_client_that_leaves_an_unstreamed_answer_frees_the_slot(
    client: Client, endless: str
) -> None:
    path = f"/conversation/{client.converse(endless)}"
    headers = {"Authorization": f"Bearer {client.token}"}
    body = json.dumps(turn("hi", LONG) | {"stream": False})
    connection = http.client.HTTPConnection(client.url.removeprefix("http://"))
    connection.request("POST", path, body, headers)
    until(lambda: client.busy_slots() == 1)
    connection.close()
    until(lambda: client.busy_slots() == 0)


def test_stop_ends_an_unstreamed_answer_too(client: Client, endless: str) -> None:
    path = f"/conversation/{client.converse(endless)}"
    body = turn("hi", LONG) | {"stream": False}
    thread = threading.Thread(target=client.call, args=("POST", path, body))
    thread.start()
    until(lambda: client.busy_slots() == 1)
    assert client.call("POST", f"{path}/stop-generating").status == 200
    thread.join()
    until(lambda: client.busy_slots() == 0)


@pytest.mark.parametrize("stream", [True, False])
def test_stop_ends_an_answer_that_still_waits_for_its_turn(
    alone: Client, endless: str, *, stream: bool
) -> None:
    waiting = alone.converse(endless)
    replies: list[Reply] = []

    def ask() -> None:
        body = turn("hi", LONG) | {"stream": stream}
        replies.append(alone.call("POST", f"/conversation/{waiting}", body))

    with alone.open_answer(alone.converse(endless), "hi", **LONG) as first:
        first.readline()
        thread = threading.Thread(target=ask)
        thread.start()
        until(lambda: b"_waiting 1" in alone.call("GET", "/metrics").body)
        stop = alone.call("POST", f"/conversation/{waiting}/stop-generating")
        assert stop.status == 200
        thread.join()
    (reply,) = replies
    assert reply.status == 200
    assert reply.events == []


@pytest.fixture(scope="module")
def alone(start: Start) -> Client:
    """A server that writes one answer at a time."""
    return start("--slots", "1").client()


def test_a_turn_that_was_not_finished_is_not_remembered(
    client: Client, endless: str
) -> None:
    conversation = client.converse(endless)
    for _ in range(2):
        with client.open_answer(conversation, "left", **LONG) as answer:
            answer.readline()
        with client.open_answer(conversation, "stopped", **LONG) as answer:
            answer.readline()
            client.call("POST", f"/conversation/{conversation}/stop-generating")
            answer.read()
    chosen = LONG | {"max_new_tokens": 1, "return_full_text": True}
    prompt = client.ask(conversation, "again", **chosen)[-1]["generated_text"]
    assert prompt.startswith("<|prompt|>again<|endoftext|><|answer|>")


def test_the_next_turn_right_after_a_client_left_is_answered(client: Client) -> None:
    conversation = client.converse()
    with client.open_answer(conversation, "How do I stop an answer?") as answer:
        answer.readline()
    assert client.ask(conversation, "hello")[-1]["generated_text"]


def test_deleting_a_conversation_stops_its_answer(client: Client, endless: str) -> None:
    conversation = client.converse(endless)
    with client.open_answer(conversation, "hi", **LONG) as answer:
        answer.readline()
        assert client.call("DELETE", f"/conversation/{conversation}").status == 200
        answer.read()
    until(lambda: client.busy_slots() == 0)


def test_five_streams_with_four_slots_all_end(client: Client, endless: str) -> None:
    conversations = [client.converse(endless) for _ in range(5)]
    chosen = LONG | {"max_new_tokens": 300}
    last: dict[str, dict[str, Any]] = {}
    seen = []

    def ask(conversation: str) -> None:
        last[conversation] = client.ask(conversation, "hi", **chosen)[-1]

    threads = [threading.Thread(target=ask, args=(c,)) for c in conversations]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.append(client.busy_slots())
    assert sorted(last) == sorted(conversations)
    for event in last.values():
        assert event["details"]["generated_tokens"] == 300
    assert max(seen, default=0) <= 4
    until(lambda: client.busy_slots() == 0)


def test_who_waits_can_leave(start: Start, endless: str) -> None:
    client = start("--slots", "1").client()
    first, second, third = (client.converse(endless) for _ in range(3))
    with client.open_answer(first, "hi", **LONG) as answer:
        answer.readline()
        with client.open_answer(second, "hi", **LONG):
            until(lambda: client.busy_slots() == 1)
        client.call("POST", f"/conversation/{first}/stop-generating")
        answer.read()
    assert client.ask(third, "hi", **LONG | {"max_new_tokens": 1})[-1]["details"]
    until(lambda: client.busy_slots() == 0)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_second_question_to_a_conversation_waits_for_the_first(
    client: Client, endless: str, *, streamed: bool
) -> None:
    conversation = client.converse(endless)
    chosen = LONG | {"max_new_tokens": 400}
    with client.open_answer(conversation, "one", **chosen) as first:
        first.readline()
        body = turn("two", chosen | {"max_new_tokens": 1, "return_full_text": True})
        path = f"/conversation/{conversation}"
        reply = client.call("POST", path, body | {"stream": streamed})
        first.read()
    last = reply.events[-1] if streamed else reply.json[0]
    assert last["generated_text"].startswith("<|prompt|>one<|endoftext|><|answer|>")
    assert "<|prompt|>two<|endoftext|><|answer|>" in last["generated_text"]
