"""Any client of the OpenAI API can use the server, and learns what answered."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from h2o_magic.config.models import MODELS
from h2o_magic.rendering.schema import problems
from h2o_magic.server.models import Models
from h2o_magic.server.loading import RAW_MARKERS
from tests.server.client import Client, Reply, until
from tests.server.conftest import Serving
from tests.server.in_thread import served
from tests.server.tiny_gguf import write_llama

CHAT = "/v1/chat/completions"
GREEDY = {"temperature": 0, "max_tokens": 24}
QUESTION = [{"role": "user", "content": "How do I stop an answer?"}]


@pytest.fixture
def bare(serving: Serving) -> Client:
    """A client of the server that most tests talk to."""
    return serving.client()


def body(model: str = "llama-13b", **given: Any) -> dict[str, Any]:
    return {"model": model, "messages": QUESTION, **GREEDY, **given}


def ask(client: Client, **given: Any) -> Reply:
    return client.call("POST", CHAT, body(**given))


def text_of(reply: Reply) -> str:
    assert reply.status == 200, reply
    content = reply.json["choices"][0]["message"]["content"]
    assert isinstance(content, str)
    return content


def sse(data: bytes) -> list[str]:
    """Read a stream by the standard's own rules: fields, and blank lines after them."""
    events, lines = [], []
    for line in data.decode().split("\n"):
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif not line and lines:
            events.append("\n".join(lines))
            lines = []
        else:
            assert not line or line.startswith(":"), line
    assert not lines, "the last event has no end"
    return events


def stream(client: Client, **given: Any) -> list[dict[str, Any]]:
    """Ask for a stream, and return its chunks; ``[DONE]`` must be the last event."""
    reply = ask(client, stream=True, **given)
    assert (reply.status, reply.media_type) == (200, "text/event-stream"), reply
    *events, done = sse(reply.body)
    assert done == "[DONE]"
    return [json.loads(event) for event in events]


def joined(chunks: list[dict[str, Any]]) -> str:
    deltas = [c["choices"][0]["delta"] for c in chunks if c["choices"]]
    return "".join(delta.get("content", "") for delta in deltas)


def error(reply: Reply, status: int) -> dict[str, Any]:
    assert reply.status == status, reply
    assert set(reply.json["error"]) == {"message", "type", "param", "code"}
    found = reply.json["error"]
    assert isinstance(found, dict)
    return found


# The models


def test_the_models_are_listed_under_their_short_names(bare: Client) -> None:
    listed = bare.call("GET", "/v1/models").json
    assert listed["object"] == "list"
    ids = [model["id"] for model in listed["data"]]
    assert ids[: len(MODELS)] == list(MODELS)
    first = listed["data"][0]
    assert (first["object"], first["owned_by"]) == ("model", "h2o_magic")
    assert (first["weights"], first["demo"]) == ("built-in demo weights", True)
    assert isinstance(first["created"], int)
    assert first["size"] > 1_000_000
    assert first["context_length"] == 1024


def test_a_model_is_listed_with_what_counts_where_nobody_sets_anything(
    bare: Client, noisy: str
) -> None:
    demo = bare.call("GET", "/v1/models/llama-13b").json
    assert demo["sampling"]["temperature"] == {
        "value": 0.4,
        "from": "recommended for the demo weights",
    }
    told = ("answered_by", "system", "license")
    assert [demo[name] for name in told] == [None, "", ""]
    file = bare.call("GET", f"/v1/models/{noisy}").json
    assert [file[name] for name in told] == [None, "", ""]
    length = {"value": 1024, "from": "the local server"}
    assert file["sampling"] == {"max_new_tokens": length}
    assert demo["sampling"]["max_new_tokens"] == length


def test_where_nobody_chose_a_model_the_default_one_answers(bare: Client) -> None:
    """Without any real weights here that is the demo's."""
    default, named = (
        bare.call("GET", f"/v1/models/{name}").json for name in ("default", "llama-13b")
    )
    assert default == named
    assert ask(bare, model="default").json["h2o_magic"]["model"] == "llama-13b"


