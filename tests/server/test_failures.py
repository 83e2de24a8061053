"""Whatever fails, the client is told, and the server lives on."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from h2o_magic.errors import ConfigurationError
from h2o_magic.server.engine import Admission, Engine
from h2o_magic.server.engine_stream import Chunk
from h2o_magic.server.models import Models
from h2o_magic.weights.memory import MemoryPlan
from tests.server.client import Client, turn, until
from tests.server.in_thread import served
from tests.server.test_stopping import LONG
from tests.server.tiny_gguf import write_llama


class Overbooked(Engine):
    """A real engine that lets in more answers than its memory can hold."""

    def __init__(self, path: Path, room: MemoryPlan) -> None:
        super().__init__(path, MemoryPlan(room.slots, room.context, 256, threads=1))
        self._admission = Admission(room.slots, 10**9)


def failing_at(report_number: int, failure: str | Exception) -> type[Engine]:
    """Return an engine that is real until it has given so many reports."""

    class Failing(Engine):
        def __init__(self, path: Path, room: MemoryPlan) -> None:
            super().__init__(path, room)

        @property
        def _complete(self) -> Callable[[str, Callable[[str], bool]], object]:
            real = super()._complete

            def complete(request: str, take: Callable[[str], bool]) -> None:
                reports = 0

                def count(report: str) -> bool:
                    nonlocal reports
                    reports += 1
                    return reports > report_number or take(report)

                real(request, count)
                if isinstance(failure, Exception):
                    raise failure
                if failure:
                    take(failure)

            return complete

    return Failing


ERROR = json.dumps({"error": {"code": 500, "message": "out of memory"}})


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


def refusal(client: Client, model: str, *, stream: bool = True) -> dict[str, Any]:
    """Ask what cannot be answered, and return the error that comes instead."""
    path = f"/conversation/{client.converse(model)}"
    reply = client.call("POST", path, turn("hi", LONG) | {"stream": stream})
    assert reply.status == 424
    assert isinstance(reply.json, dict)
    return reply.json


def test_what_nobody_foresaw_midway_is_told_without_its_words(endless: str) -> None:
    with served(Models(4, load=failing_at(5, "[]"))) as client:
        last = client.ask(client.converse(endless), "hi", **LONG)[-1]
        assert last == {"error": "Internal Error", "error_type": "internal"}


def test_an_engine_that_runs_out_of_memory_midway_says_so(endless: str) -> None:
    with served(Models(4, load=Overbooked)) as client:
        errors = [end for end in ends_of(client, endless, 2) if "error" in end]
        assert errors
        for error in errors:
            assert error["error_type"] == "generation"
        until(lambda: client.busy_slots() == 0)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (ERROR, "out of memory"),
        ("", "ended the answer without giving a reason"),
        (RuntimeError("boom"), "ended the answer without giving a reason"),
    ],
    ids=["reported", "silent", "raised"],
)
def test_a_failure_midway_is_the_last_event(
    endless: str, failure: str | Exception, words: str
) -> None:
    with served(Models(4, load=failing_at(5, failure))) as client:
        conversation = client.converse(endless)
        *tokens, last = client.ask(conversation, "hi", **LONG)
        assert len(tokens) >= 3
        assert all(event["generated_text"] is None for event in tokens)
        assert last["error_type"] == "generation"
        assert words in last["error"]
        until(lambda: client.busy_slots() == 0)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_failure_before_the_first_token_is_a_424(
    endless: str, *, streamed: bool
) -> None:
    with served(Models(4, load=failing_at(0, ERROR))) as client:
        reply = refusal(client, endless, stream=streamed)
        assert reply == {"error": "out of memory", "error_type": "generation"}


def test_without_a_stream_a_failure_midway_is_a_424(endless: str) -> None:
    with served(Models(4, load=failing_at(5, ERROR))) as client:
        assert refusal(client, endless, stream=False)["error_type"] == "generation"


def test_a_failed_turn_is_not_remembered(endless: str) -> None:
    with served(Models(4, load=failing_at(5, ERROR))) as client:
        conversation = client.converse(endless)
        client.ask(conversation, "failed", **LONG)
        chosen = LONG | {"max_new_tokens": 1, "return_full_text": True}
        last = client.ask(conversation, "next", **chosen)[-1]
        assert last["generated_text"].startswith("<|prompt|>next<|endoftext|>")


def test_weights_that_are_no_gguf_are_an_error_and_others_still_answer(
    client: Client, tmp_path: Path
) -> None:
    for name, content in (("text", b"not weights"), ("empty", b""), ("cut", b"GGUF")):
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(content)
        event = refusal(client, str(path))
        assert event["error_type"] == "generation"
        assert "is not a complete GGUF file" in event["error"]
        assert str(path) in event["error"]
    assert client.answer("hello")["generated_text"]


def test_weights_that_the_engine_refuses_are_an_error(
    client: Client, tmp_path: Path, noisy: str
) -> None:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(Path(noisy).read_bytes()[:-1000])
    event = refusal(client, str(path))
    assert "the engine cannot load damaged.gguf" in event["error"]
    assert client.answer("hello")["generated_text"]


def test_an_unforeseen_error_in_a_route_is_a_500_and_not_the_end(
    endless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_name: str) -> None:
        raise RuntimeError("unforeseen")

    with served(Models(4)) as client:
        with monkeypatch.context() as patched:
            patched.setattr("h2o_magic.server.offer.find_weights", crash)
            reply = client.call("POST", "/conversation", {"model": "llama-13b"})
            assert (reply.status, reply.json["error"]) == (500, "Internal Error")
        assert client.converse()


def test_an_engine_that_has_gone_is_an_error(noisy: str) -> None:
    engine = Engine(Path(noisy), MemoryPlan(1, 512, 512, threads=1))
    engine.close()
    with pytest.raises(Exception, match="the engine does not respond"):
        engine.tokenize("x", markers=False)


def test_the_engine_lets_nobody_else_in(noisy: str) -> None:
    engine = Engine(Path(noisy), MemoryPlan(1, 512, 512, threads=1))
    for path in ("/", "/health", "/models", "/v1/models", "/props", "/completion"):
        connection = http.client.HTTPConnection(
            urlsplit(engine._server.listening_address).netloc
        )
        connection.request("GET", path, headers={"Origin": "https://example.org"})
        answer = connection.getresponse()
        assert answer.status in (401, 404), path
        assert not answer.getheader("access-control-allow-origin")
        connection.close()
    engine.close()


def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read the weights"):
        Engine(tmp_path / "none.gguf", MemoryPlan(1, 1, 1))


def test_a_template_that_refuses_is_an_error(client: Client, tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}{% if m.content == 'hi' %}"
        "{{ raise_exception('no talking') }}{% endif %}{{ m.content }}{% endfor %}"
    )
    path = write_llama(tmp_path / "mute.gguf", template=template)
    event = refusal(client, str(path))
    assert "no talking" in event["error"]


def test_the_engines_stream_ends_with_the_reason(noisy: str) -> None:
    engine = Engine(Path(noisy), MemoryPlan(1, 512, 512, threads=1))
    request = {"prompt": [1], "max_tokens": 3, "temperature": 0.0}

    async def chunks() -> list[Chunk]:
        return [chunk async for chunk in engine.generate(lambda: request, 512)]

    *_, last = asyncio.run(chunks())
    assert (last.count, last.finish, last.token_id) == (3, "length", -1)
    engine.close()


def test_an_engine_outlives_its_event_loop(noisy: str) -> None:
    """As at the end of the server: a report comes and nobody is there to take it."""
    engine = Engine(Path(noisy), MemoryPlan(1, 512, 512, threads=1))
    request = {"prompt": [1], "max_tokens": 400, "temperature": 0.0}

    async def first_chunk() -> None:
        # The generator is kept, so that nothing but the loop's end ends it.
        chunks.append(engine.generate(lambda: request, 512))
        await anext(chunks[0])

    chunks: list[Any] = []
    loop = asyncio.new_event_loop()
    loop.run_until_complete(first_chunk())
    loop.close()
    engine.close()
