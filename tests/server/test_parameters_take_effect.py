"""Every generation parameter has its effect on the real engine."""

from __future__ import annotations

from typing import Any

import pytest

from h2o_magic.config.parameters import PARAMETERS
from tests.server.client import Client, turn

GREEDY = {"do_sample": False, "repetition_penalty": 1.0, "max_new_tokens": 40}
SAMPLED = {"seed": 7, "temperature": 1.0, "repetition_penalty": 1.0} | {
    "max_new_tokens": 40
}


def text(client: Client, model: str, **parameters: Any) -> str:
    generated = client.answer("hello", model, **parameters)["generated_text"]
    assert isinstance(generated, str)
    return generated


def test_the_same_seed_gives_the_same_text(client: Client, noisy: str) -> None:
    first, second = (text(client, noisy, **SAMPLED) for _ in range(2))
    assert first == second
    assert text(client, noisy, **SAMPLED | {"seed": 8}) != first


def test_without_a_seed_the_one_used_is_told_and_repeats_the_text(
    client: Client, noisy: str
) -> None:
    last = client.answer("hello", noisy, **SAMPLED | {"seed": None})
    seed = last["details"]["seed"]
    assert text(client, noisy, **SAMPLED | {"seed": seed}) == last["generated_text"]


def test_greedy_answers_are_equal_and_have_no_seed(client: Client, noisy: str) -> None:
    answers = [client.answer("hello", noisy, **GREEDY) for _ in range(2)]
    assert answers[0]["generated_text"] == answers[1]["generated_text"]
    assert answers[0]["details"]["seed"] is None


def test_do_sample_off_wins_over_a_temperature(client: Client, noisy: str) -> None:
    hot = text(client, noisy, **GREEDY | {"temperature": 50.0, "seed": 1})
    assert hot == text(client, noisy, **GREEDY)


@pytest.mark.parametrize("do_sample", [True, False, None])
def test_temperature_0_takes_the_likeliest_each_time(
    client: Client, noisy: str, do_sample: bool | None
) -> None:
    cold = {"temperature": 0, "do_sample": do_sample}
    last = client.answer("hello", noisy, **SAMPLED | cold)
    assert last["generated_text"] == text(client, noisy, **GREEDY)
    assert last["details"]["seed"] is None


def test_top_p_1_leaves_out_nothing(client: Client, noisy: str) -> None:
    assert text(client, noisy, **SAMPLED | {"top_p": 1}) == text(
        client, noisy, **SAMPLED
    )


@pytest.mark.parametrize(
    "narrow", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-3}], ids=str
)
def test_narrow_sampling_is_greedy(
    client: Client, noisy: str, narrow: dict[str, Any]
) -> None:
    assert text(client, noisy, **SAMPLED) != text(client, noisy, **GREEDY)
    assert text(client, noisy, **SAMPLED | narrow) == text(client, noisy, **GREEDY)


@pytest.mark.parametrize("value", [{"typical_p": 0.05}, {"temperature": 5.0}], ids=str)
def test_other_sampling_changes_the_text(
    client: Client, noisy: str, value: dict[str, Any]
) -> None:
    assert text(client, noisy, **SAMPLED | value) != text(client, noisy, **SAMPLED)


def test_the_penalty_keeps_tokens_from_coming_again(client: Client, noisy: str) -> None:
    def repeated(penalty: float) -> int:
        chosen = GREEDY | {"repetition_penalty": penalty}
        events = client.ask(client.converse(noisy), "hello", **chosen)
        ids = [event["token"]["id"] for event in events]
        return len(ids) - len(set(ids))

    assert repeated(1.0) > repeated(5.0)


def test_max_new_tokens_counts_tokens(client: Client, noisy: str) -> None:
    for count in (1, 2, 17):
        last = client.answer("hello", noisy, **GREEDY | {"max_new_tokens": count})
        assert last["details"]["generated_tokens"] == count
        assert last["details"]["finish_reason"] == "length"