def test_one_model_can_be_asked_for_by_any_of_its_names(bare: Client) -> None:
    by_id = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3"
    for name in ("falcon-7b", by_id):
        assert bare.call("GET", f"/v1/models/{name}").json["id"] == "falcon-7b"


def test_what_is_loaded_says_so(bare: Client) -> None:
    ask(bare)
    assert bare.call("GET", "/v1/models/llama-13b").json["loaded"] is True


def test_a_file_can_be_asked_for_and_described(bare: Client, endless: str) -> None:
    model = bare.call("GET", f"/v1/models/{endless}").json
    assert (model["id"], model["demo"]) == (endless, False)
    assert ask(bare, model=endless).json["model"] == endless


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_model_is_a_404_with_the_nearest_name(
    bare: Client, method: str
) -> None:
    if method == "GET":
        found = error(bare.call("GET", "/v1/models/falcn-7b"), 404)
    else:
        found = error(ask(bare, model="falcn-7b"), 404)
    assert "did you mean 'falcon-7b'" in found["message"]
    assert (found["code"], found["param"]) == ("model_not_found", "model")
    assert found["type"] == "invalid_request_error"


# Answers


def test_an_answer_is_one_object_that_says_what_answered(bare: Client) -> None:
    reply = ask(bare)
    answer = reply.json
    assert answer["object"] == "chat.completion"
    assert answer["id"].startswith("chatcmpl-")
    assert text_of(reply).startswith("**Interrupt a running answer.**")
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["choices"][0]["finish_reason"] == "stop"
    usage = answer["usage"]
    assert usage["completion_tokens"] == 24
    assert usage["total_tokens"] == usage["prompt_tokens"] + 24
    # The name of another model would be a lie.
    assert answer["model"] == "demo-llama"
    assert "demo-llama.gguf" in answer["system_fingerprint"]
    assert answer["h2o_magic"]["demo"] is True
    assert answer["h2o_magic"]["model"] == "llama-13b"


