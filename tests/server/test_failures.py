"""Whatever fails, the client is told, and the server lives on."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from h2o_magic.server.gptgm.events import TokenEvent
from h2o_magic.server.loading import loader
from h2o_magic.server.models import Models
from tests.server.client import Client, Reply, read_events, turn, until
from tests.server.conftest import Serving, Start
from tests.server.in_thread import served
from tests.server.test_openai_routes import CHAT, body, error, sse
from tests.server.test_stopping import LONG
from tests.server.tiny_gguf import write_llama


@pytest.fixture(scope="module")
def frail(start: Start) -> Serving:
    """A server whose engines are killed."""
    return start("--idle-minutes", "0")


def engines(serving: Serving) -> list[psutil.Process]:
    return psutil.Process(serving.process.pid).children()


def kill_engines(serving: Serving) -> None:
    for process in engines(serving):
        process.kill()


def kill_at_work(serving: Serving) -> threading.Thread:
    """Kill the engines as soon as one writes an answer."""

    def work() -> None:
        until(lambda: serving.client().busy_slots() == 1)
        kill_engines(serving)

    killing = threading.Thread(target=work)
    killing.start()
    return killing


def models() -> Models:
    return Models(4, loader(64))


def refusal(client: Client, model: str, *, stream: bool = True) -> dict[str, Any]:
    """Ask what cannot be answered, and return the error that comes instead."""
    path = f"/conversation/{client.converse(model)}"
    reply = client.call("POST", path, turn("hi", LONG) | {"stream": stream})
    assert (reply.status, reply.json["error_type"]) == (422, "validation")
    assert isinstance(reply.json, dict)
    return reply.json


def test_when_an_engine_dies_midway_its_streams_end_with_that(
    frail: Serving, endless: str
) -> None:
    client = frail.client()
    conversation = client.converse(endless)
    with client.open_answer(conversation, "hi", **LONG) as old:
        old.readline()
        asked = body(endless, stream=True, max_tokens=8000)
        with client.open("POST", CHAT, asked) as new:
            new.readline()
            kill_engines(frail)
            *_, last, done = sse(b"data: {}\n" + new.read())
        *tokens, end = read_events(b"data:{}\n" + old.read())
    assert all(event.get("generated_text") is None for event in tokens)
    assert end["error_type"] == "generation"
    found = json.loads(last)["error"]
    assert (found["code"], done) == ("generation_failed", "[DONE]")
    for words in (end["error"], found["message"]):
        assert "the engine of endless has ended unexpectedly" in words
        assert "it is started again" in words
    until(lambda: client.busy_slots() == 0)


def test_when_an_engine_dies_answers_at_once_are_a_500_or_a_424(
    frail: Serving, endless: str
) -> None:
    client = frail.client()
    killing = kill_at_work(frail)
    found = error(client.call("POST", CHAT, body(endless, max_tokens=8000)), 500)
    assert found["code"] == "generation_failed"
    killing.join()
    path = f"/conversation/{client.converse(endless)}"
    killing = kill_at_work(frail)
    reply = client.call("POST", path, turn("hi", LONG) | {"stream": False})
    assert (reply.status, reply.json["error_type"]) == (424, "generation")
    killing.join()


def test_the_death_of_an_engine_is_nothing_to_the_others(
    frail: Serving, endless: str
) -> None:
    client = frail.client()
    kill_engines(frail)
    until(lambda: engines(frail) == [])
    client.answer("hello", max_new_tokens=1)
    (of_another,) = engines(frail)
    with client.open("POST", CHAT, body(endless, stream=True, max_tokens=400)) as left:
        left.readline()
        of_another.kill()
        assert sse(b"data: {}\n" + left.read())[-1] == "[DONE]"
    assert client.answer("hello")["generated_text"]


def test_the_next_question_starts_a_dead_engine_again(frail: Serving) -> None:
    client = frail.client()
    for _ in range(3):
        assert client.answer("hello")["generated_text"]
        kill_engines(frail)
        until(lambda: engines(frail) == [])


def test_a_turn_that_failed_is_not_remembered(frail: Serving, endless: str) -> None:
    client = frail.client()
    conversation = client.converse(endless)
    with client.open_answer(conversation, "failed", **LONG) as answer:
        answer.readline()
        kill_engines(frail)
        answer.read()
    chosen = LONG | {"max_new_tokens": 1, "return_full_text": True}
    last = client.ask(conversation, "next", **chosen)[-1]
    assert last["generated_text"].startswith("<|prompt|>next<|endoftext|>")


def test_what_nobody_foresaw_midway_is_told_without_its_words(
    endless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, events = TokenEvent.encode, 0

    def encode(self: TokenEvent) -> bytes:
        nonlocal events
        events += 1
        if events > 5:
            raise RuntimeError("unforeseen")
        return real(self)

    monkeypatch.setattr(TokenEvent, "encode", encode)
    with served(models) as client:
        last = client.ask(client.converse(endless), "hi", **LONG)[-1]
        assert last == {"error": "Internal Error", "error_type": "internal"}
        until(lambda: client.busy_slots() == 0)


def test_an_unforeseen_error_in_a_route_is_a_500_and_not_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("unforeseen")

    with served(models) as client:
        with monkeypatch.context() as patched:
            patched.setattr("h2o_magic.server.offer.find_weights", crash)
            old = client.call("POST", "/conversation", {"model": "llama-13b"})
            new = client.call("POST", CHAT, body())
        for reply in (old, new):
            assert (reply.status, reply.words) == (500, "Internal Error")
        assert client.converse()


def test_weights_that_are_no_gguf_are_the_requests_fault_and_others_still_answer(
    client: Client, tmp_path: Path
) -> None:
    for name, content in (("text", b"not weights"), ("empty", b""), ("cut", b"GGUF")):
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(content)
        for words in (
            refusal(client, str(path))["error"],
            error(client.call("POST", CHAT, body(str(path))), 400)["message"],
        ):
            assert "is not a complete GGUF file" in words
            assert path.name in words
    assert client.answer("hello")["generated_text"]


@pytest.mark.parametrize("stream", [True, False])
def test_weights_that_the_engine_refuses_are_the_requests_fault(
    client: Client, tmp_path: Path, noisy: str, *, stream: bool
) -> None:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(Path(noisy).read_bytes()[:-1000])
    words = "the engine cannot load damaged.gguf"
    assert words in refusal(client, str(path), stream=stream)["error"]
    reply = client.call("POST", CHAT, body(str(path), stream=stream))
    found = error(reply, 400)
    assert words in found["message"]
    assert (found["code"], found["param"]) == ("model_not_usable", "model")
    assert client.answer("hello")["generated_text"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_template_that_refuses_is_the_requests_fault(
    client: Client, tmp_path: Path, *, stream: bool
) -> None:
    template = (
        "{% for m in messages %}{% if m.content == 'hi' %}"
        "{{ raise_exception('no talking') }}{% endif %}{{ m.content }}{% endfor %}"
    )
    path = str(write_llama(tmp_path / "mute.gguf", template=template))
    assert "no talking" in refusal(client, path, stream=stream)["error"]
    said = [{"role": "user", "content": "hi"}]
    reply = client.call("POST", CHAT, body(path, messages=said, stream=stream))
    assert "no talking" in error(reply, 400)["message"]


def test_the_engine_lets_nobody_else_in(frail: Serving) -> None:
    client = frail.client()
    client.answer("hello", max_new_tokens=1)
    engine = engines(frail)[-1]
    (address,) = [c.laddr for c in engine.net_connections("tcp") if c.status == LISTEN]
    assert address.ip == "127.0.0.1"
    for path in ("/", "/health", "/models", "/v1/models", "/props", "/completion"):
        for key in ("", client.token):
            assert status_of(address.port, path, key) in (401, 404)


LISTEN = psutil.CONN_LISTEN


def status_of(port: int, path: str, key: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Origin": "https://example.org", "Authorization": f"Bearer {key}"}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    assert not answer.getheader("access-control-allow-origin")
    connection.close()
    return answer.status


def test_what_an_engine_has_beside_its_answers_stays_shut(client: Client) -> None:
    client.answer("hello", max_new_tokens=1)
    for path in ("/props", "/slots", "/tools", "/completion", "/infill", "/v1/health"):
        for method in ("GET", "POST"):
            reply: Reply = client.call(method, path)
            assert reply.status == 404
            assert reply.words.startswith("unknown path")
