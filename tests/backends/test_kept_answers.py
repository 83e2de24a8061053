"""What is kept of an answer, what its footer says, and what the next question sends."""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import Any, NamedTuple

import pytest

from h2o_magic.backends.base import Backend
from h2o_magic.backends.gptgm import GptGmBackend
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.conversation.session import Session
from h2o_magic.errors import BackendError, GenerationError, IncompleteAnswerError
from h2o_magic.rendering.footer import footer
from tests.backends.behaviours.row import DONE, chunk, said
from tests.backends.scripted import (
    Answer,
    GptGmScript,
    Request,
    Script,
    ScriptedServer,
    answer,
    document,
    events,
    final,
    serving,
    token,
)
from tests.backends.test_openai_backend import OpenAIScript

RETRY = RetryPolicy(tries=3, wait=0.0)
NO_REASON = "the server did not say why the answer ended"


class Kept(NamedTuple):
    """What became of a question and its answer."""

    text: str
    reasoning: str
    end: str  # status and reason
    footer: str
    error: BackendError | None
    sent_along: bool  # with the next question
    tries: int


def kept(dialect: type[Backend], *queued: Answer) -> Kept:
    script: Script = OpenAIScript(*queued)
    if dialect is GptGmBackend:
        script = GptGmScript(*queued)
    with (
        serving(script) as server,
        closing(dialect(server.url, retry=RETRY)) as backend,  # type: ignore[call-arg]
    ):
        session = Session(backend)
        asked, error = session.ask("Who are you?"), None
        try:
            asked.read()
        except BackendError as failure:
            error = failure
        tries = len(_questions(server))
        session.ask("And who am I?").read()
        return Kept(
            asked.text,
            asked.reasoning,
            f"{asked.facts.status}, {asked.facts.finish_reason}",
            footer(asked.facts)[0],
            error,
            b"Who are you?" in _questions(server)[-1].body,
            tries,
        )


def _questions(server: ScriptedServer) -> list[Request]:
    last = re.compile(r".*/chat/completions|/conversation/\w+")
    asked = [r for r in server.requests if r.method == "POST"]
    return [r for r in asked if last.fullmatch(r.path)]


def openai(*documents: Any, **kwargs: Any) -> Kept:
    return kept(OpenAIBackend, events(*documents, **kwargs))


def gptgm(*documents: Any, **kwargs: Any) -> Kept:
    return kept(GptGmBackend, events(*documents, **kwargs))


def choice(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, **fields}]}


def line(value: Any, start: str = "data: ") -> bytes:
    return f"{start}{json.dumps(value)}\n\n".encode()


END = chunk({}, "stop")

# Text is kept, wherever a server writes it


@pytest.mark.parametrize(
    "documents",
    [
        [choice(text="Hello"), choice(text=" world", finish_reason="stop")],
        [choice(delta="Hello world", finish_reason="stop")],
        [chunk({"content": ["Hello", " world"]}, "stop")],
        [chunk({"content": {"type": "text", "text": "Hello world"}}, "stop")],
        [
            chunk(
                {"content": [{"type": "text", "text": {"value": "Hello world"}}]},
                "stop",
            )
        ],
        [chunk({"content": [{"type": "output_text", "text": "Hello world"}]}, "stop")],
        [{"choices": [{"index": "0", "delta": {"content": "Hello world"}}]}, END],
        [{"choices": [{"index": 1, "delta": {"content": "Hello world"}}]}, DONE],
        [{"code": 0, "data": said("Hello world", "stop")}],
        [line(said("Hello"), "data : "), line(said(" world", "stop"), " data: ")],
        [said("Hello"), choice(message={"content": "Hello world"}), DONE],
        [said("Hello"), chunk({}, "stop", x=1), said(" world", "stop")],
        [b"data: %s\n\n" % json.dumps(said("Hello world", "stop"), indent=1).encode()],
    ],
)
def test_text_is_kept_wherever_a_server_writes_it(documents: list[Any]) -> None:
    told = openai(*documents)
    assert (told.text, told.error, told.sent_along) == ("Hello world", None, True)
    assert told.end.startswith("complete")


@pytest.mark.parametrize(
    "body",
    [
        [said("Hello"), said(" world", "stop")],
        [{"choices": [{"text": "Hello world", "finish_reason": "stop"}]}],
        [{"choices": [{"message": {"content": "Hello world"}}]}, "[DONE]"],
        [{"data": {"choices": [{"message": {"content": "Hello world"}}]}}],
    ],
)
def test_text_is_kept_of_documents_that_follow_each_other(body: list[Any]) -> None:
    lines = [part if part == "[DONE]" else json.dumps(part) for part in body]
    told = kept(OpenAIBackend, answer("\n".join(lines).encode()))
    assert (told.text, told.sent_along) == ("Hello world", True)


def test_of_several_choices_the_first_is_kept_whichever_comes_before() -> None:
    second = {"choices": [{"index": 1, "delta": {"content": "no"}}]}
    assert openai(second, said("Hello"), second, said("!", "stop")).text == "Hello!"