def test_a_stream_has_the_shape_that_clients_know(bare: Client) -> None:
    chunks = stream(bare, stream_options={"include_usage": True})
    role, *texts, finish, usage = chunks
    assert role["choices"] == [
        {
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "finish_reason": None,
        }
    ]
    assert len(texts) > 3
    for chunk in texts:
        (choice,) = chunk["choices"]
        assert set(choice["delta"]) == {"content"}
        assert choice["finish_reason"] is None
    assert finish["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 24
    heads = {(c["id"], c["object"], c["created"], c["model"]) for c in chunks}
    assert len(heads) == 1
    assert role["h2o_magic"]["demo"] is finish["h2o_magic"]["demo"] is True


def test_usage_comes_only_when_it_is_asked_for(bare: Client) -> None:
    assert all(c["choices"] and "usage" not in c for c in stream(bare))


def test_a_stream_says_the_same_as_an_answer_at_once(bare: Client) -> None:
    assert joined(stream(bare)) == text_of(ask(bare))


def test_an_answer_sets_no_cookie_and_has_an_id(bare: Client) -> None:
    reply = ask(bare)
    assert reply.status == 200
    assert "set-cookie" not in reply.headers
    assert reply.headers["x-request-id"]


def test_text_comes_whole_whatever_it_holds(bare: Client, noisy: str) -> None:
    given = {"temperature": 1.5, "seed": 5, "max_tokens": 200}
    answer = text_of(ask(bare, model=noisy, **given))
    assert joined(stream(bare, model=noisy, **given)) == answer
    assert not answer.isascii()


# Messages


def test_parts_of_text_are_joined(bare: Client) -> None:
    parts = [{"type": "text", "text": "How do I stop"}, {"type": "text", "text": " an"}]
    content = [*parts, {"type": "text", "text": " answer?"}]
    assert text_of(ask(bare, messages=[{"role": "user", "content": content}])) == (
        text_of(ask(bare))
    )


def test_a_developer_is_the_system_and_history_counts(bare: Client) -> None:
    def read(*earlier: dict[str, Any]) -> int:
        usage = ask(bare, messages=[*earlier, *QUESTION], max_tokens=1).json["usage"]
        count = usage["prompt_tokens"]
        assert isinstance(count, int)
        return count

    rule = "Answer in the fewest words that you can find."
    as_system = read({"role": "system", "content": rule})
    assert as_system == read({"role": "developer", "content": rule}) > read()
    said = {"role": "assistant", "content": "Hello."}
    assert read({"role": "user", "content": "Hi"}, said) > read()


def test_the_name_of_who_speaks_changes_nothing(bare: Client) -> None:
    named = [{**message, "name": "Ann"} for message in QUESTION]
    with_name, without = ask(bare, messages=named), ask(bare, messages=QUESTION)
    assert with_name.status == 200
    assert with_name.json["choices"] == without.json["choices"]
    assert with_name.json["usage"] == without.json["usage"]


def test_what_an_answer_holds_can_be_sent_back_as_it_came(bare: Client) -> None:
    asked = {"role": "user", "content": "Hi", "name": None}
    said = {"role": "assistant", "content": "Hello.", "refusal": None, "tool_calls": []}
    assert ask(bare, messages=[asked, said, *QUESTION]).status == 200


@pytest.mark.parametrize(
    ("messages", "param", "words"),
    [
        (None, "messages", "a list of messages"),
        ("Hi", "messages", "got 'Hi'"),
        ([], "messages", "at least one message"),
        (["Hi"], "messages[0]", "an object like"),
        ([{"role": "tool", "content": "x"}], "messages[0].role", "got 'tool'"),
        ([{"role": "user"}], "messages[0].content", "to be text, got NoneType"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
            "messages[0].content[0]",
            "read only text, got 'image_url'",
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": 3}]}],
            "messages[0].content[0].text",
            "got int",
        ),
        (
            [{"role": "user", "content": "x", "name": 7}],
            "messages[0].name",
            "to be text, got int",
        ),
        (
            [{"role": "user", "content": "x", "audio": {"id": "a"}}],
            "messages[0].audio",
            "would change the answer",
        ),
        (
            [*QUESTION, {"role": "assistant", "content": "To stop"}],
            "messages",
            "last message to be the user's",
        ),
        (
            [*QUESTION, {"role": "system", "content": "x"}],
            "messages",
            "system messages before",
        ),
        ([{"role": "user", "content": " "}], "messages", "empty message"),
        (
            [{"role": "user", "content": "half \ud83d"}],
            "messages[0].content",
            "half a surrogate pair",
        ),
    ],
)
def test_messages_that_cannot_be_answered_are_named(
    bare: Client, messages: Any, param: str, words: str
) -> None:
    found = error(ask(bare, messages=messages), 400)
    assert found["param"] == param
    assert words in found["message"]


def test_messages_too_long_for_the_model_are_refused_not_cut(bare: Client) -> None:
    long = [{"role": "user", "content": "word " * 3000}]
    for streamed in (False, True):
        reply = ask(bare, messages=long, stream=streamed)
        assert error(reply, 400)["code"] == "context_length_exceeded"


def test_only_with_truncation_auto_the_oldest_messages_go(bare: Client) -> None:
    turns = [{"role": "user", "content": "word " * 600}] * 2
    answers = [{"role": "assistant", "content": "ok " * 20}] * 2
    earlier = [m for turn in zip(turns, answers, strict=True) for m in turn]
    messages = [*earlier, *QUESTION]
    for streamed in (False, True):
        for truncation in (None, "disabled"):
            reply = ask(bare, messages=messages, stream=streamed, truncation=truncation)
            found = error(reply, 400)
            assert found["code"] == "context_length_exceeded"
            assert "`truncation: auto`" in found["message"]
    reply = ask(bare, messages=messages, truncation="auto")
    assert 1 <= reply.json["h2o_magic"]["dropped_turns"] <= 2
    assert reply.json["usage"]["prompt_tokens"] < 1024
    *_, last = stream(bare, messages=messages, truncation="auto")
    dropped = last["h2o_magic"]["dropped_turns"]
    assert dropped == reply.json["h2o_magic"]["dropped_turns"]


def test_a_question_that_fits_loses_nothing_by_truncation_auto(bare: Client) -> None:
    asked = ask(bare, truncation="auto")
    assert asked.json["h2o_magic"]["dropped_turns"] == 0
    assert text_of(asked) == text_of(ask(bare))


# Options


def test_temperature_zero_takes_the_likeliest_and_one_does_not(
    bare: Client, noisy: str
) -> None:
    def written(**given: Any) -> str:
        return text_of(ask(bare, model=noisy, **{"max_tokens": 30} | given))

    greedy = written(temperature=0)
    assert greedy == written(temperature=0.0, top_p=1) == written(do_sample=False)
    sampled = written(temperature=1, seed=1)
    assert greedy != sampled
    assert sampled != written(temperature=1, seed=2)
    # A top_p of 1 leaves out nothing; the engine's own leaves out what is rare.
    assert written(temperature=1, seed=1, top_p=1) != written(
        temperature=1, seed=1, top_p=0.3
    )
    # Of one token to choose from, the likeliest remains.
    assert greedy == written(temperature=1, top_k=1) == written(top_p=1e-6)


def test_what_nobody_set_and_no_file_says_is_the_engines_own(
    bare: Client, noisy: str
) -> None:
    def written(**given: Any) -> str:
        length = {"temperature": None, "max_tokens": 30, "seed": 1}
        return text_of(ask(bare, model=noisy, **length | given))

    own = written()
    assert own == written(temperature=0.8, top_k=40, top_p=0.95, repetition_penalty=1)
    assert own != written(temperature=1.4)
    assert own != written(top_k=2)
    assert own != written(repetition_penalty=3.0)


def test_the_length_is_what_was_asked_for(bare: Client, endless: str) -> None:
    for name in ("max_tokens", "max_completion_tokens", "max_new_tokens"):
        given = {"max_tokens": None, name: 7}
        answer = ask(bare, model=endless, **given).json
        assert answer["usage"]["completion_tokens"] == 7
        assert answer["choices"][0]["finish_reason"] == "length"
        *_, last = stream(bare, model=endless, **given)
        assert last["choices"][0]["finish_reason"] == "length"


def test_without_a_length_it_is_the_tables(bare: Client, endless: str) -> None:
    answer = ask(bare, model=endless, max_tokens=None).json
    assert answer["usage"]["completion_tokens"] == 1024


@pytest.mark.parametrize("stop", ["running", ["zzz", "running"], ["g answ", "running"]])
def test_a_stop_text_ends_the_answer_and_is_no_part_of_it(
    bare: Client, stop: str | list[str]
) -> None:
    chunks = stream(bare, stop=stop)
    assert joined(chunks) == "**Interrupt a "
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert text_of(ask(bare, stop=stop)) == "**Interrupt a "


def test_what_only_begins_like_a_stop_text_stays(bare: Client) -> None:
    assert joined(stream(bare, stop=["running away"])) == text_of(ask(bare))


def test_a_penalty_changes_what_is_written(bare: Client, endless: str) -> None:
    plain = text_of(ask(bare, model=endless))
    assert text_of(ask(bare, model=endless, repetition_penalty=5.0)) != plain


def test_an_answer_can_be_held_to_a_schema(bare: Client) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"enum": ["x", "y"]}, "ok": {"type": "boolean"}},
        "required": ["name", "ok"],
        "additionalProperties": False,
    }
    named = {"name": "thing", "schema": schema, "strict": True}
    form = {"type": "json_schema", "json_schema": named}
    text = text_of(ask(bare, response_format=form))
    assert problems(json.loads(text), schema) == []
    assert joined(stream(bare, response_format=form)) == text


