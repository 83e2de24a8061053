"""Which parameters count: the user's, the model file's, the recommended, the engine's.

All of it on the real engine, with models whose answers show what was sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from h2o_magic.config.models import MODELS, Hub
from h2o_magic.weights.files import find_weights
from h2o_magic.weights.gguf import read_header
from h2o_magic.weights.listing import list_models
from tests.server.client import Client
from tests.server.engines import real_models
from tests.server.in_thread import served
from tests.server.tiny_gguf import write_llama

NAME = "danube3-500m"
SYSTEM = "You are a test. Answer in bytes."
HELLO = [{"role": "user", "content": "hello"}]
#: Shows what the model reads, so that a system text counts.
TEMPLATE = (
    "{% for m in messages %}<|prompt|>{{ m.role }}:{{ m.content }}"
    "{% endfor %}<|answer|>"
)

Write = Callable[..., None]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the model of the catalogue is that these tests are about."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    source = MODELS[NAME].source
    assert isinstance(source, Hub)
    folder = f"models--{source.repository.replace('/', '--')}/snapshots/abc"
    path = tmp_path / "hub" / folder / source.pattern.replace("*", "Model-")
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def recommend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the catalogue recommend something for the model."""

    def recommend(system: str = "", **sampling: float) -> None:
        entry = MODELS[NAME]._replace(sampling=sampling, system=system)
        monkeypatch.setitem(MODELS, NAME, entry)  # type: ignore[arg-type]

    recommend()
    return recommend


@pytest.fixture
def server() -> Iterator[Client]:
    with served(lambda: real_models(2)) as client:
        yield client


def plain(path: Path) -> str:
    """Return the path of the same model without anything that it recommends."""
    return str(write_llama(path.parent / "plain" / "m.gguf", template=TEMPLATE))


@pytest.fixture
def write(path: Path) -> Write:
    """Writes the model's file, with what it recommends."""

    def write(**sampling: float | str) -> None:
        (path.parent / "plain").mkdir(exist_ok=True)
        write_llama(path, template=TEMPLATE, sampling=sampling)

    return write


def complete(client: Client, model: str = NAME, **given: Any) -> Any:
    body = {"model": model, "messages": HELLO, "max_tokens": 30, **given}
    reply = client.call("POST", "/v1/chat/completions", body)
    assert reply.status == 200, reply
    return reply.json


def written(client: Client, model: str = NAME, **given: Any) -> str:
    text = complete(client, model, seed=1, **given)["choices"][0]["message"]["content"]
    assert isinstance(text, str)
    return text


# What counts


def test_what_the_file_says_counts_where_nobody_sets_anything(
    server: Client, path: Path, write: Write, recommend: Write
) -> None:
    write(temp=3.0, top_k=5)
    same = plain(path)
    assert written(server) == written(server, same, temperature=3.0, top_k=5)
    assert written(server) != written(server, same)


def test_what_the_user_sets_wins_over_the_file_key_by_key(
    server: Client, path: Path, write: Write, recommend: Write
) -> None:
    write(temp=3.0, top_k=5)
    same = plain(path)
    assert written(server, temperature=0.5) == written(
        server, same, temperature=0.5, top_k=5
    )
    assert written(server, top_k=2) == written(server, same, temperature=3.0, top_k=2)


def test_what_is_recommended_counts_where_the_file_says_nothing(
    server: Client, path: Path, write: Write, recommend: Write
) -> None:
    write()
    recommend(temperature=3.0, top_p=0.5, repetition_penalty=2.0)
    assert written(server) == written(
        server, plain(path), temperature=3.0, top_p=0.5, repetition_penalty=2.0
    )


def test_what_is_recommended_gives_way_to_the_file_and_the_user_key_by_key(
    server: Client, path: Path, write: Write, recommend: Write
) -> None:
    write(temp=3.0)
    recommend(temperature=0.0, top_k=5, repetition_penalty=2.0)
    same = plain(path)
    expected = {"temperature": 3.0, "top_k": 5, "repetition_penalty": 2.0}
    assert written(server) == written(server, same, **expected)
    assert written(server, repetition_penalty=1.0) == written(
        server, same, **expected | {"repetition_penalty": 1.0}
    )