def test_of_several_final_texts_of_gptgm_the_last_is_kept() -> None:
    growing = [
        {**token(" world"), "generated_text": "Hello world"},
        final("Hello world"),
    ]
    told = gptgm({**token("Hello"), "generated_text": "Hello"}, *growing)
    assert (told.text, told.end) == ("Hello world", "complete, end")


def test_an_empty_final_text_takes_no_tokens_back() -> None:
    assert gptgm(token("Hello"), token(" world"), final("")).text == "Hello world"


# What cannot be read is told


@pytest.mark.parametrize(
    "lost",
    [
        b"upstream connect error or disconnect\n\n",
        b"<html><title>502 Bad Gateway</title></html>\n\n",
        b'"delta": {"content": " my"}}]}\n\n',
        b"data: {\n\n",
        b'data: {"choices": [{"delta": {"content": " m\xfc"}}]}\n\n',
        {"text": " my"},
        {"message": {"role": "assistant", "content": " my"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": " my"}},
        chunk({"content": 7}),
        chunk({"content": {"type": "image", "url": "x"}}),
    ],
)
def test_a_part_that_cannot_be_read_makes_the_answer_incomplete(lost: Any) -> None:
    told = openai(said("Hello"), lost, said(" world", "stop"), DONE)
    assert isinstance(told.error, IncompleteAnswerError)
    assert told.text.startswith("Hello")
    assert told.text.endswith(" world")
    assert "after 5 characters, cannot be read (" in str(told.error)
    assert not told.sent_along


@pytest.mark.parametrize(
    "lost", [b"data: {\n\n", b"upstream reset\n\n", b"data: \xff\n\n"]
)
def test_a_part_of_a_gptgm_answer_that_cannot_be_read_is_told(lost: bytes) -> None:
    told = gptgm(token("Hello"), lost, token(" world"), DONE)
    assert isinstance(told.error, IncompleteAnswerError)
    assert "after 5 characters, cannot be read (" in str(told.error)
    whole = gptgm(token("Hello"), lost, token(" world"), final("Hello my world"))
    assert (whole.text, whole.error) == ("Hello my world", None)


@pytest.mark.parametrize(
    "beside",
    [
        b"data: {}\n\n",
        b"data: null\n\n",
        {"status": "processing"},
        {"type": "ping"},
        {"usage": {"prompt_tokens": 3}},
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
        {"choices": [], "x_groq": {"id": "r"}},
        {"sources": [{"title": "x"}]},
        {"message": "still working"},
    ],
)
def test_what_holds_no_text_is_passed_over(beside: Any) -> None:
    told = openai(beside, said("Hello"), beside, said(" world", "stop"), DONE)
    assert (told.text, told.end) == ("Hello world", "complete, end")


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda value: line(value, "data: data: "),
        lambda value: line(json.dumps(value)),
        lambda value: line([value]),
        lambda value: line(value, "data: event: x\ndata: data: "),
    ],
)
def test_known_doublings_are_read_in_gptgm_too(wrapped: Any) -> None:
    told = gptgm(wrapped(token("Hello")), wrapped(final("Hello world")))
    assert (told.text, told.end) == ("Hello world", "complete, end")


# An end is an end


@pytest.mark.parametrize(
    "documents",
    [
        [said("Hi"), DONE],
        [said("Hi"), b"event: done\ndata: \n\n"],
        [said("Hi"), b"event: done\ndata: {}\n\n"],
        [said("Hi"), b"event: end\ndata: end of stream\n\n"],
        [said("Hi"), {"choices": [], "usage": {"completion_tokens": 2}}],
        [{"object": "chat.completion", **choice(message={"content": "Hi"})}],
        [chunk({"content": "Hi"}, {"type": "stop"})],
        [chunk({"content": "Hi"}, True)],
        [chunk({"content": "Hi"}, 1)],
    ],
)
def test_an_end_without_a_known_reason_is_complete_and_said(
    documents: list[Any],
) -> None:
    told = openai(*documents)
    assert told.error is None
    assert (told.text, told.end) == ("Hi", "complete, unknown")
    assert told.footer == NO_REASON
    assert told.sent_along


def test_done_is_an_end_in_gptgm() -> None:
    told = gptgm(token("Hi"), DONE)
    assert (told.text, told.end, told.footer) == ("Hi", "complete, unknown", NO_REASON)
    assert told.sent_along


def test_counts_before_the_last_text_are_no_end() -> None:
    counts = {"choices": [], "usage": {"completion_tokens": 2}}
    told = openai(said("Hello"), counts, said(" wor"))
    assert isinstance(told.error, IncompleteAnswerError)
    assert not told.sent_along