def test_any_json_object_can_be_asked_for(bare: Client) -> None:
    form = {"type": "json_object"}
    assert text_of(ask(bare, response_format=form)).startswith("{")
    plain = {"type": "text"}
    assert text_of(ask(bare, response_format=plain)).startswith("**Int")


def test_a_schema_that_the_engine_cannot_use_is_a_400(bare: Client) -> None:
    named = {"name": "thing", "schema": {"type": "nonsense"}}
    form = {"type": "json_schema", "json_schema": named}
    for streamed in (False, True):
        found = error(ask(bare, response_format=form, stream=streamed), 400)
        assert found["param"] == "response_format"


def test_strict_refuses_demo_weights(bare: Client, endless: str) -> None:
    found = error(ask(bare, strict=True), 400)
    assert found["code"] == "weights_missing"
    assert ask(bare, strict=True, model=endless).status == 200


HARMLESS: dict[str, Any] = {
    "user": "me",
    "metadata": {"a": "b"},
    "store": True,
    "service_tier": "auto",
    "parallel_tool_calls": True,
    "logit_bias": {},
    "frequency_penalty": 0,
    "presence_penalty": 0.0,
    "n": 1,
    "logprobs": False,
    "tools": [],
    "tool_choice": "none",
    "stop": None,
    "seed": None,
}


