"""The client against this package's own server: a real process, real weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.gptgm import GptGmBackend, create_completion
from h2o_magic.backends.gptgm.api import GptGmClient
from h2o_magic.backends.http import DEFAULT_TIMEOUTS, Endpoint
from h2o_magic.chat.events import Event, Finished, Source, TextDelta, Usage
from h2o_magic.chat.messages import Message, assistant, user
from h2o_magic.errors import StatusError

LONG = {"max_new_tokens": 400, "seed": 1, "repetition_penalty": 1.0}
SHORT = {"max_new_tokens": 20, "seed": 1}
DEMO = "ignore::h2o_magic.errors.DemoWeightsWarning"


class Local:
    """A server process that can be ended and started again elsewhere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runtime = folder / "runtime.json"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "h2o_magic.cli", "serve"]
        command += ["--slots", "1", "--idle-minutes", "0"]
        command += ["--runtime-file", str(self._runtime)]
        command += ["--log-file", str(self._folder / "server.log")]
        environment = os.environ | {"HF_HUB_CACHE": str(self._folder / "hub")}
        self._process = subprocess.Popen(command, env=environment)
        eventually(self._runtime.exists)

    def end(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=60)

    def endpoint(self) -> Endpoint:
        written = json.loads(self._runtime.read_text())
        return Endpoint(written["url"], written["token"])

    def busy(self) -> int:
        calls = GptGmClient(self.endpoint(), timeouts=DEFAULT_TIMEOUTS)
        health = calls.get("/health")
        calls.close()
        return int(health["busy_slots"])


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    server = Local(tmp_path_factory.mktemp("local"))
    server.start()
    yield server
    server.end()


@pytest.fixture
def backend(local: Local) -> Iterator[GptGmBackend]:
    with closing(GptGmBackend(connection=local.endpoint)) as backend:
        yield backend


def ask(
    backend: GptGmBackend, *messages: Message, parameters: Any = SHORT, **kwargs: Any
) -> list[Event]:
    request = ChatRequest("llama-13b", messages, parameters, **kwargs)
    return list(backend.stream(request))


def text_of(events: list[Event]) -> str:
    assert isinstance(events[-1], Finished)
    return events[-1].text


def prompt_tokens(events: list[Event]) -> int:
    (usage,) = (event for event in events if isinstance(event, Usage))
    assert usage.prompt_tokens is not None
    return usage.prompt_tokens


def test_an_answer_says_what_really_answered(backend: GptGmBackend) -> None:
    events = ask(backend, user("What is a cell magic?"))
    assert events[0] == Source("llama-13b", "built-in demo weights", True)
    streamed = "".join(e.text for e in events if isinstance(e, TextDelta))
    assert streamed == text_of(events) != ""


def test_a_second_turn_has_the_first_in_its_context(backend: GptGmBackend) -> None:
    question = user("What is a cell magic?")
    first = ask(backend, question)
    answered = assistant(text_of(first))
    second = ask(backend, question, answered, user("And?"))
    assert prompt_tokens(second) > prompt_tokens(first)


def test_closing_an_answer_frees_the_slot(local: Local, backend: GptGmBackend) -> None:
    request = ChatRequest("llama-13b", (user("Tell me all."),), LONG)
    stream = backend.stream(request)
    next(stream)
    stream.close()
    eventually(lambda: local.busy() == 0)
    assert text_of(ask(backend, user("Hi")))


def test_strict_is_refused_with_the_way_out(backend: GptGmBackend) -> None:
    with pytest.raises(StatusError) as caught:
        ask(backend, user("Hi"), strict=True)
    assert str(caught.value).startswith("llama-13b has no weights on this machine: ")
    assert "%h2o pull llama-13b" in str(caught.value)
    assert caught.value.status == 422


def test_a_model_that_nobody_knows_is_refused_with_the_nearest(
    backend: GptGmBackend,
) -> None:
    request = ChatRequest("lama-13b", (user("Hi"),), SHORT)
    with pytest.raises(StatusError) as caught:
        list(backend.stream(request))
    assert str(caught.value) == "unknown model 'lama-13b': did you mean 'llama-13b'?"
    assert caught.value.status == 422


def test_the_models_are_listed_with_their_weights(backend: GptGmBackend) -> None:
    (model,) = (m for m in backend.models() if m.name == "llama-13b")
    assert model.demo
    assert model.weights == "built-in demo weights"
    assert model.size
    assert model.context


def test_a_wrong_token_is_refused_with_a_reason(local: Local) -> None:
    url = local.endpoint().url
    with (
        closing(GptGmBackend(url, token="wrong")) as backend,
        pytest.raises(StatusError, match="needs a valid key"),
    ):
        ask(backend, user("Hi"))


def test_create_completion_can_be_strict(local: Local) -> None:
    endpoint = local.endpoint()
    with pytest.raises(StatusError, match="llama-13b has no weights"):
        create_completion(
            "llama-13b",
            [{"role": "user", "content": "Hi"}],
            False,
            base_url=endpoint.url,
            token=endpoint.token,
            strict=True,
        )


@pytest.mark.filterwarnings(DEMO)
def test_create_completion_streams_from_it(local: Local) -> None:
    endpoint = local.endpoint()
    messages = [
        {"role": "user", "content": "What is a cell magic?"},
        {"role": "assistant", "content": "A command."},
        {"role": "user", "content": "And?"},
    ]
    tokens = create_completion(
        "llama-13b",
        messages,
        base_url=endpoint.url,
        token=endpoint.token,
        max_new_tokens=20,
    )
    assert "".join(tokens).strip()
    eventually(lambda: local.busy() == 0)


@pytest.mark.filterwarnings(DEMO)
def test_leaving_create_completion_frees_the_slot(local: Local) -> None:
    endpoint = local.endpoint()
    tokens = create_completion(
        "llama-13b",
        [{"role": "user", "content": "Tell me all."}],
        base_url=endpoint.url,
        token=endpoint.token,
    )
    next(tokens)
    tokens.close()  # type: ignore[attr-defined]
    eventually(lambda: local.busy() == 0)


def test_a_restart_on_another_port_goes_unnoticed(
    local: Local, backend: GptGmBackend
) -> None:
    question = user("What is a cell magic?")
    answered = assistant(text_of(ask(backend, question)))
    before = local.endpoint()
    second = ask(backend, question, answered, user("And?"))
    local.end()
    local.start()
    assert local.endpoint() != before
    again = ask(backend, question, answered, user("And?"))
    assert backend.url == local.endpoint().url
    assert text_of(again) == text_of(second)
    assert prompt_tokens(again) == prompt_tokens(second)
