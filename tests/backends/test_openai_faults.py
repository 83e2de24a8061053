"""What real servers and gateways were seen to get wrong, and what becomes of it."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any

import pytest

from h2o_magic.backends.http import Timeouts
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.chat.events import Event, Finished, ReasoningDelta
from h2o_magic.conversation.session import Session
from h2o_magic.errors import (
    BackendError,
    GenerationError,
    IncompleteAnswerError,
    RateLimitedError,
    StatusError,
)
from tests.backends.joined import joined
from tests.backends.scripted import Answer, ScriptedServer, answer, document, events
from tests.backends.test_openai_backend import (
    OpenAIScript,
    asked,
    backend_of,
    request,
)
from tests.backends.test_openai_shapes import (
    DONE,
    chunk,
    end,
    failure,
    read,
    said,
    sse,
    text,
)

QUICK = RetryPolicy(tries=3, wait=0.0)
HELLO = sse(said("Hello", "stop"), said(" world", "stop"), DONE)
WHOLE = Finished("Hello world", "end")


def reasoning(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, ReasoningDelta))


def answering(*queued: Answer) -> AbstractContextManager[tuple[OpenAIBackend, Any]]:
    return backend_of(OpenAIScript(*queued), retry=QUICK)


def tries(backend: OpenAIBackend, server: ScriptedServer) -> tuple[int, Any]:
    """Ask, and return how often the server was asked, and what came of it."""
    try:
        last: Any = list(backend.stream(request()))[-1]
    except BackendError as error:
        last = error
    return len(asked(server)), last


# Text counts until [DONE] or the end of the body; the last reason holds.


@pytest.mark.parametrize("done", [DONE, b""])
def test_text_counts_though_every_chunk_says_that_it_is_the_last(done: bytes) -> None:
    body = HELLO.removesuffix(DONE) + done
    assert end(read(body)) == WHOLE
    assert end(read(body[i : i + 1] for i in range(len(body)))) == WHOLE


def test_a_first_chunk_without_text_that_says_stop_ends_nothing() -> None:
    begun = chunk({"role": "assistant", "content": ""}, "stop")
    assert end(read(sse(begun, said("Hello world", "stop"), DONE))) == WHOLE


def test_text_counts_though_the_reasoning_said_stop_before_it() -> None:  # Open WebUI
    thought = chunk({"reasoning_content": "Hm"}, "stop")
    events = read(sse(thought, said("Hello"), said(" world", "stop"), DONE))
    assert (reasoning(events), end(events)) == ("Hm", WHOLE)


@pytest.mark.parametrize(
    ("reasons", "last"),
    [
        (["stop", "length"], "length"),
        (["length", "stop"], "end"),
        (["stop", None], "end"),
        (["tool_calls", "stop"], "end"),
        (["", "length"], "length"),
    ],
)
def test_of_several_reasons_the_last_holds(reasons: list[Any], last: str) -> None:
    chunks = [said("a", reason) for reason in reasons]
    assert end(read(sse(*chunks, DONE))) == Finished("aa", last)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "meant"),
    [
        ("STOP", "end"),  # a gateway before Gemini
        ("MAX_TOKENS", "length"),
        ("max_tokens", "length"),
        ("model_length", "length"),  # Mistral
        ("end_turn", "end"),
    ],
)
def test_reasons_in_the_words_of_others_are_understood(reason: str, meant: str) -> None:
    assert end(read(sse(said("a", reason), DONE))).reason == meant


def test_a_cut_after_text_that_followed_a_reason_loses_an_end() -> None:
    """That server says it in every chunk, so it does not mean that all has come."""
    _, error = failure(HELLO.removesuffix(DONE), cut=True)
    assert isinstance(error, IncompleteAnswerError)
    assert error.partial == "Hello world"


def test_an_error_after_such_text_is_an_error() -> None:
    report = {"error": {"message": "overloaded"}}
    _, error = failure(HELLO.removesuffix(DONE) + sse(report))
    assert isinstance(error, GenerationError)
    assert error.partial == "Hello world"


# What cannot be read is never passed over in silence.


@pytest.mark.parametrize(
    "broken",
    [
        b'{"choices":[{"index":0,"delta":{"content":" wor"',
        b'{"choices":[{"index":0,"delta":{"content":" wo\nrld"}}]}',
        b'{"id":"1","choices":[{"delta":{"role":"adata: {"id":"2","choices":[]}',
        json.dumps(chunk({"content": ""})).encode() + b'{"choices": [',
        b"upstream reset",
        b'"word"',
        b"[" * 99_999,
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("finish", ["stop", None])
def test_a_broken_event_makes_the_answer_incomplete_and_says_which_part(
    broken: bytes, finish: str | None
) -> None:
    middle = b"data: %s\n\n" % broken
    events, error = failure(sse(said("Hello"), middle, said("!", finish), DONE))
    assert isinstance(error, IncompleteAnswerError)
    assert text(events) == error.partial == "Hello!"
    assert "after 5 characters, cannot be read" in str(error)
    start = broken.decode("utf-8", "replace").split("\n")[0]
    assert repr(start[:9])[1:-1] in str(error)


def test_what_can_be_read_of_a_broken_event_is_kept() -> None:
    broken = json.dumps(said("Hello")).encode() + b'{"choices": ['
    _, error = failure(sse(b"data: %s\n\n" % broken, said("!", "stop"), DONE))
    assert error.partial == "Hello!"
    assert "after 5 characters" in str(error)


def test_of_several_broken_events_the_first_is_reported() -> None:
    broken = [b"data: {one\n\n", said("b", "stop"), b"data: {two\n\n"]
    _, error = failure(sse(said("a"), *broken, DONE))
    assert "after 1 characters" in str(error)
    assert "{one" in str(error)


def test_half_an_event_at_a_cut_takes_back_no_end() -> None:
    half = b'data: {"choices": [], "usa'
    assert end(read(sse(said("a", "stop"), half), cut=True)) == Finished("a", "end")
    _, error = failure(sse(said("a", "stop"), half))  # the body has ended there
    assert "cannot be read" in str(error)


CHUNK = json.dumps(said("Hello world", "stop"))
HALVES = [json.dumps(said("Hello")), json.dumps(said(" world", "stop"))]


@pytest.mark.parametrize(
    "body",
    [
        f"data: data: {CHUNK}\n\ndata: data: [DONE]\n\n",
        f"data:data:{CHUNK}\n\ndata:data:[DONE]\n\n",
        f"data: data: data: {CHUNK}\n\n",
        f"data: event: message\ndata: data: {CHUNK}\ndata: \n\n",
        f"data: id: 7\ndata: data: {CHUNK}\n\ndata: : ping\n\n",
        f"data: {json.dumps(CHUNK)}\n\ndata: {json.dumps('[DONE]')}\n\n",
        f"data: {HALVES[0]}{HALVES[1]}\n\n",
        f"data: {HALVES[0]}data: {HALVES[1]}\n\n",
        f"data: {HALVES[0]}\ndata: {HALVES[1]}\n\n",
        f"data: {CHUNK}[DONE]\n\n",
        f"data: [{HALVES[0]}, {HALVES[1]}]\n\n",
        f"[{HALVES[0]}, {HALVES[1]}]",
        f"{HALVES[0]}\n\n".replace("{", "data: {", 1) + f"{HALVES[1]}\n\n",
    ],
)
def test_what_is_known_to_be_written_twice_or_together_is_read(body: str) -> None:
    assert end(read(body.encode())) == WHOLE


@pytest.mark.parametrize(
    "ping",
    [
        b"data: ping\n\n",
        b"data: keep-alive\n\n",
        b"data: : OPENROUTER PROCESSING\n\n",
        b"event: ping\ndata: 2026-11-22 12:00:00\n\n",
        b": OPENROUTER PROCESSING\n\n",
    ],
)
def test_a_ping_is_no_part_of_the_answer(ping: bytes) -> None:
    body = sse(ping, said("Hello"), ping, said(" world", "stop"), ping, DONE)
    assert end(read(body)) == WHOLE


@pytest.mark.parametrize("done", [b"[DONE]", b"[done]", b"DONE", b" [DONE] "])
def test_done_may_be_written_in_other_ways(done: bytes) -> None:
    assert end(read(sse(said("a"), b"data: %s\n\n" % done))).text == "a"


def test_a_failure_without_choices_or_error_is_one() -> None:  # DashScope
    report = {"code": "DataInspectionFailed", "message": "It may be bad."}
    _, error = failure(sse(said("a"), report))
    assert (str(error), error.partial) == ("It may be bad.", "a")


# [DONE] is an end.


@pytest.mark.parametrize("reason", [None, "", "null-like"])
def test_done_is_an_end_for_a_reason_that_is_not_known(reason: str | None) -> None:
    assert end(read(sse(said("par", reason), DONE))) == Finished("par", "unknown")


def test_done_without_a_word_of_an_answer_is_none() -> None:
    _, error = failure(sse(chunk({"role": "assistant"}), DONE))
    assert isinstance(error, IncompleteAnswerError)
    assert "too long for the model" in str(error)


def test_reasoning_and_done_are_an_answer_without_text() -> None:
    assert end(read(sse(chunk({"reasoning": "Hm"}), DONE))) == Finished("", "unknown")


def test_a_connection_that_is_held_or_lost_after_done_loses_nothing() -> None:
    for kind in ("hold", "cut"):
        held = events(said("par"), DONE, end=kind)  # type: ignore[arg-type]
        with answering(held) as (backend, server):
            assert tries(backend, server) == (1, Finished("par", "unknown"))


def test_a_follow_up_remembers_an_answer_that_ended_with_done_alone() -> None:
    script = OpenAIScript(events(said("I am Bob."), DONE))
    with backend_of(script) as (backend, server):
        session = Session(backend)
        answer = session.ask("Who are you?")
        assert answer.read() == "I am Bob."
        assert (answer.facts.status, answer.facts.finish_reason) == (
            "complete",
            "unknown",
        )
        session.ask("Who?").read()
        sent = asked(server)[-1]["messages"]
        assert [m["content"] for m in sent][-3:] == [
            "Who are you?",
            "I am Bob.",
            "Who?",
        ]


# What was lost or misleading.


@pytest.mark.parametrize(
    "delta",
    [
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
            ]
        },
        {"content": [{"type": "thinking", "thinking": "Hm", "closed": True}]},
        {"content": [{"type": "reasoning", "text": "Hm"}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "Hm"}]},
        {"reasoning": "Hm", "reasoning_details": [{"text": "Hm"}]},
        {"reasoning_content": "Hm"},
        {"reasoning_content": [{"type": "text", "text": "Hm"}]},
        {"reasoning": {"content": "Hm"}},
        {"reasoning_text": "Hm"},
        {"thinking": "Hm"},
        {"thinking": {"content": "Hm"}},
        {"thinking_blocks": [{"type": "thinking", "thinking": "Hm"}]},
        {"reasoning_content": "Hm", "thinking_blocks": [{"thinking": "Hm"}]},
        {"reasoningContent": {"text": "Hm"}},
        {"content": [{"type": "thought", "text": "Hm"}]},
        {"content": [{"text": "Hm", "thought": True}]},
        {"content": [{"type": "reasoning", "summary": [{"text": "Hm"}]}]},
    ],
)
def test_reasoning_is_found_in_every_shape(delta: dict[str, Any]) -> None:
    last = chunk({"content": [{"type": "text", "text": "Hello world"}]}, "stop")
    events = read(sse(chunk(delta), last, DONE))
    assert joined(events) == [ReasoningDelta("Hm"), *joined(events)[1:]]
    assert end(events) == WHOLE
    whole = {"choices": [{"message": delta, "finish_reason": "stop"}]}
    assert reasoning(read(json.dumps(whole).encode())) == "Hm"


def test_a_thought_and_text_in_one_chunk_go_where_they_belong() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}, 5]},
        {"type": "reference", "reference_ids": [1]},
        {"type": "text", "text": "Hello world"},
    ]
    events = read(sse(chunk({"content": parts}, "stop"), DONE))
    assert (reasoning(events), end(events)) == ("Hm", WHOLE)


def test_what_a_provider_behind_openrouter_says_is_reported_in_a_stream() -> None:
    raw = json.dumps({"error": {"message": "context is 4096"}})
    said_by = {"raw": raw, "provider_name": "Venice"}
    report = {"code": 400, "message": "Provider returned error", "metadata": said_by}
    _, error = failure(sse(said("a"), {"error": report}))
    assert str(error) == "Provider returned error: context is 4096"
    choice = {"index": 0, "delta": {"content": ""}, "error": report}
    _, error = failure(sse({"choices": [choice]}))
    assert str(error) == "Provider returned error: context is 4096"


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 529])
def test_a_server_that_fails_before_the_first_byte_is_asked_again(status: int) -> None:
    failed = document({"error": {"message": "try"}}, status=status)
    with answering(failed, failed) as (backend, server):
        assert tries(backend, server) == (3, Finished("Hello", "end"))
    with answering(*[failed] * 3) as (backend, server):
        count, error = tries(backend, server)
        assert (count, type(error), error.status) == (3, StatusError, status)
        assert str(error).startswith("try: ")


@pytest.mark.parametrize("code", [502, 529, "503", "overloaded_error"])
def test_an_overload_that_is_reported_in_the_stream_is_asked_again(code: Any) -> None:
    failed = events({"error": {"message": "busy", "code": code}})
    with answering(failed) as (backend, server):
        assert tries(backend, server) == (2, Finished("Hello", "end"))
    typed = events({"error": {"message": "busy", "type": "server", "code": 503}})
    with answering(typed) as (backend, server):
        assert tries(backend, server) == (2, Finished("Hello", "end"))
    begun = events(said("a"), {"error": {"message": "busy", "code": code}})
    with answering(begun) as (backend, server):
        assert tries(backend, server)[0] == 1


@pytest.mark.parametrize(
    "words",
    [
        "maximum context length is 512",
        "The model `m` does not exist",
        "1 validation error: Input should be 'text'",
        "Consecutive messages with the same role",
    ],
)
def test_a_failure_that_the_question_causes_is_reported_at_once(words: str) -> None:
    with answering(document({"error": words}, status=500)) as (backend, server):
        count, error = tries(backend, server)
        assert (count, type(error)) == (1, StatusError)


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after-ms": "1"},
        {"x-ratelimit-reset-tokens": "1ms"},
        {"x-ratelimit-reset-requests": "0.001", "x-ratelimit-reset-tokens": "0"},
    ],
)
def test_a_limit_that_names_a_short_wait_in_any_way_is_waited_for(
    headers: dict[str, str],
) -> None:
    limit = answer(b'{"error": "slow"}', status=429, headers=headers)
    with answering(limit) as (backend, server):
        assert tries(backend, server) == (2, Finished("Hello", "end"))


def test_a_limit_that_names_a_long_wait_says_how_long() -> None:
    headers = {"x-ratelimit-reset-tokens": "6m0s"}
    with answering(answer(b"{}", status=429, headers=headers)) as (backend, server):
        count, error = tries(backend, server)
        assert (count, type(error)) == (1, RateLimitedError)
        assert "ask again in 360 s" in str(error)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, {"message": "Too much.", "code": "insufficient_quota"}),
        (429, {"message": "Too much.", "type": "insufficient_quota"}),
        (429, {"message": "Insufficient balance"}),
        (402, {"message": "Insufficient credits"}),
    ],
)
def test_an_account_without_quota_is_sent_to_its_plan_and_not_asked_again(
    status: int, error: dict[str, str]
) -> None:
    headers = {"Retry-After": "0"}
    body = json.dumps({"error": error}).encode()
    with answering(answer(body, status=status, headers=headers)) as (backend, server):
        count, told = tries(backend, server)
        assert count == 1
        assert isinstance(told, StatusError)
        assert "check the plan and the billing" in str(told)
        assert "ask again" not in str(told)


def test_a_quota_of_a_minute_is_waited_for() -> None:  # Gemini
    words = "You exceeded your current quota, please check your plan and billing."
    retry = {"@type": "x/google.rpc.RetryInfo", "retryDelay": "0.001s"}
    error = {"code": 429, "message": words, "details": [retry]}
    with answering(document([{"error": error}], status=429)) as (backend, server):
        assert tries(backend, server) == (2, Finished("Hello", "end"))


def test_a_stream_of_stops_is_waited_for_as_long_as_any() -> None:
    """Its first reason is no end, so it shortens no wait before the first text."""
    slow = events(chunk({"role": "assistant"}, "stop"), said("a", "stop"), DONE)
    waits = Timeouts(first_byte=30, idle=30)
    with backend_of(OpenAIScript(slow), timeouts=waits) as (backend, _):
        assert list(backend.stream(request()))[-1] == Finished("a", "end")