def test_what_means_nothing_is_accepted(bare: Client) -> None:
    assert text_of(ask(bare, **HARMLESS)) == text_of(ask(bare))


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"frequency_penalty": 2.5}, "frequency_penalty"),
        ({"presence_penalty": "much"}, "presence_penalty"),
        ({"min_p": 2}, "min_p"),
        ({"reasoning_effort": "hihg"}, "reasoning_effort"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"reasoning_effort": "none"}, "reasoning_effort"),
        ({"extra": {"any": 1}}, "extra"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"temprature": 1}, "temprature"),
        ({"return_full_text": True}, "return_full_text"),
        ({"truncate": 100}, "truncate"),
        ({"truncation": "some"}, "truncation"),
        ({"truncation": True}, "truncation"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": False}, "temperature"),
        ({"temperature": 0, "do_sample": True}, "do_sample"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": None, "max_completion_tokens": -3}, "max_completion_tokens"),
        ({"max_tokens": 3, "max_completion_tokens": 4}, None),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": 3}, "stop"),
        ({"seed": -1}, "seed"),
        ({"stream": "yes"}, "stream"),
        ({"strict": 1}, "strict"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options"),
        (
            {"stream": True, "stream_options": {"include_usage": 1}},
            "stream_options.include_usage",
        ),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
        ),
        ({"model": None}, "model"),
        ({"model": 3}, "model"),
    ],
)
def test_what_would_change_the_answer_and_cannot_is_a_400_that_names_it(
    bare: Client, given: dict[str, Any], param: str | None
) -> None:
    found = error(bare.call("POST", CHAT, {**body(), **given}), 400)
    assert found["param"] == param
    assert found["type"] == "invalid_request_error"
    if param:
        assert param.rpartition(".")[2] in found["message"]


@pytest.mark.parametrize("data", ["", "{", "[]", "3", "[" * 100_000, '{"model": NaN}'])
def test_a_body_that_is_no_object_is_a_400(bare: Client, data: str) -> None:
    headers = {"Content-Type": "application/json"}
    error(bare.call("POST", CHAT, data, headers), 400)


# Who may ask, and other failures