def test_truncate_shortens_the_input(client: Client, noisy: str) -> None:
    def length(truncate: int | None) -> int:
        chosen = GREEDY | {"truncate": truncate, "max_new_tokens": 1}
        found = client.answer("x" * 200, noisy, **chosen)["details"]["input_length"]
        assert isinstance(found, int)
        return found

    assert length(None) > 200
    assert length(100) <= 100
    assert length(3) == 3


def test_truncate_keeps_the_end_of_the_question(client: Client, noisy: str) -> None:
    chosen = GREEDY | {"truncate": 60, "max_new_tokens": 1, "return_full_text": True}
    shown = client.answer("a" * 200 + "the end", noisy, **chosen)["generated_text"]
    assert "the end<|endoftext|><|answer|>" in shown
    assert shown.startswith("<|prompt|>a")


def test_stop_cuts_and_stays_at_the_end(client: Client) -> None:
    chosen = {"do_sample": False, "stop": ["cell"]}
    last = client.answer("What is h2o_magic?", **chosen)
    whole = client.answer("What is h2o_magic?", do_sample=False)["generated_text"]
    assert last["generated_text"] == whole[: whole.index("cell") + 4]
    assert last["details"]["finish_reason"] == "stop_sequence"


def test_the_first_of_several_stops_ends_the_answer(client: Client) -> None:
    chosen = {"do_sample": False, "stop": ["Markdown", "cell", "never there"]}
    last = client.answer("What is h2o_magic?", **chosen)
    assert last["generated_text"].endswith("cell")


def test_joined_tokens_are_the_generated_text(client: Client) -> None:
    for chosen in ({}, {"stop": ["ll"]}, {"max_new_tokens": 5}):
        events = client.ask(client.converse(), "What is h2o_magic?", **chosen)
        tokens = [event["token"] for event in events]
        joined = "".join(token["text"] for token in tokens if not token["special"])
        assert joined == events[-1]["generated_text"]


def test_the_end_token_is_an_event_of_its_own(client: Client) -> None:
    last = client.answer("What is h2o_magic?", do_sample=False)
    assert last["token"]["special"] is True
    assert last["token"]["text"] == "<|endoftext|>"
    assert last["details"]["finish_reason"] == "eos_token"


def test_full_text_begins_with_the_prompt(client: Client, noisy: str) -> None:
    chosen = GREEDY | {"return_full_text": True}
    whole = text(client, noisy, **chosen)
    assert whole == "<|prompt|>hello<|endoftext|><|answer|>" + text(
        client, noisy, **GREEDY
    )
    assert text(client, noisy, **chosen | {"return_full_text": None}) == whole


def test_details_come_only_when_asked_for(client: Client) -> None:
    assert client.answer("hello", details=False)["details"] is None
    assert client.answer("hello", details=None)["details"] is None


def test_details_say_what_answered(client: Client) -> None:
    details = client.answer("hello", "falcon-7b")["details"]
    assert details["h2o_magic"].pop("writing_seconds") > 0
    assert details["h2o_magic"] == {
        "model": "falcon-7b",
        "weights": "built-in demo weights",
        "demo": True,
        "dropped_turns": 0,
        "cut_tokens": 0,
    }


def test_the_defaults_fit_any_context(client: Client) -> None:
    """2,048 + 1,024 tokens exceed the demo weights' context of 1,024."""
    last = client.answer("tell me " * 3000, "llama-13b", do_sample=False)
    assert last["details"]["input_length"] <= 512
    assert last["details"]["finish_reason"] in ("length", "eos_token")


def test_an_answer_that_fills_the_context_ends_with_length(
    client: Client, noisy: str
) -> None:
    chosen = GREEDY | {"max_new_tokens": 2**31 - 1, "truncate": None}
    details = client.answer("x" * 5000, noisy, **chosen)["details"]
    assert details["finish_reason"] == "length"
    assert details["input_length"] + details["generated_tokens"] == 2048


