"""What is said to who waits: once it takes a while, and never as text."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.chat.events import Finished, Notice
from h2o_magic.chat.messages import user
from h2o_magic.errors import ConfigurationError
from h2o_magic.server.engine_process import Engine
from h2o_magic.server.loading import loader
from h2o_magic.server.models import Models
from h2o_magic.weights.files import Weights
from h2o_magic.weights.memory import MemoryPlan, memory_needed, plan_memory
from tests.server.client import Client, turn, until
from tests.server.engines import real_models
from tests.server.in_thread import served
from tests.server.test_openai_routes import CHAT, ask, body, error, sse, text_of
from tests.server.tiny_gguf import write_llama

#: An answer that goes on for seconds, of the model that never comes to an end.
LONG = {"max_new_tokens": 8000, "temperature": 0.1}
ONE = {"max_new_tokens": 1, "temperature": 0.1}
TAKES_NOTICES = {"X-H2O-Magic": "notices"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept quiet for a moment first, and no model counts as tiny."""
    monkeypatch.setattr("h2o_magic.server.reply.QUIET", 0.0)
    monkeypatch.setattr("h2o_magic.server.models.TINY_FILE", 0)


@pytest.fixture
def a(tmp_path: Path) -> str:
    return str(write_llama(tmp_path / "a.gguf"))


def notices(stream: bytes) -> list[str]:
    """Return what is said in the comments of a stream."""
    comments = [line for line in stream.splitlines() if line.startswith(b": {")]
    return [json.loads(line[2:])["h2o_magic"]["notice"] for line in comments]


def last_of(stream: bytes) -> Any:
    return json.loads(sse(stream)[-1])