def test_a_penalty_on_all_that_came_before_reaches_back_to_the_beginning(
    server: Client, path: Path, write: Write, recommend: Write
) -> None:
    """-1 is the word for that, in a file as in the catalogue."""
    given = {"temperature": 0, "max_tokens": 150}
    write(penalty_repeat=3.0, penalty_last_n=-1)
    by_file = written(server, **given)
    assert repeats(by_file) == 0
    write()
    recommend(repetition_penalty=3.0, penalty_last_n=-1)
    assert written(server, **given) == by_file
    write(temp=1.0)  # another file, of which the engine learns what is recommended
    recommend(repetition_penalty=3.0, penalty_last_n=4)
    assert repeats(written(server, **given)) > 0


def repeats(text: str) -> int:
    """Return how many of a text's characters, of one token each, were there before."""
    plain = text.replace("\N{REPLACEMENT CHARACTER}", "")
    return len(plain) - len(set(plain))


@pytest.mark.parametrize(
    "sampling",
    [
        {},
        {"temp": 3.0, "top_k": 50},
        {"mirostat": 1, "mirostat_tau": 9.0},
        {"mirostat": 2, "mirostat_tau": 9.0},
    ],
    ids=str,
)
def test_temperature_0_is_the_likeliest_each_time_whatever_the_file_says(
    server: Client,
    path: Path,
    write: Write,
    recommend: Write,
    sampling: dict[str, float | str],
) -> None:
    write(**sampling)
    recommend(temperature=2.0, top_p=0.9)
    greedy = written(server, plain(path), temperature=0)
    assert written(server, temperature=0) == greedy
    assert written(server, temperature=0, top_k=40, top_p=0.5) == greedy
    assert written(server) != greedy


def test_who_asks_for_sampling_gets_it_where_greedy_is_recommended(
    server: Client, path: Path, write: Write, recommend: Write
) -> None:
    write()
    recommend(temperature=0.0)
    asked = {"temperature": 1.0, "top_k": 50}
    assert written(server, **asked) == written(server, plain(path), **asked)
    assert written(server, **asked) != written(server, temperature=0)


def test_the_length_is_1024_tokens_whoever_recommends_what(
    server: Client, path: Path, write: Write, recommend: Write
) -> None:
    write(temp=0.0)
    recommend(temperature=1.0)
    usage = complete(server, max_tokens=None)["usage"]
    assert usage["completion_tokens"] == 1024


@pytest.mark.parametrize("sampling", [{}, {"temp": 3.0, "top_k": 5, "mirostat": 2}])
def test_the_old_protocol_has_its_old_defaults_whatever_the_file_says(
    server: Client,
    path: Path,
    write: Write,
    recommend: Write,
    sampling: dict[str, float | str],
) -> None:
    """No sampling without a word for it, and no penalty; so the old engine did."""
    write(**sampling)
    recommend(temperature=2.0, repetition_penalty=3.0)
    same = plain(path)
    for given in (
        dict.fromkeys(("temperature", "do_sample", "repetition_penalty")),
        {"seed": 3, "temperature": 1.5, "repetition_penalty": None},
        {"seed": 3},
    ):
        answers = [
            server.answer("hello", model, **{"max_new_tokens": 30, **given})
            for model in (NAME, same)
        ]
        first, second = (answer["generated_text"] for answer in answers)
        assert first == second


# The system text


