"""What answers for a model whose weights are not here, or where nobody chose one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import pytest
from huggingface_hub import constants

from h2o_magic.config.models import (
    DEFAULT_MODEL,
    DEMO_MODEL,
    MODELS,
    REAL_MODEL,
    BuiltIn,
)
from h2o_magic.errors import ConfigurationError
from h2o_magic.server.offer import Offer
from h2o_magic.weights.files import (
    Weights,
    best_real,
    find_weights,
    known_weights,
)
from h2o_magic.weights.listing import list_models
from h2o_magic.weights.memory import NeverFitsError, plan_memory
from h2o_magic.weights.remove import remove
from tests.server.client import Client, turn, until
from tests.server.engines import real_models
from tests.server.in_thread import served
from tests.server.test_openai_routes import facts_of
from tests.server.tiny_gguf import write_llama

#: A template that shows every message with who said it.
TEMPLATE = (
    "{% for m in messages %}<|prompt|>{{ m.role }}:{{ m.content }}"
    "{% endfor %}<|answer|>"
)
MISSING = [name for name in MODELS if name not in (REAL_MODEL, DEMO_MODEL)]
CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "hello"}]

Put = Callable[..., Path]


def put_into(cache: Path, repository: str, file: str, **how: Any) -> Path:
    """Put a chat model into a cache, where huggingface_hub would."""
    folder = cache / f"models--{repository.replace('/', '--')}" / "snapshots" / "abc"
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_llama(path, **{"template": TEMPLATE, **how})


def put_own(cache: Path, name: str, **how: Any) -> Path:
    """Put a model of the catalogue into a cache."""
    source = MODELS[name].source
    assert not isinstance(source, BuiltIn)
    return put_into(
        cache, source.repository, source.pattern.replace("*", "Model-"), **how
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def best(memory: int | None = None) -> str:
    weights = best_real(memory)
    return weights.model if weights else ""


# Which weights are the best


def test_without_any_real_weights_none_are_the_best(cache: Path) -> None:
    assert best_real() is None
    weights = find_weights("default")
    assert weights is not None
    assert (weights.model, weights.demo) == (DEFAULT_MODEL, True)
    assert weights.stands_in_for == ""
    assert find_weights("default") == weights


def test_the_largest_is_the_best(cache: Path) -> None:
    put_own(cache, REAL_MODEL)
    assert best() == REAL_MODEL
    put_into(cache, "owner/repo", "m.gguf", layers=3)
    assert best() == "owner/repo:m.gguf"
    put_own(cache, "falcon-7b", layers=5)
    assert best() == "falcon-7b"
    assert find_weights("default") == best_real()


def test_what_does_not_fit_into_the_memory_is_passed_over(cache: Path) -> None:
    small = put_own(cache, REAL_MODEL)
    large = put_into(cache, "owner/repo", "m.gguf", layers=3)
    needed = least_memory(large)
    assert best(needed) == "owner/repo:m.gguf"
    assert best(needed - 1) == REAL_MODEL
    least = least_memory(small)
    assert (best(least), best(least - 1)) == (REAL_MODEL, "")
    small = find_weights("default", least - 1)
    assert small is not None
    assert small.demo


def least_memory(path: Path) -> int:
    """Return the least memory with which a model can be loaded."""
    low, high = 0, 2**40
    while low < high:
        middle = (low + high) // 2
        try:
            plan_memory(path, 1, middle)
            high = middle
        except NeverFitsError:
            low = middle + 1
    return low


def test_memory_is_by_default_that_of_this_machine(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put_own(cache, REAL_MODEL)
    memory = "h2o_magic.weights.memory.memory_of_machine"
    monkeypatch.setattr(memory, lambda: path.stat().st_size)
    assert best() == ""
    monkeypatch.setattr(memory, lambda: 4 * path.stat().st_size)
    assert best() == REAL_MODEL


def test_what_is_no_chat_model_is_passed_over(cache: Path) -> None:
    """Each of these is larger than the model."""
    put_own(cache, REAL_MODEL)
    put_into(cache, "owner/base", "m.gguf", layers=3, template=None)
    put_into(cache, "owner/broken", "m.gguf", layers=4).write_bytes(bytes(10**6))
    cut = put_into(cache, "owner/cut", "m.gguf", layers=9)
    cut.write_bytes(cut.read_bytes()[: 10**6][:2000] + bytes(10**6))
    put_into(cache, "owner/vision", "mmproj-F16.gguf", layers=5)
    embedding(put_into(cache, "owner/embedding", "m.gguf"))
    put_into(cache, "owner/part", "m-00001-of-00002.gguf", layers=6)
    assert best() == REAL_MODEL


def embedding(path: Path) -> None:
    """Make a file one that makes embeddings, with a template, of 2 MB."""
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_chat_template(TEMPLATE)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with path.open("ab") as file:
        file.write(bytes(2 * 10**6))


def test_a_model_of_the_catalogue_needs_no_template(cache: Path) -> None:
    put_own(cache, "falcon-7b", template=None)
    assert best() == "falcon-7b"


def test_a_users_own_file_stands_in_for_nothing(cache: Path, tmp_path: Path) -> None:
    """It is asked by its path, and by that alone."""
    write_llama(tmp_path / "mine.gguf", template=TEMPLATE)
    assert best() == ""


# What stands in


@pytest.mark.parametrize("name", MISSING)
def test_the_best_real_weights_stand_in_for_a_model_of_the_catalogue(
    cache: Path, name: str
) -> None:
    path = put_own(cache, REAL_MODEL)
    for asked in (name, MODELS[name].service_id):
        weights = find_weights(asked)
        assert weights is not None
        assert (weights.path, weights.demo) == (path, False)
        assert (weights.model, weights.stands_in_for) == (REAL_MODEL, name)
        assert (weights.listed_as, weights.model_id) == (name, MODELS[name].service_id)
        assert weights.source == {
            "model": REAL_MODEL,
            "weights": "SmolLM2-135M-Instruct Q4_1",
            "demo": False,
            "stands_in_for": name,
        }
        # What counts is best for what answers, not for what was asked for.
        assert weights.recommended == MODELS[REAL_MODEL].sampling
        assert weights.system == MODELS[REAL_MODEL].system


def test_its_own_weights_answer_for_a_model_also_where_larger_ones_are_here(
    cache: Path,
) -> None:
    put_into(cache, "owner/repo", "m.gguf", layers=4)
    own = put_own(cache, "falcon-7b")
    weights = find_weights("falcon-7b")
    assert weights is not None
    assert (weights.path, weights.stands_in_for) == (own, "")


def test_weights_that_do_not_fit_stand_in_for_nothing(cache: Path) -> None:
    path = put_own(cache, REAL_MODEL)
    weights = find_weights("falcon-7b", least_memory(path) - 1)
    assert weights is not None
    assert (weights.demo, weights.stands_in_for) == (True, "")


@pytest.mark.parametrize("name", ["owner/other", "owner/repo:x.gguf", "lama-13b"])
def test_nothing_stands_in_for_what_nobody_knows(cache: Path, name: str) -> None:
    put_own(cache, REAL_MODEL)
    assert find_weights(name) is None


def test_the_list_says_what_stands_in(cache: Path) -> None:
    put_into(cache, "owner/repo", "m-Q8_0.gguf")
    listed = {model["name"]: model for model in list_models({"owner/repo:m-Q8_0.gguf"})}
    assert list(listed) == [*MODELS, "owner/repo:m-Q8_0.gguf"]
    for name in (*MISSING, REAL_MODEL):
        model = listed[name]
        assert model["answered_by"] == "owner/repo:m-Q8_0.gguf"
        assert (model["weights"], model["demo"]) == ("m Q8_0", False)
    own = listed["owner/repo:m-Q8_0.gguf"]
    assert (own["answered_by"], own["loaded"]) == (None, True)


def test_the_best_is_looked_for_once_for_a_list(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_own(cache, REAL_MODEL)
    looked: list[int | None] = []

    def look(memory: int | None = None) -> Weights | None:
        looked.append(memory)
        return best_real(memory)

    monkeypatch.setattr("h2o_magic.weights.files.best_real", look)
    known_weights(2**40)
    assert looked == [2**40]


def test_removing_a_model_does_not_remove_what_stands_in_for_it(cache: Path) -> None:
    path = put_own(cache, REAL_MODEL)
    with pytest.raises(ConfigurationError, match="nothing to remove"):
        remove("llama-13b", lambda _: None)
    assert path.exists()


# What a server offers


def test_a_server_offers_its_best_as_the_default(cache: Path) -> None:
    put_own(cache, REAL_MODEL)
    put_own(cache, "falcon-7b", layers=3)
    for offer in (Offer(), Offer(paths=False)):
        assert offer.find("default") == find_weights("falcon-7b")
    memory = least_memory(put_own(cache, REAL_MODEL))
    assert Offer(memory=memory).find("default") == find_weights(REAL_MODEL)


@pytest.mark.parametrize(
    ("names", "model"),
    [
        ((REAL_MODEL, "llama-13b"), REAL_MODEL),
        (("llama-13b", REAL_MODEL), REAL_MODEL),
        ((REAL_MODEL, "falcon-7b"), "falcon-7b"),
        (("danube3-4b", "llama-13b"), "falcon-7b"),
    ],
)
def test_of_the_models_that_are_offered_the_best_is_the_default(
    cache: Path, names: tuple[str, ...], model: str
) -> None:
    put_own(cache, REAL_MODEL)
    put_own(cache, "falcon-7b", layers=3)
    weights = Offer.of_names(names).find("default")
    assert weights is not None
    assert weights.model == model


def test_an_offer_whose_file_is_gone_has_no_default(
    cache: Path, tmp_path: Path
) -> None:
    path = write_llama(tmp_path / "m.gguf")
    offer = Offer.of_names([str(path)])
    assert offer.find("default") is not None
    path.unlink()
    assert offer.find("default") is None


# What is said on the wire


@pytest.fixture
def stood_in(cache: Path) -> Iterator[Client]:
    """A server on whose machine the smallest real model is, and no other."""
    put_own(cache, REAL_MODEL)
    with served(lambda: real_models(2)) as client:
        yield client


def complete(client: Client, **given: Any) -> Any:
    body = {"model": "llama-13b", "messages": HELLO, "max_tokens": 3, **given}
    return client.call("POST", CHAT, body)


def test_an_answer_says_for_what_another_model_stands_in(stood_in: Client) -> None:
    facts = facts_of(complete(stood_in))
    assert (facts["model"], facts["stands_in_for"]) == (REAL_MODEL, "llama-13b")
    assert (facts["weights"], facts["demo"]) == ("SmolLM2-135M-Instruct Q4_1", False)
    own = facts_of(complete(stood_in, model=REAL_MODEL))
    assert own["model"] == REAL_MODEL
    assert "stands_in_for" not in own


def test_so_does_one_in_the_other_dialect(stood_in: Client) -> None:
    made = stood_in.call(
        "POST", "/conversation", {"model": "llama-13b", "messages": []}
    )
    last = stood_in.ask(made.json["conversationId"], "hello", max_new_tokens=3)[-1]
    for facts in (made.json["h2o_magic"], last["details"]["h2o_magic"]):
        assert (facts["model"], facts["stands_in_for"]) == (REAL_MODEL, "llama-13b")


def test_the_default_is_no_stand_in(stood_in: Client) -> None:
    facts = facts_of(complete(stood_in, model="default", strict=True))
    assert facts["model"] == REAL_MODEL
    assert "stands_in_for" not in facts
    assert stood_in.call("GET", "/v1/models/default").json["id"] == REAL_MODEL


def test_so_it_is_in_the_other_dialect(stood_in: Client) -> None:
    path = f"/conversation/{stood_in.converse('default')}"
    body = turn("hello", {"max_new_tokens": 3}, strict=True)
    facts = stood_in.call("POST", path, body).events[-1]["details"]["h2o_magic"]
    assert facts["model"] == REAL_MODEL
    assert "stands_in_for" not in facts


def test_a_model_is_described_with_what_answers_for_it(stood_in: Client) -> None:
    model = stood_in.call("GET", "/v1/models/llama-13b").json
    assert (model["id"], model["answered_by"]) == ("llama-13b", REAL_MODEL)
    assert model["system"] == MODELS[REAL_MODEL].system
    listed = stood_in.call("GET", "/v1/models").json["data"]
    told = {entry["id"]: entry["answered_by"] for entry in listed}
    own = dict.fromkeys((REAL_MODEL, DEMO_MODEL))
    assert told == own | dict.fromkeys(MISSING, REAL_MODEL)


@pytest.mark.parametrize("stream", [False, True])
def test_strict_refuses_what_stands_in(stood_in: Client, stream: bool) -> None:
    refused = complete(stood_in, strict=True, stream=stream)
    assert refused.status == 400
    error = refused.json["error"]
    assert (error["code"], error["param"]) == ("weights_missing", "strict")
    assert error["message"].startswith("llama-13b ")
    path = f"/conversation/{stood_in.converse('llama-13b')}"
    body = turn("hi", {}, strict=True) | {"stream": stream}
    other = stood_in.call("POST", path, body)
    assert (other.status, other.json["error_type"]) == (422, "weights_missing")
    assert other.json["error"].startswith("llama-13b has no weights on this machine")
    assert complete(stood_in, strict=True, model=REAL_MODEL).status == 200


def test_the_demo_model_is_asked_by_its_name_and_nothing_stands_in(
    stood_in: Client,
) -> None:
    facts = facts_of(complete(stood_in, model=DEMO_MODEL, strict=True))
    assert (facts["model"], facts["weights"]) == ("demo", "built-in demo weights")
    assert (facts["demo"], facts.get("stands_in_for")) == (False, None)
    described = stood_in.call("GET", "/v1/models/demo").json
    assert (described["demo"], described["answered_by"]) == (False, None)


def test_weights_that_come_while_the_server_runs_answer_from_then_on(
    cache: Path,
) -> None:
    with served(lambda: real_models(2)) as client:
        assert facts_of(complete(client))["demo"] is True
        put_own(cache, REAL_MODEL)
        facts = facts_of(complete(client))
        assert (facts["model"], facts["stands_in_for"]) == (REAL_MODEL, "llama-13b")
        put_own(cache, "llama-13b")
        facts = facts_of(complete(client))
        assert (facts["model"], facts.get("stands_in_for")) == ("llama-13b", None)


# A server in a process of its own


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Client]:
    hub, runtime = tmp_path / "hub", tmp_path / "runtime.json"
    put_own(hub, REAL_MODEL)
    command = [sys.executable, "-m", "h2o_magic.cli", "serve", "--idle-minutes", "0"]
    command += ["--runtime-file", str(runtime), "--log-file", str(tmp_path / "log")]
    server = subprocess.Popen(
        command, env=os.environ | {"HF_HUB_CACHE": str(hub)}, stdin=subprocess.DEVNULL
    )
    try:
        until(lambda: runtime.exists() or server.poll() is not None)
        written = json.loads(runtime.read_text())
        yield Client(written["url"], written["token"])
    finally:
        server.terminate()
        server.wait(60)


def test_a_server_of_its_own_says_what_stood_in(process: Client) -> None:
    facts = facts_of(complete(process))
    assert facts["stands_in_for"] == "llama-13b"
    assert (facts["model"], facts["demo"]) == (REAL_MODEL, False)
    assert facts_of(complete(process, stream=True)) == facts
    assert complete(process, strict=True).status == 400
    assert process.call("GET", "/v1/models/default").json["id"] == REAL_MODEL