@pytest.mark.parametrize(
    ("reason", "meant"),
    [
        *[(reason, "end") for reason in ("COMPLETE", "FINISH_REASON_STOP", "end-turn")],
        *[(reason, "length") for reason in ("max_output_tokens", "model_length")],
        ("FINISH_REASON_MAX_TOKENS", "length"),
        ("model_context_window_exceeded", "length"),
        ("max_time", "unknown"),
    ],
)
def test_an_end_in_the_words_of_a_vendor_is_understood(reason: str, meant: str) -> None:
    assert openai(said("Hi", reason)).end == f"complete, {meant}"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("PROHIBITED_CONTENT", "content filter"),
        ("guardrail_intervened", "content filter"),
        ("content-filter", "content filter"),
        ("refusal", "refused to answer"),
        ("tool_use", "tool call"),
        ("MALFORMED_FUNCTION_CALL", "tool call"),
        ("timeout", "broke off"),
        ("canceled", "broke off"),
    ],
)
def test_an_end_that_is_none_is_told_in_the_words_of_any_vendor(
    reason: str, words: str
) -> None:
    told = openai(said("Hi", reason), DONE)
    assert words in str(told.error)
    assert (told.text, told.sent_along) == ("Hi", False)


@pytest.mark.parametrize(
    "call", [{"tool_calls": [{"id": "x"}]}, {"function_call": {"name": "f"}}]
)
def test_a_tool_call_in_place_of_an_answer_is_told_whatever_ends_it(
    call: dict[str, Any],
) -> None:
    told = openai(chunk(call), END, DONE)
    assert isinstance(told.error, GenerationError)
    assert "no tools are available" in str(told.error)
    assert openai(said("Hi"), chunk(call), END, DONE).end == "complete, end"


# Errors within an answer


@pytest.mark.parametrize(
    "report",
    [
        {"choices": [], "x_groq": {"error": "no luck"}},
        {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "no luck"}},
        {"error_code": 17, "error_msg": "no luck"},
        {"errors": [{"message": "no luck"}]},
        {"type": "error", "message": "no luck"},
        {"status": 500, "message": "no luck"},
        {"code": 40001, "msg": "no luck"},
        {"fault": {"faultstring": "no luck"}},
    ],
)
def test_an_error_between_the_chunks_is_found_in_every_shape(report: Any) -> None:
    for asked in (
        openai(said("Hello"), report, said(" world", "stop"), DONE),
        kept(OpenAIBackend, document(report)),
    ):
        assert isinstance(asked.error, GenerationError)
        assert str(asked.error).startswith("no luck")
        assert not asked.sent_along


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ({"message": "Nothing left", "code": 402}, "the plan and the billing"),
        ({"message": "Who are you?", "code": 401}, "needs a valid key"),
        ({"message": "Stop", "code": "insufficient_quota"}, "the plan and the billing"),
        ({"message": "Incorrect API key provided"}, "needs a valid key"),
    ],
)
@pytest.mark.parametrize("wrap", [events, document])
def test_an_error_in_an_answer_with_status_200_says_what_to_do(
    error: dict[str, Any], advice: str, wrap: Any
) -> None:
    told = kept(OpenAIBackend, wrap({"error": error}))
    assert advice in str(told.error)
    assert told.tries == 1


CREDIT = "the plan and the billing"
KEY = "needs a valid key"


@pytest.mark.parametrize("dialect", [OpenAIBackend, GptGmBackend])
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("insufficient_quota", CREDIT),
        ("Insufficient balance. Please recharge.", CREDIT),
        ("Your account is not active, check your billing details.", CREDIT),
        ("Billing hard limit has been reached", CREDIT),
        ("You have exhausted your monthly included credits.", CREDIT),
        ("Budget has been exceeded! Max budget: 0.5", CREDIT),
        ("Your credit balance is too low to access the API.", CREDIT),
        ("Incorrect API key provided.", KEY),
        ("API key expired. Please renew it.", KEY),
        ("Invalid authentication", KEY),
    ],
)
def test_what_no_wait_mends_is_asked_once_and_says_what_does(
    dialect: type[Backend], status: int, words: str, advice: str
) -> None:
    refused = document({"error": words}, status=status, headers={"Retry-After": "0"})
    told = kept(dialect, refused)
    assert told.tries == 1
    assert advice in str(told.error)
    assert "ask again" not in str(told.error)


@pytest.mark.parametrize("dialect", [OpenAIBackend, GptGmBackend])
@pytest.mark.parametrize("status", [409, 425, 500, 502, 520, 522, 524, 529, 598])
def test_a_status_of_the_moment_is_asked_again_in_both_dialects(
    dialect: type[Backend], status: int
) -> None:
    failed = document({"error": "try"}, status=status)
    assert kept(dialect, failed, failed).error is None
    told = kept(dialect, *[failed] * 3)
    assert (told.tries, told.sent_along) == (3, False)


@pytest.mark.parametrize("status", [400, 404, 405, 501, 505])
def test_a_status_that_stays_is_not_asked_again(status: int) -> None:
    assert kept(OpenAIBackend, document({"error": "no"}, status=status)).tries == 1


def test_a_server_that_names_no_second_has_no_wait_of_none() -> None:
    limit = document({"error": "slow"}, status=429, headers={"Retry-After": "0"})
    told = kept(OpenAIBackend, *[limit] * 3)
    assert str(told.error) == "slow: ask again later"
    busy = document({"error": "slow"}, status=503, headers={"Retry-After": "60"})
    assert str(kept(OpenAIBackend, busy).error).endswith("ask again in 60 s")