def test_the_recommended_system_text_is_used_where_none_was_sent(
    server: Client, path: Path, write: Write, recommend: Write
) -> None:
    write()
    recommend(system=SYSTEM, temperature=0.0)

    def read(*before: dict[str, str], model: str = NAME) -> int:
        asked = complete(server, model, messages=[*before, *HELLO], max_tokens=1)
        count = asked["usage"]["prompt_tokens"]
        assert isinstance(count, int)
        return count

    told = {"role": "system", "content": SYSTEM}
    same = plain(path)
    assert read() == read(told) == read(told, model=same) > read(model=same)
    other = {"role": "system", "content": "Be brief."}
    assert read(other) == read(other, model=same)
    earlier = [HELLO[0], {"role": "assistant", "content": "Hello."}]
    assert read(*earlier) == read(told, *earlier)


def test_an_empty_system_text_is_one_that_was_sent(
    server: Client, path: Path, write: Write, recommend: Write
) -> None:
    write()
    recommend(system=SYSTEM)
    empty = [{"role": "system", "content": ""}, *HELLO]
    given = {"messages": empty, "max_tokens": 1}
    without = complete(server, plain(path), **given)["usage"]["prompt_tokens"]
    asked = complete(server, **given)["usage"]["prompt_tokens"]
    assert asked == without


# What is told of it


def test_the_list_says_where_each_value_comes_from(
    path: Path, write: Write, recommend: Write
) -> None:
    write(temp=0.6, top_k=20, penalty_repeat=1.1, min_p=0.05)
    recommend(system=SYSTEM, temperature=0.2, top_p=0.9)
    (listed,) = (model for model in list_models(()) if model["name"] == NAME)
    own = {"temperature": 0.6, "top_k": 20, "repetition_penalty": 1.1, "min_p": 0.05}
    assert listed["sampling"] == {
        **{n: {"value": v, "from": "the model's file"} for n, v in own.items()},
        "top_p": {"value": 0.9, "from": f"recommended for {NAME}"},
        "max_new_tokens": {"value": 1024, "from": "the local server"},
    }
    assert listed["system"] == SYSTEM


def test_the_routes_say_so_too(
    server: Client, path: Path, write: Write, recommend: Write
) -> None:
    write(temp=0.6)
    recommend(system=SYSTEM, temperature=0.2, top_p=0.9)
    model = server.call("GET", f"/v1/models/{NAME}").json
    told = {n: (row["value"], row["from"]) for n, row in model["sampling"].items()}
    assert told["temperature"] == (0.6, "the model's file")
    assert told["top_p"] == (0.9, f"recommended for {NAME}")
    assert model["system"] == SYSTEM
    listed = server.call("GET", "/v1/models").json["data"]
    assert model in [{**entry, "created": model["created"]} for entry in listed]


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ({"temp": 0.6}, {"temperature": 0.6}),
        ({"temp": 1}, {"temperature": 1}),
        (
            {"penalty_last_n": -1, "mirostat": 2, "mirostat_tau": 5.0},
            {"penalty_last_n": -1, "mirostat": 2, "mirostat_tau": 5.0},
        ),
        ({"xtc_probability": 0.25}, {"xtc_probability": 0.25}),
        ({"no_such_thing": 3, "sequence": "ktp"}, {}),
        # What is no number is left to the engine, and breaks no list.
        ({"temp": "0.6"}, {}),
        ({"temp": float("nan"), "top_p": float("inf"), "top_k": 3}, {"top_k": 3}),
    ],
    ids=str,
)
def test_what_a_file_recommends_is_read_as_numbers(
    tmp_path: Path, said: dict[str, float | str], read: dict[str, float]
) -> None:
    path = write_llama(tmp_path / "m.gguf", sampling=said)
    assert read_header(path).sampling == read


@pytest.mark.parametrize("odd", ["warm", float("nan")])
def test_odd_values_in_a_file_break_no_list(
    server: Client, path: Path, write: Write, recommend: Write, odd: float | str
) -> None:
    write(temp=odd)
    assert server.call("GET", f"/v1/models/{NAME}").status == 200
    assert find_weights(NAME).sampling == {}  # type: ignore[union-attr]
    assert server.call("GET", "/v1/models").status == 200
    assert server.call("GET", "/api/models").status == 200