class Gate:
    """Loads models only when it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.at_it = threading.Event()

    async def load(self, weights: Weights, plan: MemoryPlan) -> Engine:
        self.at_it.set()
        while not self.open.is_set():
            await asyncio.sleep(0.01)
        return await loader(64)(weights, plan)

    def models(self) -> Models:
        return Models(1, self.load)


def size_of(path: str) -> str:
    return f"{Path(path).stat().st_size / 1e3:.0f} KB"


def test_loading_is_said_with_the_size_in_a_comment(a: str) -> None:
    gate = Gate()
    with served(gate.models) as client:
        conversation = client.converse(a)
        with client.open_answer(conversation, "hi", **ONE) as answer:
            first = answer.readline() + answer.readline()
            gate.open.set()
            rest = answer.read()
    assert notices(first) == [f"Loading {a}, {size_of(a)}"]
    assert first.endswith(b"\n\n")
    last = last_of(rest)
    assert last["generated_text"] is not None
    assert "loading" not in last["generated_text"]


def open_chat(
    client: Client, model: str, headers: Mapping[str, str], **given: Any
) -> Any:
    asked = body(model, stream=True, **{"max_tokens": 2, **given})
    return client.open("POST", CHAT, asked, headers)


def test_under_v1_it_is_said_to_who_takes_notices(a: str) -> None:
    gate = Gate()
    with (
        served(gate.models) as client,
        open_chat(client, a, TAKES_NOTICES) as answer,
    ):
        first = answer.readline() + answer.readline()
        weights = json.loads(answer.getheader("X-H2O-Magic-Weights"))
        gate.open.set()
        rest = answer.read()
    assert notices(first) == [f"Loading {a}, {size_of(a)}"]
    assert weights["model"] == a
    *events, done = sse(rest)
    assert all("choices" in json.loads(event) for event in events)
    assert done == "[DONE]"


@pytest.mark.parametrize("headers", [{}, {"X-H2O-Magic": "other"}], ids=str)
def test_nobody_else_gets_a_comment(a: str, headers: dict[str, str]) -> None:
    gate = Gate()
    gate.open.set()
    with (
        served(gate.models) as client,
        open_chat(client, a, headers) as answer,
    ):
        assert all(line[:1] != b":" for line in answer.read().splitlines())


def test_a_client_that_wants_no_stream_gets_its_answer(a: str) -> None:
    gate = Gate()
    gate.open.set()
    with served(gate.models) as client:
        asked = turn("hi", ONE) | {"stream": False}
        path = f"/conversation/{client.converse(a)}"
        (answer,) = client.call("POST", path, asked).json
        chat = client.call("POST", CHAT, body(a), TAKES_NOTICES)
    assert set(answer) == {"generated_text", "details"}
    assert text_of(chat)


def test_what_is_there_in_a_moment_is_not_announced(client: Client) -> None:
    """The shared server keeps quiet for a moment, as it does for users."""
    ask(client)
    with open_chat(client, "llama-13b", TAKES_NOTICES) as answer:
        assert notices(answer.read()) == []


def test_who_asks_for_a_model_that_is_being_loaded_is_told(
    a: str, tmp_path: Path
) -> None:
    b = str(write_llama(tmp_path / "b.gguf"))
    gate = Gate()
    with served(gate.models) as client:
        said = []
        with client.open_answer(client.converse(a), "hi", **ONE) as first:
            until(gate.at_it.is_set)
            for model in (a, b):
                with open_chat(client, model, TAKES_NOTICES) as other:
                    said += notices(other.readline())
            gate.open.set()
            first.read()
    assert said[0].startswith(f"Loading {a}, ")
    assert said[1] == "Waiting for another model to be loaded"


def test_our_own_client_is_told_in_the_openai_dialect(a: str) -> None:
    gate = Gate()

    def open_later() -> None:
        gate.at_it.wait(60)
        time.sleep(0.2)  # the notice comes meanwhile
        gate.open.set()

    with (
        served(gate.models) as client,
        closing(OpenAIBackend(client.url, token="token")) as ours,
    ):
        ours.models()  # which tells it whose server this is
        opening = threading.Thread(target=open_later)
        opening.start()
        asked = ChatRequest(a, (user("hi"),), {"max_new_tokens": 1})
        with closing(ours.stream(asked)) as stream:
            events = list(stream)
        opening.join()
    assert Notice(f"Loading {a}, {size_of(a)}") in events
    assert isinstance(events[-1], Finished)


def test_what_cannot_be_loaded_has_its_status_or_is_an_event_after_a_notice(
    a: str,
) -> None:
    async def refuse(_weights: Weights, _plan: MemoryPlan) -> Engine:
        await asyncio.sleep(0.1)  # so that its loading is said before
        raise ConfigurationError("it is broken")

    with served(lambda: Models(1, refuse)) as client:
        found = error(ask(client, model=a, stream=True), 400)
        assert found["message"] == "it is broken"
        with open_chat(client, a, TAKES_NOTICES) as answer:
            stream = answer.read()
            assert answer.status == 200
        event, done = sse(stream)
        assert json.loads(event)["error"]["message"] == "it is broken"
        assert done == "[DONE]"
        old = client.failure(a)
        assert old == {"error": "it is broken", "error_type": "validation"}


def test_waiting_for_a_slot_is_said_and_taken_back(endless: str) -> None:
    with (
        served(lambda: real_models(1)) as client,
        client.open_answer(client.converse(endless), "hi", **LONG) as first,
    ):
        until(lambda: client.busy_slots() == 1)
        with open_chat(client, endless, TAKES_NOTICES) as second:
            line = second.readline()
            first.close()
            stream = line + b"\n" + second.read()
    said = notices(stream)
    assert said[0] == "Waiting for a free slot"
    assert set(said[1:]) <= {""}
    assert sse(stream)[-1] == "[DONE]"


def test_waiting_for_memory_names_who_has_it(endless: str, tmp_path: Path) -> None:
    b = str(write_llama(tmp_path / "b.gguf"))
    path = Path(endless)
    memory = memory_needed(path, plan_memory(path, 1, 2**40))
    with served(lambda: real_models(1, memory=memory)) as client:
        with client.open_answer(client.converse(endless), "hi", **LONG) as first:
            until(lambda: client.busy_slots() == 1)
            with client.open_answer(client.converse(b), "hi", **ONE) as second:
                line = second.readline()
                assert client.call("GET", "/health").json["loaded"] == [endless]
                first.close()
                stream = line + b"\n" + second.read()
        health = client.call("GET", "/health").json
    assert notices(stream)[0] == f"Waiting for memory used by {endless}"
    assert health["loaded"] == [b]
    assert 0 < health["memory_taken"] <= health["memory"] == memory


def test_who_leaves_while_it_loads_is_not_waited_for(a: str) -> None:
    gate = Gate()
    with served(gate.models) as client:
        with client.open_answer(client.converse(a), "hi", **ONE) as answer:
            assert answer.read(5) == b': {"h'
        until(gate.at_it.is_set)
        gate.open.set()
        until(lambda: client.call("GET", "/health").json["loaded"] == [a])
        asked = {"paths": [a]}
        until(lambda: client.call("POST", "/api/unload", asked).json == {"in_use": []})
        assert client.call("GET", "/health").json["loaded"] == []


@pytest.mark.parametrize("headers", [{}, TAKES_NOTICES], ids=["others", "ours"])
def test_how_much_of_a_long_prompt_is_read_is_said_in_tenths_to_who_takes_notices(
    a: str, headers: Mapping[str, str]
) -> None:
    messages = [{"role": "user", "content": "a long question " * 130}]
    with (
        served(real_models) as client,
        open_chat(client, a, headers, messages=messages) as answer,
    ):
        stream = answer.read()
    *events, done = sse(stream)
    assert not any("prompt_progress" in event for event in events)
    assert done == "[DONE]"
    said = [n for n in notices_with_progress(stream) if n[0].startswith("Reading ")]
    assert len(said) <= 11
    assert bool(said) is bool(headers)
    assert {words for words, _ in said} <= {f"Reading {tokens_of(events):,} tokens"}
    shown = [done for _, done in said]
    assert shown == sorted(set(shown))
    assert all(0 <= done <= 1 and round(10 * done) == 10 * done for done in shown)


def test_our_own_client_gets_the_progress_as_notices(a: str) -> None:
    with (
        served(real_models) as client,
        closing(OpenAIBackend(client.url, token="token")) as ours,
    ):
        ours.models()  # which tells it whose server this is
        question = user("a long question " * 130)
        asked = ChatRequest(a, (question,), {"max_new_tokens": 1})
        with closing(ours.stream(asked)) as stream:
            said = [event for event in stream if isinstance(event, Notice)]
    reading = [notice for notice in said if notice.text.startswith("Reading ")]
    assert reading
    assert all(notice.progress is not None for notice in reading)


def test_a_short_prompt_is_not_said_to_be_read(a: str) -> None:
    with (
        served(real_models) as client,
        open_chat(client, a, TAKES_NOTICES) as answer,
    ):
        assert "Reading" not in answer.read().decode()


def notices_with_progress(stream: bytes) -> list[tuple[str, float]]:
    comments = [line for line in stream.splitlines() if line.startswith(b": {")]
    ours = [json.loads(line[2:])["h2o_magic"] for line in comments]
    return [(said["notice"], said.get("progress", 0.0)) for said in ours]


def tokens_of(events: list[str]) -> int:
    timings = [json.loads(event).get("timings", {}) for event in events]
    return next(int(each["prompt_n"]) for each in timings if each)
