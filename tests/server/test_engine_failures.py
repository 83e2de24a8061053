"""Whatever fails, the client is told, and the server lives on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from h2o_magic.errors import ConfigurationError
from h2o_magic.server.engine_errors import refusal as refusal_of
from h2o_magic.server.engine_process import Engine
from h2o_magic.server.loading import loader
from h2o_magic.server.models import Models
from h2o_magic.server.request_queue import RequestQueue
from h2o_magic.weights.files import Weights
from h2o_magic.weights.gguf import read_header
from h2o_magic.weights.memory import MemoryPlan
from tests.server.client import Client, turn, until
from tests.server.engines import Script, real_models, send_events
from tests.server.in_thread import served
from tests.server.test_stopping import LONG
from tests.server.tiny_gguf import write_llama


async def overbooked(weights: Weights, plan: MemoryPlan) -> Engine:
    """Start a real engine that lets in more answers than its memory can hold."""
    small = MemoryPlan(plan.slots, plan.context, 1024, threads=1)
    engine = await loader(64)(weights, small)
    engine.queue = RequestQueue(plan.slots, 10**9, 64)
    return engine


TOKEN = {"content": "a", "tokens": [1], "stop": False}
ERROR = {"error": {"code": 500, "message": "out of memory", "type": "server_error"}}
#: How an answer fails, and what is said of it.
FAILURES: dict[str, tuple[tuple[object, ...], bool, str]] = {
    "reported": ((ERROR,), False, "out of memory"),
    "silent": ((), False, "ended the answer without giving a reason"),
    "cut": ((), True, "does not respond"),
    "odd": (([],), False, "internal error of the engine"),
}


def failing(kind: str, tokens: int) -> Script:
    """Return an engine that fails after so many tokens, of which it first had some."""
    events, cut, _ = FAILURES[kind]

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/apply-template":
            return web.json_response({"prompt": "prompt"})
        if request.path == "/tokenize":
            return web.json_response({"tokens": [1, 2]})
        if tokens == 0 and events:
            return web.json_response(events[0], status=500)
        return await send_events(request, *[TOKEN] * tokens, *events, cut=cut)

    return Script(answer)


@pytest.fixture
def server() -> Iterator[Client]:
    with served(real_models) as client:
        yield client


def ends_of(client: Client, model: str, count: int) -> list[dict[str, Any]]:
    """Ask so many long questions at once, and return their last events."""
    ends: list[dict[str, Any]] = []

    def ask(conversation: str) -> None:
        ends.append(client.ask(conversation, "hi", **LONG)[-1])

    conversations = [client.converse(model) for _ in range(count)]
    threads = [threading.Thread(target=ask, args=(c,)) for c in conversations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def refusal(
    client: Client, model: str, status: int, *, stream: bool = True
) -> dict[str, Any]:
    """Ask what cannot be answered, and return the error that comes instead."""
    path = f"/conversation/{client.converse(model)}"
    reply = client.call("POST", path, turn("hi", LONG) | {"stream": stream})
    assert reply.status == status
    assert isinstance(reply.json, dict)
    return reply.json


def test_an_engine_that_runs_out_of_memory_midway_says_so(endless: str) -> None:
    with served(lambda: Models(4, overbooked)) as client:
        errors = [end for end in ends_of(client, endless, 2) if "error" in end]
        assert errors
        for error in errors:
            assert error["error_type"] == "generation"
        until(lambda: client.busy_slots() == 0)
        # The engine lives on.
        assert client.answer("hi", endless, max_new_tokens=1)["details"]


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_midway_is_the_last_event(kind: str) -> None:
    with served(failing(kind, 5).models) as client:
        *tokens, last = client.ask(client.converse(), "hi", **LONG)
        assert len(tokens) >= 3 or kind == "cut"  # what was cut may be lost
        assert all(event["generated_text"] is None for event in tokens)
        assert last["error_type"] == "generation"
        assert FAILURES[kind][2] in last["error"]
        until(lambda: client.busy_slots() == 0)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_before_the_first_token_is_a_424(
    kind: str, *, streamed: bool
) -> None:
    with served(failing(kind, 0).models) as client:
        reply = refusal(client, "llama-13b", 424, stream=streamed)
        assert reply["error_type"] == "generation"


@pytest.mark.parametrize("kind", FAILURES)
def test_without_a_stream_a_failure_midway_is_a_424(kind: str) -> None:
    with served(failing(kind, 5).models) as client:
        reply = refusal(client, "llama-13b", 424, stream=False)
        assert FAILURES[kind][2] in reply["error"]


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failed_turn_is_not_remembered(kind: str) -> None:
    script = failing(kind, 5)
    with served(script.models) as client:
        conversation = client.converse()
        for text in ("failed", "next"):
            client.ask(conversation, text, **LONG)
    asked = [json.loads(b) for path, b in script.asked if path == "/apply-template"]
    assert asked[-1]["messages"] == [{"role": "user", "content": "next"}]


@pytest.mark.parametrize(
    ("message", "kind", "status", "code"),
    [
        ("Context size has been exceeded.", "server_error", 500, "generation_failed"),
        ("Compute error.", "server_error", 500, "generation_failed"),
        ("Jinja Exception: no talking", "server_error", 400, "invalid_value"),
    ],
)
def test_of_what_the_engine_calls_its_own_error_the_request_s_is_a_400(
    message: str, kind: str, status: int, code: str
) -> None:
    body = json.dumps({"error": {"message": message, "type": kind}}).encode()
    error = refusal_of(body, 500)
    assert (str(error), error.status, error.code) == (message, status, code)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": {}}'])
def test_an_error_of_no_known_shape_is_one_of_the_engine(body: bytes) -> None:
    error = refusal_of(body, 502)
    assert (str(error), error.status) == ("internal error of the engine", 502)


def test_weights_that_are_no_gguf_are_an_error_and_others_still_answer(
    client: Client, tmp_path: Path
) -> None:
    for name, content in (("text", b"not weights"), ("empty", b""), ("cut", b"GGUF")):
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(content)
        event = refusal(client, str(path), 422)
        assert event["error_type"] == "validation"
        assert "is not a complete GGUF file" in event["error"]
        assert str(path) in event["error"]
    assert client.answer("hello")["generated_text"]


def test_weights_that_the_engine_refuses_are_an_error(
    client: Client, tmp_path: Path, noisy: str
) -> None:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(Path(noisy).read_bytes()[:-1000])
    event = refusal(client, str(path), 422)
    assert "the engine cannot load damaged.gguf" in event["error"]
    assert client.answer("hello")["generated_text"]


def test_an_unforeseen_error_in_a_route_is_a_500_and_not_the_end(
    server: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("unforeseen")

    with monkeypatch.context() as patched:
        patched.setattr("h2o_magic.server.offer.find_weights", crash)
        reply = server.call("POST", "/conversation", {"model": "llama-13b"})
        assert (reply.status, reply.json["error"]) == (500, "Internal Error")
    assert server.converse()


def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read the weights"):
        read_header(tmp_path / "none.gguf")


def test_a_template_that_refuses_is_an_error(client: Client, tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}{% if m.content == 'hi' %}"
        "{{ raise_exception('no talking') }}{% endif %}{{ m.content }}{% endfor %}"
    )
    path = write_llama(tmp_path / "mute.gguf", template=template)
    event = refusal(client, str(path), 422)
    assert "no talking" in event["error"]
    asked = {"model": str(path), "messages": [{"role": "user", "content": "hi"}]}
    reply = client.call("POST", "/v1/chat/completions", asked)
    assert reply.status == 400
    assert "no talking" in reply.json["error"]["message"]
