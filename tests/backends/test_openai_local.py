"""This user's own server by the OpenAI dialect: a real process, real weights."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.backends.registry import local as local_backend
from h2o_magic.chat.events import Event, Finished, Source, TextDelta, Usage
from h2o_magic.chat.messages import Message, assistant, system, user
from h2o_magic.config.models import MODELS, REAL_MODEL
from h2o_magic.config.parameters import CHAT_PARAMETERS, checked
from h2o_magic.errors import ParameterError, StatusError
from tests.backends.test_gptgm_local import Local, eventually, prompt_tokens, text_of
from tests.server.test_stand_in import put_own

QUESTION = user("What is a cell magic?")
SHORT = {"max_new_tokens": 20, "seed": 1}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    server = Local(tmp_path_factory.mktemp("local"))
    server.start()
    yield server
    server.end()


@pytest.fixture
def backend(local: Local) -> Iterator[OpenAIBackend]:
    with closing(OpenAIBackend(connection=local.endpoint)) as backend:
        yield backend


def ask(
    backend: OpenAIBackend,
    *messages: Message,
    model: str = "llama-13b",
    parameters: Any = SHORT,
    **more: Any,
) -> list[Event]:
    request = ChatRequest(model, messages, checked(parameters), **more)
    return list(backend.stream(request))


def test_the_local_backend_is_of_this_dialect() -> None:
    with closing(local_backend()) as backend:
        assert backend.dialect == "openai"


def test_an_answer_says_what_really_answered(backend: OpenAIBackend) -> None:
    events = ask(backend, QUESTION)
    assert events[0] == Source("llama-13b", "built-in demo weights", demo=True)
    streamed = "".join(e.text for e in events if isinstance(e, TextDelta))
    assert streamed == text_of(events) != ""


def test_nothing_that_nobody_set_changes_the_answer(backend: OpenAIBackend) -> None:
    own = {"temperature": 0.4, "repetition_penalty": 1.2}
    alone = text_of(ask(backend, QUESTION))
    assert alone == text_of(ask(backend, QUESTION, parameters=SHORT | own))
    other = SHORT | {"repetition_penalty": 5.0}
    assert alone != text_of(ask(backend, QUESTION, parameters=other))


def test_temperature_0_is_greedy(backend: OpenAIBackend) -> None:
    cold = {"max_new_tokens": 20, "temperature": 0}
    off = {"max_new_tokens": 20, "do_sample": False}
    answers = {
        text_of(ask(backend, QUESTION, parameters=given)) for given in (cold, cold, off)
    }
    assert len(answers) == 1


def test_every_parameter_is_taken(backend: OpenAIBackend) -> None:
    given = {
        "temperature": 0.9,
        "top_p": 1.0,
        "top_k": 30,
        "typical_p": 0.9,
        "repetition_penalty": 1.1,
        "max_new_tokens": 5,
        "do_sample": True,
        "seed": 3,
        "stop": ["zzz"],
        "min_p": 0.05,
        "frequency_penalty": 0.1,
        "presence_penalty": -0.1,
        "extra": {"user": "me"},
    }
    assert {*given, "reasoning_effort"} == set(CHAT_PARAMETERS)
    assert text_of(ask(backend, QUESTION, parameters=given))
    # A template that does not know of it does without.
    assert text_of(ask(backend, QUESTION, parameters={"reasoning_effort": "high"}))
    with pytest.raises(ParameterError, match="`truncate`"):
        ask(backend, QUESTION, parameters={"truncate": 5})


def test_the_oldest_turns_go_where_the_messages_do_not_fit(
    backend: OpenAIBackend,
) -> None:
    """Who asks estimates what fits; the server counts, and so has the last word."""
    long = [user("word " * 400), assistant("ok")] * 3
    events = ask(backend, *long, QUESTION)
    (usage,) = (event for event in events if isinstance(event, Usage))
    assert usage.dropped_turns in (1, 2)
    assert text_of(events)


def test_a_second_turn_has_the_first_in_its_context(backend: OpenAIBackend) -> None:
    first = ask(backend, QUESTION)
    second = ask(backend, QUESTION, assistant(text_of(first)), user("And?"))
    assert prompt_tokens(second) > prompt_tokens(first)


def test_the_count_is_what_the_answer_reads(backend: OpenAIBackend) -> None:
    messages = (system("Be short."), QUESTION, assistant("A command."), user("日本?"))
    count = backend.count_tokens("llama-13b", messages)
    assert count == prompt_tokens(ask(backend, *messages))


def test_an_answer_is_held_to_its_schema(backend: OpenAIBackend) -> None:
    schema = {"enum": ["Ulm", "Rom"]}
    events = ask(backend, QUESTION, schema=schema, parameters={"max_new_tokens": 60})
    assert json.loads(text_of(events)) in ("Ulm", "Rom")
    assert [e.schema for e in events if isinstance(e, Source)][-1]


def test_strict_is_refused_with_the_way_out(backend: OpenAIBackend) -> None:
    with pytest.raises(StatusError) as caught:
        ask(backend, QUESTION, strict=True)
    assert str(caught.value).startswith("llama-13b is not on this machine: ")
    assert "%h2o pull llama-13b" in str(caught.value)


def test_a_model_that_nobody_knows_is_refused_with_the_nearest(
    backend: OpenAIBackend,
) -> None:
    with pytest.raises(StatusError, match="did you mean 'llama-13b'"):
        ask(backend, QUESTION, model="lama-13b")


def test_the_models_are_listed_with_their_weights(backend: OpenAIBackend) -> None:
    listed = {model.name: model for model in backend.models()}
    assert [*listed] == [*MODELS]
    model = listed["llama-13b"]
    assert (model.demo, model.weights) == (True, "built-in demo weights")
    assert model.size
    assert model.context
    assert model.sampling["temperature"] == (0.4, "recommended for the demo weights")


def test_one_model_is_reported_by_its_name_and_the_default_without(
    backend: OpenAIBackend,
) -> None:
    for name in ("", "llama-13b"):
        model = backend.model(name)
        assert model is not None
        assert (model.name, model.demo) == ("llama-13b", True)
    with pytest.raises(StatusError, match="did you mean 'llama-13b'"):
        backend.model("lama-13b")


@pytest.mark.parametrize("how", ["close", "stop"])
def test_leaving_an_answer_frees_the_slot(
    local: Local, backend: OpenAIBackend, how: str
) -> None:
    long = checked({"max_new_tokens": 400, "repetition_penalty": 1.0, "seed": 1})
    request = ChatRequest("llama-13b", (user("Tell me all."),), long)
    stream = backend.stream(request)
    next(stream)
    if how == "close":
        stream.close()
    else:
        thread = threading.Thread(target=stream.close)
        thread.start()
        assert not any(isinstance(event, Finished) for event in stream)
        thread.join(60)
    eventually(lambda: local.busy() == 0)
    assert text_of(ask(backend, QUESTION))


def test_a_restart_on_another_port_goes_unnoticed(
    local: Local, backend: OpenAIBackend
) -> None:
    before = text_of(ask(backend, QUESTION))
    place = local.endpoint()
    local.end()
    local.start()
    assert local.endpoint() != place
    assert text_of(ask(backend, QUESTION)) == before
    assert backend.url == local.endpoint().url
    assert backend.models()


def test_a_server_that_has_just_died_is_looked_for_once_more(local: Local) -> None:
    """Its place is still written down when it is asked; the next look starts it."""
    looked = []

    def locate() -> Any:
        looked.append(1)
        if len(looked) == 3:
            local.start()
        return places[-1] if len(looked) < 3 else local.endpoint()

    places = [local.endpoint()]
    with closing(OpenAIBackend(connection=locate)) as backend:
        before = text_of(ask(backend, QUESTION))
        local.end()
        assert text_of(ask(backend, QUESTION)) == before
    assert len(looked) == 3


@pytest.fixture
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAIBackend]:
    """A server on whose machine real weights are: of one model, and of no other."""
    folder = tmp_path_factory.mktemp("real")
    put_own(folder / "hub", REAL_MODEL)
    server = Local(folder)
    server.start()
    with closing(OpenAIBackend(connection=server.endpoint)) as backend:
        yield backend
    server.end()


def test_what_stands_in_says_so_and_strict_refuses_it(real: OpenAIBackend) -> None:
    own = Source(REAL_MODEL, "SmolLM2-135M-Instruct Q4_1")
    assert ask(real, QUESTION, model=REAL_MODEL, strict=True)[0] == own
    first = ask(real, QUESTION)[0]
    assert isinstance(first, Source)
    assert (first.model, first.stands_in_for) == (REAL_MODEL, "llama-13b")
    with pytest.raises(StatusError, match="llama-13b is not on this machine"):
        ask(real, QUESTION, strict=True)
    best = real.model()
    assert best is not None
    assert (best.name, best.answered_by) == (REAL_MODEL, "")
    assert best.system == MODELS[REAL_MODEL].system
    assert best.sampling["temperature"] == (0.2, "recommended for smollm2-135m")
    other = real.model("llama-13b")
    assert other is not None
    assert (other.name, other.answered_by) == ("llama-13b", REAL_MODEL)