@pytest.mark.parametrize("path", ["/v1/models", CHAT, "/v1/nowhere", "/v1"])
@pytest.mark.parametrize("header", [None, "", "Bearer wrong", "Basic eDp5"])
def test_without_the_token_it_is_a_401_in_its_own_shape(
    bare: Client, path: str, header: str | None
) -> None:
    reply = bare.call("GET", path, headers={"Authorization": header})
    found = error(reply, 401)
    assert (found["type"], found["code"]) == ("authentication_error", "invalid_api_key")


def test_a_foreign_name_is_refused_in_its_own_shape(bare: Client) -> None:
    reply = bare.call("GET", "/v1/models", headers={"Host": "example.org"})
    assert error(reply, 403)["type"] == "permission_error"


def test_unknown_paths_and_verbs_are_errors_in_its_shape(bare: Client) -> None:
    error(bare.call("POST", "/v1/completions", {}), 404)
    reply = bare.call("GET", CHAT)
    error(reply, 405)
    assert reply.headers["allow"] == "POST"


def test_a_body_that_is_too_large_is_a_413(bare: Client) -> None:
    reply = bare.call("POST", CHAT, b" " * (8 * 2**20 + 1))
    assert error(reply, 413)["code"] == "request_too_large"
    chunk = b"100000\r\n" + b" " * 2**20 + b"\r\n"
    chunked = {"Transfer-Encoding": "chunked", "Content-Length": None}
    reply = bare.call("POST", CHAT, chunk * 9 + b"0\r\n\r\n", chunked)
    error(reply, 413)


def test_weights_that_cannot_be_loaded_are_a_500(bare: Client, tmp_path: Any) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\xff" * 100)
    for streamed in (False, True):
        found = error(ask(bare, model=str(broken), stream=streamed), 500)
        assert found["type"] == "server_error"


def test_a_model_that_can_never_fit_is_a_400_that_nobody_repeats(noisy: str) -> None:
    with served(Models(4, memory=1000)) as client:
        for streamed in (False, True):
            found = error(ask(client, model=noisy, stream=streamed), 400)
            assert (found["param"], found["code"]) == ("model", "model_too_large")
            assert "can never fit" in found["message"]
        event = client.failure(noisy)
        assert "can never fit" in event["error"]


def test_an_unforeseen_failure_in_mid_stream_is_an_event_then_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from h2o_magic.server import openai_answer  # noqa: PLC0415 - to be patched

    def fail(*_: object) -> bytes:
        raise RuntimeError("unforeseen")

    with served(Models(4)) as client:
        monkeypatch.setattr(openai_answer.CompletionShape, "end", fail)
        reply = ask(client, stream=True)
        assert reply.status == 200
        *_, last, done = sse(reply.body)
        assert json.loads(last)["error"]["type"] == "server_error"
        assert "unforeseen" not in last
        assert done == "[DONE]"
        monkeypatch.setattr(openai_answer.CompletionShape, "whole", fail)
        assert error(ask(client), 500)["message"] == "Internal Error"


@pytest.mark.parametrize("streamed", [True, False])
def test_a_client_that_leaves_stops_the_engine(
    bare: Client, endless: str, *, streamed: bool
) -> None:
    host, port = bare.url.removeprefix("http://").split(":")
    data = json.dumps(body(endless, max_tokens=8000, stream=streamed)).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(data)}\r\n"
        f"Authorization: Bearer {bare.token}\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + data)
        until(lambda: bare.busy_slots() == 1)
    until(lambda: bare.busy_slots() == 0)


def test_a_mark_of_the_models_that_comes_as_text_ends_the_answer_unseen(
    bare: Client, tmp_path: Any
) -> None:
    # Without a template the model writes in the raw format, whose marks end an answer.
    raw = str(write_llama(tmp_path / "raw.gguf", context=512))
    text = joined(stream(bare, model=raw, temperature=1, seed=3, max_tokens=100))
    assert not any(mark in text for mark in RAW_MARKERS)