def test_broken_characters_never_reach_the_stream(client: Client, noisy: str) -> None:
    events = client.ask(client.converse(noisy), "hello", **SAMPLED | {"top_k": 200})
    text = events[-1]["generated_text"]
    assert text.encode("utf-8").decode("utf-8") == text
    assert events[-1]["details"]["generated_tokens"] == 40


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"temperature": -1.5}, "must be a number, 0 or above"),
        ({"repetition_penalty": 0}, "must be a number above 0, got 0"),
        ({"top_p": 1.01}, "must be > 0.0 and <= 1.0, got 1.01"),
        ({"typical_p": 0}, "must be > 0.0 and < 1.0, got 0"),
        ({"max_new_tokens": 0}, "must be a whole number above 0, got 0"),
        ({"stop": list("abcde")}, "must be at most 4 texts"),
        ({"stop": [""]}, "must be at most 4 texts"),
        ({"seed": -1}, "must be a whole number from 0 to 4294967294, got -1"),
    ],
    ids=str,
)
def test_a_value_out_of_range_is_refused(
    client: Client, parameters: dict[str, Any], message: str
) -> None:
    (name,) = parameters
    assert f"`{name}` {message}" in refusal(client, parameters)


@pytest.mark.parametrize("name", [p.name for p in PARAMETERS.values() if p.gptgm])
def test_a_value_of_the_wrong_type_is_refused(client: Client, name: str) -> None:
    for wrong in ({"a": 1}, "many", 0.5, True, [1], 7):
        kind = PARAMETERS[name].kind
        if kind is type(wrong) or (kind, wrong) in ((tuple, "many"), (float, 7)):
            continue
        assert f"`{name}` " in refusal(client, {name: wrong})


def refusal(client: Client, parameters: dict[str, Any]) -> str:
    """Ask with parameters that cannot be used, and return what is said of them."""
    path = f"/conversation/{client.converse()}"
    reply = client.call("POST", path, turn("x", parameters))
    assert (reply.status, reply.json["error_type"]) == (422, "validation")
    words = reply.json["error"]
    assert isinstance(words, str)
    return words


def test_what_is_no_parameter_is_ignored(client: Client) -> None:
    foreign = {"best_of": 2, "watermark": True, "no_such_thing": 3}
    assert client.answer("hello", **foreign)["generated_text"]


def test_without_parameters_the_answer_is_greedy(client: Client) -> None:
    path = f"/conversation/{client.converse()}"
    body = {"inputs": "What is h2o_magic?", "options": {}, "stream": True}
    last = client.call("POST", path, body).events[-1]
    assert last["generated_text"].startswith("<|")
    assert last["details"] is None


def test_sampling_parameters_imply_sampling(client: Client, noisy: str) -> None:
    implied = {"do_sample": None, "temperature": 1.0, "seed": 7, "max_new_tokens": 40}
    assert text(client, noisy, **implied | {"repetition_penalty": None}) == text(
        client, noisy, **SAMPLED
    )


# What only the OpenAI dialect has


def written(client: Client, model: str, **parameters: Any) -> str:
    body = {"messages": [{"role": "user", "content": "hello"}], "model": model}
    limits = {"repetition_penalty": 1.0, "max_tokens": 60, "seed": 7}
    reply = client.call("POST", "/v1/chat/completions", body | limits | parameters)
    assert reply.status == 200, reply
    text = reply.json["choices"][0]["message"]["content"]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("name", ["frequency_penalty", "presence_penalty"])
def test_a_penalty_changes_what_is_most_likely(
    client: Client, noisy: str, name: str
) -> None:
    plain = written(client, noisy, temperature=0)
    assert written(client, noisy, temperature=0, **{name: 0}) == plain
    assert written(client, noisy, temperature=0, **{name: 2}) != plain


def test_min_p_of_1_leaves_the_most_likely_token_only(
    client: Client, noisy: str
) -> None:
    greedy = written(client, noisy, temperature=0)
    free = {"temperature": 1.0, "top_k": 2**31 - 1, "top_p": 1}
    assert written(client, noisy, **free, min_p=0) != greedy
    assert written(client, noisy, **free, min_p=1) == greedy


def test_the_demo_weights_take_penalties_and_min_p(client: Client) -> None:
    given = {"frequency_penalty": 0.5, "presence_penalty": -0.5, "min_p": 0.1}
    assert written(client, "demo", **given)
