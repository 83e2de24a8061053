"""An engine that dies or hangs: what its requests get, and that nobody else notices."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from h2o_magic.weights.memory import memory_needed, plan_memory
from tests.server.client import Client, Reply, turn, until
from tests.server.engines import engines, real_models
from tests.server.in_thread import served
from tests.server.test_openai_routes import CHAT, ask, body, error, sse, text_of
from tests.server.test_stopping import LONG

#: Each rule doubles what the engine's main loop has to follow.
BOMB = "root ::= " + "".join(f"r{n}? r{n}?\nr{n} ::= " for n in range(20)) + '"a"? "b"?'


@pytest.fixture
def server() -> Iterator[Client]:
    with served(real_models) as client:
        yield client


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine is ended after a second of processor time."""
    monkeypatch.setattr("h2o_magic.server.engine_process._HANG_SECONDS", 1.0)
    monkeypatch.setattr("h2o_magic.server.engine_process._POLL_SECONDS", 0.1)


def in_background(work: Callable[[], Reply]) -> tuple[threading.Thread, list[Reply]]:
    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.append(work()))
    thread.start()
    return thread, replies


# It dies


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_an_engine_that_dies_ends_its_own_streams_with_one_error_and_no_others(
    server: Client, endless: str, noisy: str, number: signal.Signals
) -> None:
    asked = body(max_tokens=8000, stream=True)
    with (
        server.open("POST", CHAT, {**asked, "model": endless}) as dies,
        server.open("POST", CHAT, {**asked, "model": noisy}) as lives,
    ):
        dies.readline()
        lives.readline()
        first, _ = engines()
        os.kill(first.pid, number)
        *_, failed, done = sse(b"data: {}\n" + dies.read())
        assert done == "[DONE]"
        found = json.loads(failed)["error"]
        assert "the engine of endless has ended unexpectedly" in found["message"]
        assert found["type"] == "server_error"
        assert "error" not in sse(b"data: {}\n" + lives.read())[-2]
    assert ask(server, model=endless).json["usage"]["completion_tokens"] == 24
    assert first.pid not in [engine.pid for engine in engines()]


def test_without_a_stream_a_dead_engine_is_a_500_and_the_next_request_is_answered(
    server: Client, endless: str
) -> None:
    asked = body(endless, max_tokens=8000)
    thread, replies = in_background(lambda: server.call("POST", CHAT, asked))
    until(lambda: server.busy_slots() == 1)
    os.kill(engines()[0].pid, signal.SIGKILL)
    thread.join()
    assert error(replies[0], 500)["code"] == "generation_failed"
    assert text_of(ask(server, model=endless))
    assert server.call("GET", "/health").json["loaded"] == [endless]


def test_in_the_old_protocol_it_is_the_last_event_and_the_turn_is_not_remembered(
    server: Client, endless: str
) -> None:
    conversation = server.converse(endless)
    with server.open_answer(conversation, "hi", **LONG) as answer:
        answer.readline()
        os.kill(engines()[0].pid, signal.SIGKILL)
        last = json.loads(answer.read().split(b"data:")[-1])
    assert last["error_type"] == "generation"
    assert "has ended unexpectedly" in last["error"]
    chosen = LONG | {"max_new_tokens": 1, "return_full_text": True}
    text = server.ask(conversation, "next", **chosen)[-1]["generated_text"]
    assert text.startswith("<|prompt|>next<|endoftext|>")


def test_an_idle_engine_that_has_died_is_started_anew(
    server: Client, noisy: str
) -> None:
    before = text_of(ask(server, model=noisy))
    for _ in range(3):
        (engine,) = engines()
        os.kill(engine.pid, signal.SIGKILL)
        until(lambda: server.call("GET", "/health").json["loaded"] == [])
        assert server.call("GET", "/health").json["memory_taken"] == 0
        assert text_of(ask(server, model=noisy)) == before


def test_an_engine_lets_nobody_in_without_its_key(server: Client, noisy: str) -> None:
    assert text_of(ask(server, model=noisy))
    (engine,) = engines()
    (port,) = [
        connection.laddr.port
        for connection in engine.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    stranger = Client(f"http://127.0.0.1:{port}", "wrong")
    for path in ("/", "/health", "/models", "/v1/models", "/props", "/metrics"):
        reply = stranger.call("GET", path, headers={"Origin": "https://example.org"})
        assert reply.status in (401, 404), path
        assert not reply.headers.get("access-control-allow-origin")


def test_an_engine_whose_memory_another_model_needs_ends(
    endless: str, noisy: str
) -> None:
    memory = memory_needed(Path(endless), plan_memory(Path(endless), 4, 2**40))
    with served(lambda: real_models(memory=memory)) as client:
        for _ in range(2):
            before = engines()
            for model in (endless, noisy):
                assert ask(client, model=model).status == 200
                assert client.call("GET", "/health").json["loaded"] == [model]
                (engine,) = engines()
                assert engine not in before
                before = [engine]
    assert engines() == []


# It hangs


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.usefixtures("impatient")
def test_a_request_that_the_engine_cannot_get_done_is_a_400(
    server: Client, noisy: str, *, stream: bool
) -> None:
    found = error(ask(server, model=noisy, grammar=BOMB, stream=stream), 400)
    assert "did not get done with this request" in found["message"]
    assert text_of(ask(server, model=noisy))


@pytest.mark.usefixtures("impatient")
def test_in_the_old_protocol_a_hanging_engine_is_an_error_too(
    server: Client, noisy: str
) -> None:
    bomb, _ = in_background(lambda: ask(server, model=noisy, grammar=BOMB))
    until(lambda: server.busy_slots() == 1)
    path = f"/conversation/{server.converse(noisy)}"
    reply = server.call("POST", path, turn("hi", {"max_new_tokens": 1}))
    assert (reply.status, reply.json["error_type"]) == (424, "generation")
    assert "did not respond any more" in reply.json["error"]
    bomb.join()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.usefixtures("impatient")
def test_who_was_not_answered_yet_by_an_engine_that_hung_is_asked_again(
    server: Client, noisy: str, *, streamed: bool
) -> None:
    expected = text_of(ask(server, model=noisy))
    bomb, bombed = in_background(lambda: ask(server, model=noisy, grammar=BOMB))
    until(lambda: server.busy_slots() == 1)
    reply = ask(server, model=noisy, stream=streamed)
    assert reply.status == 200
    if not streamed:
        assert text_of(reply) == expected
    bomb.join()
    error(bombed[0], 400)


@pytest.mark.usefixtures("impatient")
def test_an_engine_with_much_to_do_is_left_alone(server: Client, endless: str) -> None:
    """By processor time each of these would be enough: none of them hangs."""
    ask(server, model=endless)
    (engine,) = engines()

    def spent() -> float:
        times = engine.cpu_times()
        return times.user + times.system

    def at_it(work: Callable[[], Reply]) -> None:
        begun = spent()
        while spent() < begun + 2:
            assert work().status == 200

    at_it(lambda: ask(server, model=endless, max_tokens=300))
    text = {"model": endless, "content": "word " * 20_000}
    at_it(lambda: server.call("POST", "/tokenize", text))
    # Nor does one whose client does not read.
    unread = server.start("POST", CHAT, body(endless, max_tokens=8000, stream=True))
    at_it(lambda: ask(server, model=endless, max_tokens=300, stream=True))
    unread.close()
    assert [process.pid for process in engines()] == [engine.pid]
