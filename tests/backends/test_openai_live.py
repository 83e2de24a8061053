"""The OpenAI backend against a real server: that of llama.cpp, with real weights."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import xllamacpp

import h2o_magic
from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.chat.events import Event, Finished, Source, TextDelta, Usage
from h2o_magic.chat.messages import assistant, system, user
from h2o_magic.config.parameters import checked
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ParameterError, StatusError
from tests.server.client import until
from tests.server.tiny_gguf import write_llama

KEY = "test-key-not-secret"
WEIGHTS = Path(h2o_magic.__file__).parent / "weights" / "data" / "demo-llama.gguf"
HI = (user("How do I stop a running answer?"),)
SLOTS = 2


@contextmanager
def llama_server(path: Path, context: int) -> Iterator[str]:
    """Run the engine's own HTTP server and yield its address."""
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = str(path), {"tiny"}
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], 0, [KEY]
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * context
    params.n_batch = params.n_ubatch = 128
    params.ui, params.warmup, params.verbosity = False, False, 1
    params.endpoint_slots, params.cache_ram_mib = True, 0
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    try:
        yield server.listening_address
    finally:
        del server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with llama_server(WEIGHTS, 512) as address:
        yield address


@pytest.fixture
def backend(url: str) -> Iterator[OpenAIBackend]:
    with closing(OpenAIBackend(url, token=KEY)) as backend:
        yield backend


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose greedy answers go on for seconds: only a limit ends them."""
    path = tmp_path_factory.mktemp("weights") / "endless.gguf"
    with llama_server(write_llama(path, context=8192, layers=8), 8192) as address:
        yield address


def request(messages: Any = HI, /, schema: Any = None, **given: Any) -> ChatRequest:
    return ChatRequest("tiny", messages, checked(given), schema=schema)


def busy_slots(url: str) -> int:
    asking = urllib.request.Request(
        f"{url}/slots", headers={"Authorization": f"Bearer {KEY}"}
    )
    with urllib.request.urlopen(asking) as reply:
        return sum(slot["is_processing"] for slot in json.load(reply))


def text(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, TextDelta))


def test_an_answer_comes_with_its_source_counts_and_end(backend: OpenAIBackend) -> None:
    events = list(backend.stream(request(max_new_tokens=8, seed=1)))
    assert events[0] == Source("tiny")
    (usage,) = (e for e in events if isinstance(e, Usage))
    assert usage.completion_tokens == 8
    assert usage.writing_seconds
    assert events[-1] == Finished(text(events), "length")
    assert len([e for e in events if isinstance(e, TextDelta)]) > 1


def test_the_same_seed_gives_the_same_answer(backend: OpenAIBackend) -> None:
    def answers(**given: Any) -> set[str]:
        hot = {"temperature": 1.5, "max_new_tokens": 20, **given}
        return {text(list(backend.stream(request(**hot)))) for _ in range(2)}

    assert len(answers(seed=5)) == 1
    assert len(answers(do_sample=False)) == 1
    assert len(answers(top_k=1)) == 1
    assert len(answers(typical_p=0.5, repetition_penalty=1.3, seed=2)) == 1
    with pytest.raises(ParameterError, match="`truncate`"):
        answers(truncate=5)


def test_a_stop_text_ends_the_answer(backend: OpenAIBackend) -> None:
    whole = text(list(backend.stream(request(do_sample=False))))
    word = whole.split()[3]
    events = list(backend.stream(request(do_sample=False, stop=(word,))))
    assert text(events) == whole[: whole.index(word)]


def test_the_count_is_what_the_answer_reads(backend: OpenAIBackend) -> None:
    longer = (system("Be short."), user("a"), assistant("Größe"), user("日本?"))
    for messages in (HI, longer):
        events = list(backend.stream(request(messages, max_new_tokens=1)))
        (usage,) = (e for e in events if isinstance(e, Usage))
        assert backend.count_tokens("tiny", messages) == usage.prompt_tokens


def test_the_model_is_listed_with_its_context(backend: OpenAIBackend) -> None:
    (model,) = backend.models()
    assert (model.name, model.context, model.loaded) == ("tiny", 512, True)
    assert 0 < (model.size or 0) <= WEIGHTS.stat().st_size


def test_an_answer_is_held_to_its_schema(backend: OpenAIBackend) -> None:
    schema = {"enum": ["Ulm", "Rom"]}
    events = list(backend.stream(request(schema=schema, max_new_tokens=60)))
    assert events[0] == Source("tiny", schema=True)
    assert isinstance(events[-1], Finished)
    assert json.loads(events[-1].text) in ("Ulm", "Rom")


def test_a_schema_that_the_server_only_takes_is_not_called_held(
    backend: OpenAIBackend,
) -> None:
    unheld = request(schema={"not": {}}, max_new_tokens=20, seed=2)
    events = list(backend.stream(unheld))
    assert text(events)  # though nothing fits the schema
    assert events[0] == Source("tiny", schema=False)


def test_a_schema_that_is_refused_is_reported_in_words(backend: OpenAIBackend) -> None:
    bad = {"$ref": "#/nowhere"}
    with pytest.raises(StatusError, match="schema") as caught:
        list(backend.stream(request(schema=bad)))
    assert caught.value.status == 400
    session = Session(backend)
    answer = session.ask("Hi", schema=bad, max_new_tokens=5)
    assert answer.read()
    assert answer.facts.status == "complete"


@pytest.mark.parametrize("token", [None, "wrong"])
def test_a_wrong_key_is_reported_with_what_to_do(url: str, token: str | None) -> None:
    with closing(OpenAIBackend(url, token=token)) as backend:
        for ask in (lambda: list(backend.stream(request())), backend.models):
            with pytest.raises(StatusError, match=r"Invalid API Key: .*--key-env VAR"):
                ask()


def test_a_question_that_is_too_long_says_so(backend: OpenAIBackend) -> None:
    long = (user("word " * 3000),)
    with pytest.raises(StatusError, match="too long for the model"):
        list(backend.stream(request(long)))


def test_answers_stream_at_once_and_apart(backend: OpenAIBackend) -> None:
    alone = [list(backend.stream(request(seed=n, temperature=1.0)))[-1] for n in (1, 2)]
    together: dict[int, Event] = {}

    def ask(seed: int) -> None:
        *_, last = backend.stream(request(seed=seed, temperature=1.0))
        together[seed] = last

    threads = [threading.Thread(target=ask, args=(n,)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [type(together[n]) for n in (1, 2)] == [type(e) for e in alone]
    assert all(isinstance(e, Finished) and e.text for e in together.values())


@pytest.mark.parametrize("how", ["close", "abandon"])
def test_leaving_midway_frees_the_slot(endless: str, how: str) -> None:
    with closing(OpenAIBackend(endless, token=KEY)) as backend:
        long = request(do_sample=False, max_new_tokens=8000)
        answers = [backend.stream(long) for _ in range(SLOTS)]
        for answer in answers:
            while not isinstance(next(answer), TextDelta):
                pass
        assert busy_slots(endless) == SLOTS
        for answer in answers:
            if how == "close":
                answer.close()
        del answers, answer
        until(lambda: busy_slots(endless) == 0)
        short = request(do_sample=False, max_new_tokens=3)
        assert isinstance(list(backend.stream(short))[-1], Finished)


def test_another_thread_stops_an_answer(endless: str) -> None:
    with closing(OpenAIBackend(endless, token=KEY)) as backend:
        answer = backend.stream(request(do_sample=False, max_new_tokens=8000))
        next(answer)
        thread = threading.Thread(target=answer.close)
        thread.start()
        assert not any(isinstance(event, Finished) for event in answer)
        thread.join(60)
        until(lambda: busy_slots(endless) == 0)
