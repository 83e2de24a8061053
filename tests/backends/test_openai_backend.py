"""The backend for OpenAI-compatible servers, over real sockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import pytest

from h2o_magic.backends.base import Backend, ChatRequest, ModelInfo
from h2o_magic.backends.http import Endpoint, Timeouts
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.backends.openai.flavour import enforces
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.chat.events import Event, Finished, Source, TextDelta, Usage
from h2o_magic.chat.messages import assistant, system, user
from h2o_magic.config.parameters import CHAT_PARAMETERS, PARAMETERS, checked
from h2o_magic.conversation.session import Session
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    GenerationError,
    IncompleteAnswerError,
    MessagesError,
    ParameterError,
    ProtocolError,
    StatusError,
    TimedOutError,
)
from tests.backends.behaviours.row import DONE, chunk, said
from tests.backends.recorded_openai import load
from tests.backends.scripted import (
    DROP,
    Answer,
    Request,
    ScriptedServer,
    answer,
    document,
    events,
    serving,
)

HI = (user("Hi"),)
ANSWER = [said("Hel", model="m"), said("lo"), chunk({}, "stop"), DONE]

#: What the entries have of programs whose ``owned_by`` is not theirs alone.
LIKE: dict[str, dict[str, Any]] = {
    "me": {"permissions": []},
    "library": {"id": "m:latest", "created": 1},
}


class OpenAIScript:
    """A server of the dialect: queued answers first, then the usual one."""

    def __init__(self, *queued: Answer, owner: str = "nobody") -> None:
        self.queued = list(queued)
        entry = {"id": "m", "object": "model", "owned_by": owner, **LIKE.get(owner, {})}
        self.models = document({"object": "list", "data": [entry]})
        self.others: dict[str, Answer] = {}

    def __call__(self, request: Request) -> Answer:
        if request.path.endswith("/models"):
            return self.models
        if request.path in self.others:
            return self.others[request.path]
        return self.queued.pop(0) if self.queued else events(*ANSWER)


@contextmanager
def backend_of(
    script: Callable[[Request], Answer], path: str = "", **options: Any
) -> Iterator[tuple[OpenAIBackend, ScriptedServer]]:
    with serving(script) as server:
        backend = OpenAIBackend(server.url + path, **options)
        with closing(backend):
            yield backend, server


def request(given: dict[str, object] | None = None, **more: Any) -> ChatRequest:
    """A request as the session makes it: with what somebody set, and nothing else."""
    return ChatRequest("m", HI, checked(given or {}), **more)


def asked(server: ScriptedServer) -> list[dict[str, Any]]:
    return [r.json for r in server.requests if r.path.endswith("/chat/completions")]


def refusal(words: str, status: int = 400) -> Answer:
    return document({"error": {"message": words}}, status=status)


# The question


def test_it_is_a_backend_of_this_dialect() -> None:
    backend: Backend = OpenAIBackend("http://127.0.0.1:1/v1")
    assert OpenAIBackend.dialect == "openai"
    assert backend.url == "http://127.0.0.1:1/v1"
    backend.close()


@pytest.mark.parametrize("path", ["", "/", "/v1", "/some/where/v1", "/v2"])
def test_the_question_goes_below_the_version(path: str) -> None:
    with backend_of(OpenAIScript(), path) as (backend, server):
        list(backend.stream(request()))
        prefix = path.strip("/") or "v1"
        assert server.calls() == [f"POST /{prefix}/chat/completions"]


def test_the_whole_context_is_sent_with_a_question() -> None:
    messages = (system("Be short."), user("a"), assistant("b"), user("Größe?"))
    with backend_of(OpenAIScript(), token="k") as (backend, server):
        given = ChatRequest("some/model", messages)
        assert list(backend.stream(given))[-1] == Finished("Hello", "end")
        (sent,) = server.requests
        assert sent.headers["authorization"] == "Bearer k"
        assert sent.headers["content-type"] == "application/json"
        assert sent.json == {
            "model": "some/model",
            "messages": [
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b"},
                {"role": "user", "content": "Größe?"},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
        }


@pytest.mark.parametrize("token", [None, ""])
def test_no_key_is_no_header(token: str | None) -> None:
    with backend_of(OpenAIScript(), token=token) as (backend, server):
        list(backend.stream(request()))
        assert "authorization" not in server.requests[0].headers


def test_a_key_is_never_shown() -> None:
    with backend_of(OpenAIScript(refusal("no", 401)), token="top-secret-key") as (
        backend,
        server,
    ):
        with pytest.raises(StatusError) as caught:
            list(backend.stream(request()))
        assert "top-secret-key" not in repr(caught.value) + repr(vars(backend))
        assert f"`%h2o connect {server.url} --key-env VAR`" in str(caught.value)


@pytest.mark.parametrize(
    "messages", [(), (user(" "),), (user("a"), assistant("b")), (system("a"),)]
)
def test_messages_without_a_question_are_refused_at_once(messages: Any) -> None:
    with backend_of(OpenAIScript()) as (backend, server):
        with pytest.raises(MessagesError):
            backend.stream(ChatRequest("m", messages))
        assert server.requests == []


@pytest.mark.parametrize(
    "options",
    [{"url": "ftp://h"}, {"url": "http://u:p@h"}, {"token": "a\nb"}, {"retry": 3}],
)
def test_what_cannot_be_used_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        OpenAIBackend(**{"url": "http://127.0.0.1:1", **options})


# Parameters

STANDARD = {
    "temperature": ({"temperature": 0.7}, {"temperature": 0.7}),
    "top_p": ({"top_p": 0.9}, {"top_p": 0.9}),
    "max_new_tokens": ({"max_new_tokens": 5}, {"max_tokens": 5}),
    "seed": ({"seed": 7}, {"seed": 7}),
    "stop": ({"stop": ("a", "b")}, {"stop": ["a", "b"]}),
    "do_sample": ({"do_sample": False}, {"temperature": 0}),
    "frequency_penalty": ({"frequency_penalty": -1.5}, {"frequency_penalty": -1.5}),
    "presence_penalty": ({"presence_penalty": 2.0}, {"presence_penalty": 2.0}),
    "reasoning_effort": ({"reasoning_effort": "none"}, {"reasoning_effort": "none"}),
}
#: Which of the API's parameters a server lacks.
LACKING = {
    "me": {"reasoning_effort"},
    "fastchat": {"seed", "frequency_penalty", "presence_penalty", "reasoning_effort"},
    "H2O.ai": {"reasoning_effort"},
    "organization_owner": {"reasoning_effort"},
}
NEW = {"top_k": 5, "typical_p": 0.5, "repetition_penalty": 1.5, "min_p": 0.1}
#: What servers call the parameters that are not in the API; "" where they have none.
OWN = {
    "nobody": ("", "", "", ""),
    "library": ("", "", "", ""),
    "vllm": ("top_k", "", "repetition_penalty", "min_p"),
    "llamacpp": ("top_k", "typical_p", "repeat_penalty", "min_p"),
    "me": ("top_k", "", "repeat_penalty", "min_p"),
    "fastchat": ("top_k", "", "", ""),
    "H2O.ai": ("top_k", "", "repetition_penalty", "min_p"),
    "organization_owner": ("top_k", "", "repeat_penalty", ""),
    "h2o_magic": ("top_k", "typical_p", "repetition_penalty", "min_p"),
}
#: What no server of the dialect is told.
FOREIGN = {"truncate": 100, "return_full_text": True}


def test_each_parameter_is_in_this_file() -> None:
    assert {*STANDARD, *NEW, "extra"} == set(CHAT_PARAMETERS)
    assert {*STANDARD, *NEW, *FOREIGN, "extra"} == set(PARAMETERS)


@pytest.mark.parametrize("name", STANDARD)
def test_a_standard_parameter_is_sent_without_another_question(name: str) -> None:
    given, expected = STANDARD[name]
    with backend_of(OpenAIScript()) as (backend, server):
        list(backend.stream(request(dict(given))))
        (sent,) = asked(server)
        always = {"model", "messages", "stream", "stream_options"}
        assert {field: sent[field] for field in sent.keys() - always} == expected
        differs = any(name in lacking for lacking in LACKING.values())
        # Our own server would have to be told that the answer is to be repeatable.
        differs = differs or name == "do_sample"
        assert len(server.requests) == (2 if differs else 1)


def test_no_sampling_means_temperature_0_whatever_the_temperature() -> None:
    cases = [
        ({"do_sample": False, "temperature": 0.9}, 0),
        ({"do_sample": True, "temperature": 0.9}, 0.9),
        ({"temperature": 0}, 0),
        ({"do_sample": False, "temperature": 0}, 0),
        ({"do_sample": True}, None),
    ]
    for given, sent in cases:
        with backend_of(OpenAIScript()) as (backend, server):
            list(backend.stream(request(dict(given))))
            assert [body.get("temperature") for body in asked(server)] == [sent]


@pytest.mark.parametrize("owner", OWN)
@pytest.mark.parametrize("name", NEW)
def test_what_the_api_lacks_goes_where_it_is_known_or_is_refused(
    name: str, owner: str
) -> None:
    field = OWN[owner][list(NEW).index(name)]
    with backend_of(OpenAIScript(owner=owner)) as (backend, server):
        answering = backend.stream(request({name: NEW[name]}))
        if field:
            list(answering)
            assert asked(server)[0][field] == NEW[name]
        else:
            with pytest.raises(ParameterError) as caught:
                list(answering)
            assert f"`{name}` cannot be sent to {server.url}" in str(caught.value)
            assert "leave it out" in str(caught.value)
            assert f"--extra '{json.dumps({name: NEW[name]})}'" in str(caught.value)
            assert asked(server) == []


@pytest.mark.parametrize("owner", OWN)
def test_what_nobody_set_is_not_sent(owner: str) -> None:
    with backend_of(OpenAIScript(owner=owner)) as (backend, server):
        list(backend.stream(request()))
        assert server.calls() == ["POST /v1/chat/completions"]
        (sent,) = asked(server)
        assert sent.keys() == {"model", "messages", "stream", "stream_options"}


@pytest.mark.parametrize("owner", OWN)
def test_what_a_server_would_ignore_is_refused(owner: str) -> None:
    for name, (given, expected) in STANDARD.items():
        with backend_of(OpenAIScript(owner=owner)) as (backend, server):
            if name in LACKING.get(owner, ()):
                with pytest.raises(ParameterError, match=f"`{name}`"):
                    list(backend.stream(request(dict(given))))
                assert asked(server) == []
            else:
                list(backend.stream(request(dict(given))))
                assert asked(server)[0].items() >= expected.items()


# What a server takes beside that


@pytest.mark.parametrize("owner", OWN)
def test_extra_goes_along_as_it_is(owner: str) -> None:
    extra = {"any": 1, "chat_template_kwargs": {"enable_thinking": False}, "x": None}
    with backend_of(OpenAIScript(owner=owner)) as (backend, server):
        list(backend.stream(request({"temperature": 0.5, "extra": extra})))
        (sent,) = asked(server)
        assert {field: sent[field] for field in extra} == extra
        assert sent["temperature"] == 0.5
        assert "extra" not in sent


@pytest.mark.parametrize("field", ["messages", "model", "stream", "stream_options"])
def test_extra_cannot_set_what_each_question_sets(field: str) -> None:
    with backend_of(OpenAIScript()) as (backend, server):
        with pytest.raises(ParameterError) as caught:
            list(backend.stream(request({"extra": {field: "x"}})))
        assert str(caught.value) == (
            f"`extra` must not have the field `{field}`, which every question sets: "
            "leave it out"
        )
        assert asked(server) == []


@pytest.mark.parametrize(
    ("owner", "field", "option"),
    [
        ("nobody", "temperature", "--temperature"),
        ("nobody", "max_tokens", "--max-new-tokens"),
        ("nobody", "max_completion_tokens", "--max-new-tokens"),
        ("nobody", "reasoning_effort", "--reasoning-effort"),
        ("vllm", "repetition_penalty", "--repetition-penalty"),
        ("llamacpp", "repeat_penalty", "--repetition-penalty"),
    ],
)
def test_extra_cannot_set_what_an_option_sets(
    owner: str, field: str, option: str
) -> None:
    with backend_of(OpenAIScript(owner=owner)) as (backend, server):
        with pytest.raises(ParameterError) as caught:
            list(backend.stream(request({"extra": {field: 1}})))
        assert str(caught.value) == (
            f"`extra` must not have the field `{field}`: use {option}"
        )
        assert asked(server) == []


def test_extra_can_set_what_no_option_sets_at_this_server() -> None:
    with backend_of(OpenAIScript()) as (backend, server):
        list(backend.stream(request({"extra": {"top_k": 5}})))
        assert asked(server)[0]["top_k"] == 5


def test_the_body_of_a_question_is_told_without_sending_it() -> None:
    with backend_of(OpenAIScript()) as (backend, server):
        question = request({"temperature": 0.5, "extra": {"any": 1}})
        body = backend.body(question)
        for given in ({"top_k": 5}, {"extra": {"model": "x"}}):
            with pytest.raises(ParameterError):
                backend.body(request(given))
        assert asked(server) == []
        list(backend.stream(question))
        assert asked(server) == [body]


def test_a_field_of_extra_that_is_refused_is_reported_as_extra() -> None:
    script = OpenAIScript(refusal("Unknown field: a.b", 400))
    with backend_of(script) as (backend, _), pytest.raises(StatusError) as caught:
        list(backend.stream(request({"extra": {"a.b": 1}})))
    assert "leave out `extra`" in str(caught.value)


@pytest.mark.parametrize("owner", OWN)
@pytest.mark.parametrize("name", FOREIGN)
def test_what_belongs_to_another_protocol_is_refused(name: str, owner: str) -> None:
    with backend_of(OpenAIScript(owner=owner)) as (backend, server):
        with pytest.raises(ParameterError, match=f"`{name}` cannot be sent"):
            list(backend.stream(request({name: FOREIGN[name]})))
        assert asked(server) == []


def test_what_the_server_is_is_asked_once() -> None:
    with backend_of(OpenAIScript(owner="vllm")) as (backend, server):
        for _ in range(3):
            list(backend.stream(request({"top_k": 3})))
        assert server.calls().count("GET /v1/models") == 1


@pytest.mark.parametrize(
    "models",
    [refusal("", 404), refusal("", 401), answer(b"<html>"), document({"data": None})],
)
def test_a_server_without_a_list_is_asked_all_the_same(models: Answer) -> None:
    script = OpenAIScript()
    script.models = models
    with backend_of(script) as (backend, server):
        list(backend.stream(request({"seed": 3})))
        assert asked(server)[0]["seed"] == 3


def test_only_our_own_server_is_asked_to_refuse_other_weights() -> None:
    for owner, told in (("h2o_magic", True), ("vllm", None)):
        with backend_of(OpenAIScript(owner=owner)) as (backend, server):
            list(backend.stream(request(strict=True)))
            assert asked(server)[0].get("strict") is told


@pytest.mark.parametrize("owner", OWN)
def test_only_our_own_server_is_told_who_asks_and_that_notices_are_wanted(
    owner: str,
) -> None:
    """It is not asked what it is for that: the words go along once it is known."""
    with backend_of(OpenAIScript(owner=owner)) as (backend, server):
        list(backend.stream(request()))
        backend.models()
        list(backend.stream(request()))
        list(backend.stream(request()))
    first, *later = [r.headers for r in server.requests if r.method == "POST"]
    ours = {"x-h2o-magic", "x-h2o-magic-notebook"}
    assert not ours & first.keys()
    if owner != "h2o_magic":
        assert not any(ours & headers.keys() for headers in later)
        return
    assert [headers["x-h2o-magic"] for headers in later] == ["notices"] * 2
    (notebook,) = {headers["x-h2o-magic-notebook"] for headers in later}
    assert len(notebook) >= 16


REPEATABLE = ({"seed": 1}, {"temperature": 0}, {"do_sample": False})


@pytest.mark.parametrize("given", [*REPEATABLE, {}, {"temperature": 0.5}], ids=str)
def test_our_own_server_caches_no_prompt_of_an_answer_that_is_to_be_repeatable(
    given: dict[str, object],
) -> None:
    for owner in ("h2o_magic", "llamacpp"):
        with backend_of(OpenAIScript(owner=owner)) as (backend, server):
            list(backend.stream(request(given)))
            (sent,) = asked(server)
        keeps = owner == "h2o_magic" and given in REPEATABLE
        assert sent.get("cache_prompt") is (False if keeps else None)


def test_who_says_otherwise_has_the_prompt_cached() -> None:
    given = {"seed": 1, "extra": {"cache_prompt": True}}
    with backend_of(OpenAIScript(owner="h2o_magic")) as (backend, server):
        list(backend.stream(request(given)))
        assert asked(server)[0]["cache_prompt"] is True


def from_weights(told: str) -> Answer:
    return events(*ANSWER, headers={"X-H2O-Magic-Weights": told})


def test_a_header_of_our_own_server_says_what_answers() -> None:
    told = {"model": "qwen", "weights": "Qwen Q4", "demo": False}
    for schema in (None, {"type": "string"}):
        script = OpenAIScript(
            from_weights(json.dumps({**told, "stands_in_for": "llama-13b"})),
            owner="h2o_magic",
        )
        with backend_of(script) as (backend, _):
            found = list(backend.stream(request(schema=schema)))
        asked_for = "llama-13b"
        enforced = schema is not None
        own = Source("qwen", "Qwen Q4", schema=enforced, stands_in_for=asked_for)
        # What the chunks call it says nothing more.
        assert [e for e in found if isinstance(e, Source)] == [own]
        assert found[0] == own


@pytest.mark.parametrize("odd", ["", "x", "[]", "{}", '{"model": 3}', "[" * 4000])
def test_a_header_that_says_nothing_is_left_alone(odd: str) -> None:
    with backend_of(OpenAIScript(from_weights(odd))) as (backend, _):
        assert Source("m") in backend.stream(request())


# Refusals, and asking again


@pytest.mark.parametrize("name", sorted(STANDARD.keys() - {"do_sample"}))
def test_only_the_wish_for_counts_is_ever_left_out(name: str) -> None:
    given, expected = STANDARD[name]
    (field,) = expected
    words = ["unknown: stream_options", f"unknown: {field}"]
    script = OpenAIScript(*map(refusal, words))
    with backend_of(script) as (backend, server):
        with pytest.raises(StatusError, match=f"leave out `{name}`"):
            list(backend.stream(request(dict(given))))
        sent = [{"stream_options", field} & body.keys() for body in asked(server)]
        assert sent == [{"stream_options", field}, {field}]


def test_a_refusal_that_goes_on_is_reported() -> None:
    script = OpenAIScript(*[refusal("unknown: stream_options")] * 5)
    with backend_of(script) as (backend, server):
        with pytest.raises(StatusError, match="unknown: stream_options"):
            list(backend.stream(request()))
        assert len(asked(server)) == 2


def test_a_refused_choice_of_the_user_is_named_and_not_dropped() -> None:
    recorded = load("vllm_api_server/temperature_range").answer()
    with backend_of(OpenAIScript(recorded)) as (backend, server):
        with pytest.raises(StatusError, match="leave out `temperature`") as caught:
            list(backend.stream(request({"temperature": 99.0})))
        assert "temperature must be in" in str(caught.value)
        assert len(asked(server)) == 1


def test_a_choice_is_named_by_our_name_for_it() -> None:
    recorded = load("vllm_api_server/context_fill_stream").answer()
    with (
        backend_of(OpenAIScript(recorded)) as (backend, _),
        pytest.raises(StatusError, match="leave out `max_new_tokens`"),
    ):
        list(backend.stream(request({"max_new_tokens": 100_000})))


def test_the_newer_name_of_the_length_is_used_where_it_must_be() -> None:
    words = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead."
    )
    with backend_of(OpenAIScript(refusal(words))) as (backend, server):
        list(backend.stream(request({"max_new_tokens": 9})))
        first, last = asked(server)
        assert last.pop("max_completion_tokens") == first.pop("max_tokens") == 9
        assert last == first
    again = refusal("max_completion_tokens is too large: 9")
    with backend_of(OpenAIScript(refusal(words), again)) as (backend, server):
        with pytest.raises(StatusError, match="leave out `max_new_tokens`"):
            list(backend.stream(request({"max_new_tokens": 9})))
        assert len(asked(server)) == 2


def test_what_does_not_fit_the_context_is_too_long() -> None:
    words = (
        "This model's maximum context length is 512 tokens. However, you requested "
        "1030 tokens (1030 in the messages, 0 in the completion)."
    )
    script = OpenAIScript(refusal(words))
    with backend_of(script) as (backend, server):
        with pytest.raises(StatusError, match="too long for the model"):
            list(backend.stream(request()))
        assert len(asked(server)) == 1


TOO_LONG = {
    "ours": (
        "This model's maximum context length is 1024 tokens. However, your messages "
        "resulted in {} tokens. Please reduce the length of the messages."
    ),
    "llama.cpp": (
        "request ({} tokens) exceeds the available context size (1024 tokens), try "
        "increasing it"
    ),
    "vLLM": (
        "This model's maximum context length is 1024 tokens. However, your request has "
        "{} input tokens. Please reduce the length of the input messages."
    ),
}
TURNS = [m for n in range(8) for m in (user(f"{n} " + "word " * 50), assistant("ok"))]
TALK = (system("Be short."), *TURNS, user("And now?"))


def dropping(script: OpenAIScript, **given: object) -> tuple[list[int], list[Event]]:
    """Return how many turns each request had, and the events of the answer."""
    asking = ChatRequest("m", TALK, checked(given))
    with backend_of(script) as (backend, server):
        found = list(backend.stream(asking))
        sent = [body["messages"] for body in asked(server)]
    for messages in sent:
        assert messages[0]["content"] == "Be short."
        assert messages[-1]["content"] == "And now?"
        kept = [m.content for m in TURNS[len(TURNS) + 2 - len(messages) :]]
        assert [m["content"] for m in messages[1:-1]] == kept
    return [len(messages) // 2 - 1 for messages in sent], found


@pytest.mark.parametrize("words", TOO_LONG.values(), ids=TOO_LONG.keys())
def test_the_oldest_turns_go_where_all_are_too_long_enough_of_them_at_once(
    words: str,
) -> None:
    script = OpenAIScript(refusal(words.format(1500)))
    # Of 1024 tokens 24 are the answer's, so that a third of the messages is too much.
    turns, found = dropping(script, max_new_tokens=24)
    assert turns == [8, 5]
    assert [e for e in found if isinstance(e, Usage)] == [Usage(dropped_turns=3)]
    assert found[-1] == Finished("Hello", "end")
    # ... and half of them at most.
    assert dropping(OpenAIScript(refusal(words.format(1500))))[0] == [8, 2]


def test_half_of_the_turns_go_where_the_server_does_not_count() -> None:
    silent = refusal("Your input exceeds the context window of this model.")
    turns, found = dropping(OpenAIScript(silent, silent))
    assert turns == [8, 4, 2]
    assert Usage(dropped_turns=6) in found


def test_a_code_alone_says_that_it_is_too_long() -> None:
    error = {"message": "Please shorten it.", "code": "context_length_exceeded"}
    assert dropping(OpenAIScript(document({"error": error}, status=400)))[0] == [8, 4]


def test_a_refusal_in_the_stream_is_one_too() -> None:
    words = TOO_LONG["ours"].format(1500)
    script = OpenAIScript(events({"error": {"message": words, "code": 400}}, DONE))
    assert dropping(script, max_new_tokens=24)[0] == [8, 5]


def test_a_question_that_is_too_long_alone_is_refused_and_never_cut() -> None:
    words = TOO_LONG["ours"].format(9000)
    script = OpenAIScript(*[refusal(words)] * 3)
    with backend_of(script) as (backend, server):
        with pytest.raises(StatusError, match="maximum context length is 1024"):
            list(backend.stream(ChatRequest("m", TALK)))
        *_, last = asked(server)
        assert [m["content"] for m in last["messages"]] == ["Be short.", "And now?"]
        assert len(asked(server)) == 2


def test_the_text_before_an_error_in_the_same_piece_is_shown() -> None:
    parts = events(said("par"), {"error": "bad"}).pieces
    words = [piece.split(b"\r\n", 1)[1].removesuffix(b"\r\n") for piece in parts]
    both = answer(b"".join(words), content_type="text/event-stream")
    with backend_of(OpenAIScript(both)) as (backend, _):
        answering = backend.stream(request())
        assert next(answering) == TextDelta("par")
        with pytest.raises(GenerationError, match="bad"):
            next(answering)


def test_a_server_that_is_not_there_is_reported_with_advice() -> None:
    with (
        closing(OpenAIBackend("http://127.0.0.1:1")) as backend,
        pytest.raises(ConnectionFailedError, match="check that a server runs"),
    ):
        list(backend.stream(request()))


# A server that moves: this user's own


def test_the_connection_is_asked_for_every_answer_and_a_move_is_followed() -> None:
    with serving(OpenAIScript()) as one, serving(OpenAIScript()) as two:
        places = [Endpoint(one.url, "t1"), Endpoint(two.url, "t2")]
        with closing(OpenAIBackend(connection=lambda: places[0])) as backend:
            assert backend.url == one.url
            list(backend.stream(request()))
            del places[0]
            list(backend.stream(request()))
            backend.models()
            assert backend.url == two.url
        assert len(asked(one)) == len(asked(two)) == 1
        tokens = [r.headers["authorization"] for r in (*one.requests, *two.requests)]
        assert tokens == ["Bearer t1", "Bearer t2", "Bearer t2"]


def test_a_server_that_stays_keeps_its_connection() -> None:
    with serving(OpenAIScript()) as server:
        with closing(OpenAIBackend(connection=lambda: Endpoint(server.url))) as backend:
            for _ in range(3):
                list(backend.stream(request()))
        assert {r.connection for r in server.requests} == {1}


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_server_that_died_is_looked_for_once_more(elsewhere: bool) -> None:
    """It may come back where it was: whoever starts it chooses the port."""
    with serving(OpenAIScript(DROP)) as one, serving(OpenAIScript()) as two:
        places = [Endpoint(one.url), Endpoint((two if elsewhere else one).url)]
        looked = []

        def connection() -> Endpoint:
            looked.append(1)
            return places[min(len(looked), 2) - 1]

        with closing(OpenAIBackend(connection=connection)) as backend:
            assert list(backend.stream(request()))[-1] == Finished("Hello", "end")
        assert len(looked) == 2
        assert len(asked(two)) == elsewhere


def test_a_server_that_stays_dead_is_an_error_after_one_more_look() -> None:
    looked = []

    def connection() -> Endpoint:
        looked.append(1)
        return Endpoint("http://127.0.0.1:1")

    with (
        closing(OpenAIBackend(connection=connection)) as backend,
        pytest.raises(ConnectionFailedError, match="check that a server runs"),
    ):
        list(backend.stream(request()))
    assert len(looked) == 2


def test_a_server_that_is_lost_once_text_came_is_not_asked_again() -> None:
    script = OpenAIScript(events(said("par"), end="cut"))
    with serving(script) as server:
        connection = partial(Endpoint, server.url)
        with (
            closing(OpenAIBackend(connection=connection)) as backend,
            pytest.raises(IncompleteAnswerError) as caught,
        ):
            list(backend.stream(request()))
        assert caught.value.partial == "par"
        assert len(asked(server)) == 1


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("no server installed"),
        ConnectionFailedError("the local server ended at once"),
        TimedOutError("the local server sleeps"),
        OSError("no file"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("dead_first", [False, True])
def test_the_errors_of_the_connection_pass_through_as_they_are(
    error: Exception, dead_first: bool
) -> None:
    places = [Endpoint("http://127.0.0.1:1")] * dead_first

    def connection() -> Endpoint:
        if places:
            return places.pop()
        raise error

    backend = OpenAIBackend(connection=connection)
    with pytest.raises(type(error)) as caught:
        list(backend.stream(request()))
    assert caught.value is error


def test_what_moves_is_a_server_of_this_package_and_is_not_asked_what_it_is() -> None:
    with serving(OpenAIScript()) as server:
        with closing(OpenAIBackend(connection=lambda: Endpoint(server.url))) as backend:
            list(backend.stream(request({"top_k": 3, "seed": 1}, strict=True)))
        assert server.calls() == ["POST /v1/chat/completions"]
        (sent,) = asked(server)
        more = {"cache_prompt": False, "strict": True, "top_k": 3, "seed": 1}
        assert sent.items() >= more.items()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "http://127.0.0.1:1", "connection": lambda: None},
        {"token": "t", "connection": lambda: None},
        {"token": "t"},
        {"connection": "http://127.0.0.1:1"},
    ],
)
def test_there_is_one_way_to_the_server(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        OpenAIBackend(**given)


# Schemas

SCHEMA = {"type": "object"}


def test_a_schema_is_sent_and_relied_on_where_it_is_enforced() -> None:
    for owner, enforced in (("vllm", True), ("llamacpp", True), ("nobody", False)):
        with backend_of(OpenAIScript(owner=owner)) as (backend, server):
            came = list(backend.stream(request(schema=SCHEMA)))
            assert came[0] == Source("m", schema=enforced)
            assert asked(server)[0]["response_format"] == {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
            }


@pytest.mark.parametrize(
    ("schema", "held"),
    [
        ({"type": ["object", "array"]}, True),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"enum": [1]}}, "title": "T"}, True),
        ({"properties": {"not": {"type": "null"}}, "required": ["not"]}, True),
        ({"items": {"additionalProperties": {"anyOf": [{"const": 1}, True]}}}, True),
        ({"items": {"anyOf": [{"not": {}}]}}, False),
        ({"properties": {"a": {"pattern": "a"}}}, False),
        ({"additionalProperties": {"if": {}}}, False),
        (None, False),
    ],
)
def test_a_schema_is_held_to_if_all_in_it_is_known_to_be(
    schema: Any, held: bool
) -> None:
    assert enforces(schema, "llamacpp") is held
    assert enforces(schema, "standard") is False


@pytest.mark.parametrize(
    "refused",
    [
        "xllamacpp/json_schema_bad",
        "llama_cpp_server/json_schema_stream",
        "vllm_api_server/json_schema_bad",
        "vllm_api_server/response_format_unknown",
        "litellm_proxy/json_schema_bad",
    ],
)
def test_a_refused_schema_is_reported_in_words_instead(refused: str) -> None:
    with backend_of(OpenAIScript(load(refused).answer())) as (backend, server):
        session = Session(backend)
        assert session.ask("?", schema=SCHEMA).read() == "Hello"
        sent = asked(server)
        assert ["response_format" in body for body in sent] == [True, False]
        assert '{"type": "object"}' in sent[-1]["messages"][0]["content"]


def test_another_refusal_is_no_refusal_of_the_schema() -> None:
    script = OpenAIScript(refusal("out of memory", 500))
    with backend_of(script, retry=RetryPolicy(1)) as (backend, server):
        session = Session(backend)
        with pytest.raises(StatusError, match="out of memory"):
            session.ask("?", schema=SCHEMA).read()
        assert len(asked(server)) == 1


# Waits


def test_a_server_that_named_itself_has_the_long_wait_for_its_first_text() -> None:
    gate = threading.Event()
    slow = events(chunk({"role": "assistant"}), said("a", "stop"), gates={1: gate})
    waits = Timeouts(first_byte=30, idle=0.05)
    with backend_of(OpenAIScript(slow), timeouts=waits) as (backend, _):
        timer = threading.Timer(0.3, gate.set)
        timer.start()
        assert list(backend.stream(request()))[-1] == Finished("a", "end")
        timer.join()


# Leaving


def test_another_thread_may_close_an_answer_that_is_waited_for() -> None:
    with backend_of(OpenAIScript(events(said("a"), end="hold"))) as (backend, server):
        answering = backend.stream(request())
        came: list[Event] = []
        first = threading.Event()

        def listen() -> None:
            for event in answering:
                came.append(event)
                first.set()

        thread = threading.Thread(target=listen)
        thread.start()
        assert first.wait(60)
        answering.close()
        thread.join(60)
        assert not thread.is_alive()
        assert came == [TextDelta("a")]
        assert server.left.acquire(timeout=60)


def test_a_closed_or_forgotten_answer_closes_its_connection_at_once() -> None:
    with backend_of(OpenAIScript(events(said("a"), end="hold"))) as (backend, server):
        answering = backend.stream(request())
        assert next(answering) == TextDelta("a")
        answering.close()
        assert server.left.acquire(timeout=60)
        assert list(answering) == []


def test_an_answer_closed_before_it_began_sends_nothing() -> None:
    with backend_of(OpenAIScript()) as (backend, server):
        backend.stream(request()).close()
        assert server.requests == []


def test_a_wait_for_a_busy_server_can_be_ended() -> None:
    loading = load("xllamacpp/loading_chat").answer()
    script = OpenAIScript(*[loading] * 9)
    with backend_of(script, retry=RetryPolicy(9, 15.0)) as (backend, server):
        answering = backend.stream(request())
        timer = threading.Timer(0.2, answering.close)
        timer.start()
        assert list(answering) == []
        timer.join()
        assert len(asked(server)) == 1


def test_answers_of_one_backend_know_nothing_of_each_other() -> None:
    def script(request: Request) -> Answer:
        word = request.json["messages"][-1]["content"]
        gates = {1: gate} if word == "slow" else {}
        parts = [said(word, model=word), said(word), chunk({}, "stop"), DONE]
        return events(*parts, gates=gates)

    gate = threading.Event()
    with backend_of(script) as (backend, _):
        slow = backend.stream(ChatRequest("m", (user("slow"),)))
        first = [next(slow), next(slow)]
        quick = list(backend.stream(ChatRequest("m", (user("quick"),))))
        assert quick[-1] == Finished("quickquick", "end")
        gate.set()
        assert [*first, *slow] == [
            Source("slow"),
            TextDelta("slow"),
            TextDelta("slow"),
            Finished("slowslow", "end"),
        ]


def test_one_connection_serves_one_answer_after_the_other() -> None:
    with backend_of(OpenAIScript()) as (backend, server):
        for _ in range(3):
            list(backend.stream(request()))
        assert {r.connection for r in server.requests} == {1}


def test_that_the_local_server_died_is_said() -> None:
    cut = events(said("par"), end="cut")
    with backend_of(OpenAIScript(cut)) as (remote, _):
        here = OpenAIBackend(connection=lambda: Endpoint(remote.url))
        with pytest.raises(IncompleteAnswerError, match="server died while") as caught:
            list(here.stream(request()))
        here.close()
    assert caught.value.partial == "par"


# Models and counts


def test_models_are_reported_with_what_servers_add() -> None:
    entries = [
        {"id": "a", "owned_by": "vllm", "max_model_len": 4096},
        {"id": "b", "meta": {"n_ctx_train": 8192, "n_ctx": 2048, "size": 7}},
        {"id": "c", "meta": None, "context_length": 5, "owned_by": "llamacpp"},
        {"id": "d", "status": {"value": "unloaded"}, "owned_by": "llamacpp"},
        {"id": "e", "state": "loaded", "max_context_length": 9, "quantization": "Q4"},
        {"id": "f", "context_window": 6, "loaded": True, "weights": "w", "demo": True},
        {"id": "g", "context_length": "many", "meta": {"size": -1, "ftype": "Q8_0"}},
        {
            "id": "h",
            "answered_by": "a",
            "license": "mit",
            "system": "Be short.",
            "sampling": {
                "temperature": {"value": 0.2, "from": "the model's file"},
                "top_k": {"value": 5},
                "top_p": {"value": "much"},
                "min_p": 0.1,
            },
        },
        {"id": "i", "answered_by": None, "license": 3, "system": [], "sampling": []},
        {"object": "model"},
        {"id": ""},
        {"id": 5},
        None,
    ]
    script = OpenAIScript()
    script.models = document({"object": "list", "data": entries})
    with backend_of(script) as (backend, _):
        assert backend.models() == [
            ModelInfo("a", context=4096, loaded=True),
            ModelInfo("b", context=2048, size=7),
            ModelInfo("c", context=5, loaded=True),
            ModelInfo("d"),
            ModelInfo("e", "Q4", context=9, loaded=True),
            ModelInfo("f", "w", demo=True, context=6, loaded=True),
            ModelInfo("g", "Q8_0"),
            ModelInfo(
                "h",
                answered_by="a",
                licence="mit",
                system="Be short.",
                sampling={"temperature": (0.2, "the model's file"), "top_k": (5, "")},
            ),
            ModelInfo("i"),
        ]


def test_a_bare_list_of_models_is_one() -> None:
    script = OpenAIScript()
    script.models = document([{"id": "a"}])
    with backend_of(script) as (backend, _):
        assert backend.models() == [ModelInfo("a")]


@pytest.mark.parametrize("odd", [{"models": []}, {"data": "x"}, 5, "x", None])
def test_what_is_no_list_of_models_is_an_error(odd: Any) -> None:
    script = OpenAIScript()
    script.models = document(odd)
    with backend_of(script) as (backend, _), pytest.raises(ProtocolError, match="data"):
        backend.models()


def test_another_server_is_asked_for_its_list_where_a_model_is_named() -> None:
    with backend_of(OpenAIScript(owner="vllm")) as (backend, server):
        assert backend.model("m") == ModelInfo("m", loaded=True)
        assert backend.model("n") is None
        assert set(server.calls()) == {"GET /v1/models"}


def test_of_another_server_nobody_knows_what_answers_where_nobody_chose() -> None:
    with backend_of(OpenAIScript(owner="vllm")) as (backend, server):
        assert backend.model() is None
        assert server.calls() == []
        backend.models()
        assert backend.model() is None


def test_a_server_of_this_package_says_which_model_answers() -> None:
    script = OpenAIScript(owner="h2o_magic")
    best = {"id": "s", "weights": "S Q4_1", "system": "Be short."}
    script.others = {
        "/v1/models/default": document(best),
        "/v1/models/o%2Fr%3Am.gguf": document({"id": "o/r:m.gguf", "loaded": True}),
        "/v1/models/x": refusal("unknown model 'x': did you mean 's'?", 404),
        "/v1/models/odd": document(["odd"]),
    }
    with backend_of(script) as (backend, _):
        assert backend.model() is None  # it is not known yet what the server is
        backend.models()
        assert backend.model() == ModelInfo("s", "S Q4_1", system="Be short.")
        assert backend.model("o/r:m.gguf") == ModelInfo("o/r:m.gguf", loaded=True)
        assert backend.model("odd") is None
        with pytest.raises(StatusError, match="did you mean"):
            backend.model("x")


def counting(owner: str, **others: Any) -> OpenAIScript:
    script = OpenAIScript(owner=owner)
    script.others = {f"/{k.replace('__', '/')}": document(v) for k, v in others.items()}
    return script


def test_vllm_counts_messages() -> None:
    script = counting("vllm", tokenize={"count": 14, "max_model_len": 512})
    with backend_of(script, "/v1") as (backend, server):
        assert backend.count_tokens("m", HI) == 14
        (sent,) = server.asked("POST /tokenize")
        items = [{"role": "user", "content": "Hi"}]
        assert sent.json == {"model": "m", "messages": items}


def test_llama_cpp_counts_the_prompt_that_it_makes() -> None:
    script = counting(
        "llamacpp", **{"apply-template": {"prompt": "<s>Hi"}}, tokenize={"tokens": [1]}
    )
    with backend_of(script) as (backend, server):
        assert backend.count_tokens("m", HI) == 1
        (sent,) = server.asked("POST /tokenize")
        assert sent.json["content"] == "<s>Hi"
        assert sent.json["parse_special"] is True


def test_our_own_server_counts_messages() -> None:
    counted = {"input_tokens": 3}
    script = counting("h2o_magic", v1__chat__completions__input_tokens=counted)
    with backend_of(script) as (backend, _):
        assert backend.count_tokens("m", HI) == 3


@pytest.mark.parametrize(
    "said",
    [
        {"max_input_tokens": 4096},
        {"model_info": {"max_input_tokens": 4096, "max_output_tokens": 512}},
        {"limits": {"max_input_tokens": 4096, "max_output_tokens": 512}},
        {"metadata": {"context_length": 4096}},
        {"openai": {"id": "m", "max_model_len": 4096}},
        {"context_size": 4096, "max_input_tokens": None},
        {"max_model_len": 4096, "max_input_tokens": 8192},
        {"meta": {"n_ctx": 4096, "n_ctx_train": 8192}},
    ],
)
def test_the_size_of_the_context_is_read_in_every_servers_words(
    said: dict[str, Any],
) -> None:
    script = OpenAIScript()
    script.models = document({"data": [{"id": "m", **said}]})
    with backend_of(script) as (backend, _):
        assert [model.context for model in backend.models()] == [4096]


def test_messages_are_not_sent_to_servers_that_cannot_count() -> None:
    with backend_of(OpenAIScript(owner="library")) as (backend, server):
        assert backend.count_tokens("m", HI) is None
        assert server.calls() == ["GET /v1/models"]


@pytest.mark.parametrize("odd", [{}, {"count": -1}, {"count": True}, [], "x"])
def test_a_count_that_is_none_is_none(odd: Any) -> None:
    with backend_of(counting("vllm", tokenize=odd)) as (backend, _):
        assert backend.count_tokens("m", HI) is None


def test_a_call_that_is_not_let_through_counts_nothing() -> None:
    script = OpenAIScript(owner="vllm")
    script.others = {"/tokenize": refusal("Not Found", 404)}
    with backend_of(script) as (backend, _):
        assert backend.count_tokens("m", HI) is None
    script.others = {"/tokenize": refusal("too long: maximum context length", 400)}
    with (
        backend_of(script) as (backend, _),
        pytest.raises(BackendError, match="too long for the model"),
    ):
        backend.count_tokens("m", HI)
