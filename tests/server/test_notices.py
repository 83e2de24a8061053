"""What is said to who waits: once it takes a while, and never as text."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.chat.events import Finished, Notice
from h2o_magic.chat.messages import user
from h2o_magic.errors import ConfigurationError
from h2o_magic.server import generation
from h2o_magic.server.engine import Engine
from h2o_magic.server.generation import Waiting
from h2o_magic.server.models import Models
from h2o_magic.weights.memory import MemoryPlan, memory_needed, plan_memory
from tests.server.client import Client, read_events, turn, until
from tests.server.in_thread import served
from tests.server.tiny_gguf import write_llama

#: An answer that goes on for seconds, of the model that never comes to an end.
LONG = {"max_new_tokens": 8000, "temperature": 0.1}
ONE = {"max_new_tokens": 1, "temperature": 0.1}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept quiet for a moment first, and no model counts as tiny."""
    monkeypatch.setattr(generation, "QUIET", 0.0)
    monkeypatch.setattr("h2o_magic.server.models.TINY_FILE", 0)


@pytest.fixture
def a(tmp_path: Path) -> str:
    return str(write_llama(tmp_path / "a.gguf"))


def notices(events: list[dict[str, Any]]) -> list[str]:
    return [event["h2o_magic"]["notice"] for event in events if "h2o_magic" in event]


class Gate:
    """Loads models only when it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.at_it = threading.Event()

    def load(self, path: Path, room: MemoryPlan) -> Engine:
        self.at_it.set()
        self.open.wait(60)
        return Engine(path, room)


def test_loading_is_said_with_the_size_and_is_no_text(a: str) -> None:
    gate = Gate()
    with served(Models(1, gate.load)) as client:
        conversation = client.converse(a)
        with client.open_answer(conversation, "hi", **ONE) as answer:
            first = answer.readline() + answer.readline()
            gate.open.set()
            events = read_events(first + answer.read())
    size = f"{Path(a).stat().st_size / 1e3:.0f} KB"
    assert notices(events)[0] == f"loading {a}, {size}"
    head, *_, last = events
    # A special token without text: clients that know no notices skip it.
    assert head == {
        "token": {"id": -1, "text": "", "logprob": None, "special": True},
        "generated_text": None,
        "details": None,
        "h2o_magic": {"notice": notices(events)[0]},
    }
    assert last["generated_text"] is not None
    assert "loading" not in last["generated_text"]


def test_a_client_that_wants_no_stream_gets_its_answer(a: str) -> None:
    gate = Gate()
    gate.open.set()
    with served(Models(1, gate.load)) as client:
        body = turn("hi", ONE) | {"stream": False}
        (answer,) = client.call(
            "POST", f"/conversation/{client.converse(a)}", body
        ).json
    assert set(answer) == {"generated_text", "details"}


def test_what_is_there_in_a_moment_is_not_announced(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shared server keeps quiet for a moment, as it does for users."""
    client.answer("hi", **ONE)
    events = client.ask(client.converse(), "hi", **ONE)
    assert notices(events) == []


def test_who_asks_for_a_model_that_is_being_loaded_is_told(
    a: str, tmp_path: Path
) -> None:
    b = str(write_llama(tmp_path / "b.gguf"))
    gate = Gate()
    with served(Models(1, gate.load)) as client:
        said = []
        with client.open_answer(client.converse(a), "hi", **ONE) as first:
            until(gate.at_it.is_set)
            for model in (a, b):
                with client.open_answer(client.converse(model), "hi", **ONE) as other:
                    said += notices(read_events(other.readline() + b"\n\n"))
            gate.open.set()
            first.read()
    assert said[0].startswith(f"loading {a}, ")
    assert said[1] == "waiting for another model to be loaded"


def test_our_own_client_is_told_in_the_openai_dialect(
    a: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h2o_magic.server.streaming._PATIENCE_SECONDS", 0.0)
    gate = Gate()
    with (
        served(Models(1, gate.load)) as client,
        closing(OpenAIBackend(client.url, token="token")) as backend,
    ):
        asked = ChatRequest(a, (user("hi"),), {"max_new_tokens": 1})
        with closing(backend.stream(asked)) as stream:
            first = next(stream)
            gate.open.set()
            *_, last = stream
    assert first == Notice(f"loading {a}, {Path(a).stat().st_size / 1e3:.0f} KB")
    assert isinstance(last, Finished)


def test_what_cannot_be_loaded_still_has_its_status(tmp_path: Path) -> None:
    def refuse(_path: Path, _room: MemoryPlan) -> Engine:
        time.sleep(0.1)  # so that its loading is said before
        raise ConfigurationError("it is broken")

    file = write_llama(tmp_path / "a.gguf")
    message = {"role": "user", "content": "hi"}
    body = {"model": str(file), "messages": [message], "stream": True}
    with served(Models(1, refuse)) as client:
        reply = client.call("POST", "/v1/chat/completions", body)
    assert reply.status == 500
    assert reply.json["error"]["message"] == "it is broken"


def test_waiting_for_a_slot_is_said_and_taken_back(endless: str) -> None:
    models = Models(1)
    with (
        served(models) as client,
        client.open_answer(client.converse(endless), "hi", **LONG) as first,
    ):
        until(lambda: models.busy_slots == 1)
        with client.open_answer(client.converse(endless), "hi", **ONE) as second:
            line = second.readline()
            first.close()
            events = read_events(line + second.read())
    said = notices(events)
    assert said[0] == "waiting for a free slot"
    assert set(said[1:]) <= {""}
    assert events[-1]["generated_text"] is not None


def test_waiting_for_memory_names_who_has_it(endless: str, tmp_path: Path) -> None:
    b = str(write_llama(tmp_path / "b.gguf"))
    path = Path(endless)
    models = Models(1, memory=memory_needed(path, plan_memory(path, 1, 2**40)))
    with served(models) as client:
        with client.open_answer(client.converse(endless), "hi", **LONG) as first:
            until(lambda: models.busy_slots == 1)
            with client.open_answer(client.converse(b), "hi", **ONE) as second:
                line = second.readline()
                assert client.call("GET", "/health").json["loaded"] == [endless]
                first.close()
                events = read_events(line + second.read())
        health = client.call("GET", "/health").json
    assert notices(events)[0] == f"waiting for memory used by {endless}"
    assert health["loaded"] == [b]
    assert 0 < health["memory_taken"] <= health["memory"] == models.memory


def test_who_leaves_while_it_loads_is_not_waited_for(a: str) -> None:
    gate = Gate()
    models = Models(1, gate.load)
    with served(models) as client:
        with client.open_answer(client.converse(a), "hi", **ONE) as answer:
            assert answer.read(5) == b"data:"
        until(gate.at_it.is_set)
        gate.open.set()
        until(lambda: models.loaded == [a])
        path = Path(a)
        until(lambda: asyncio.run(models.unload(path)))


def test_only_the_latest_words_count_and_the_work_is_cancelled_with_who_waits() -> None:
    async def run() -> None:
        told = Waiting()
        work = asyncio.ensure_future(asyncio.Event().wait())
        said = told.during(work)
        told.say("one")
        told.say("two")
        assert await anext(said) == "two"
        told.say("")
        assert await anext(said) == ""
        await said.aclose()
        assert work.cancelled()

    asyncio.run(run())


def test_work_that_fails_ends_the_waiting() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    async def run() -> None:
        work = asyncio.ensure_future(fail())
        assert [words async for words in Waiting().during(work)] == []
        with pytest.raises(ValueError, match="broken"):
            await work

    asyncio.run(run())
