"""Shapes of streams that are documented or reported, but of which no recording is here.

Ollama, LM Studio, text-generation-inference, h2oGPTe, Ray Serve and hosted services
were not run; what they send was written by hand from what is known of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from h2o_magic.backends.openai.chunks import AnswerFacts
from h2o_magic.backends.openai.parser import OpenAIParser
from h2o_magic.chat.events import (
    Event,
    Finished,
    ReasoningDelta,
    Source,
    TextDelta,
    Usage,
)
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    GenerationError,
    IncompleteAnswerError,
    ProtocolError,
)


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "choices": [choice], **more}


def said(text: str, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return chunk({"content": text}, finish, **more)


def sse(*documents: Any) -> bytes:
    """Return a stream of events; a bytes object stands for itself."""
    return b"".join(
        d if isinstance(d, bytes) else b"data: %s\n\n" % json.dumps(d).encode()
        for d in documents
    )


DONE = b"data: [DONE]\n\n"


def read(
    body: bytes | Iterable[bytes],
    *,
    cut: bool = False,
    stop: tuple[str, ...] = (),
    schema: bool = False,
) -> list[Event]:
    """Read a body to its end."""
    parser = OpenAIParser(stop, AnswerFacts(schema=schema))
    events: list[Event] = []
    for piece in [body] if isinstance(body, bytes) else body:
        events.extend(parser.feed(piece))
    events.extend(parser.flush())
    events.append(parser.end(ConnectionFailedError("lost") if cut else None))
    return events


def failure(body: bytes, *, cut: bool = False) -> tuple[list[Event], BackendError]:
    """Return what came of a body before its failure, and the failure."""
    parser = OpenAIParser()
    events: list[Event] = []
    try:
        for event in parser.feed(body):
            events.append(event)
        for event in parser.flush():
            events.append(event)
        parser.end(ConnectionFailedError("lost") if cut else None)
    except BackendError as error:
        return events, error
    raise AssertionError(f"no failure, but {events}")


def end(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def text(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, TextDelta))


def test_ollama_tells_its_role_once_and_its_thoughts_in_reasoning() -> None:
    events = read(
        sse(
            chunk({"role": "assistant", "content": ""}, model="qwen3:8b"),
            chunk({"role": "assistant", "content": "", "reasoning": "Hm"}),
            chunk({"role": "assistant", "content": "", "reasoning": "m."}),
            said("Hi"),
            said("", "stop"),
            {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}},
            DONE,
        )
    )
    assert events == [
        Source("qwen3:8b"),
        ReasoningDelta("Hmm."),
        TextDelta("Hi"),
        Usage(9, 4),
        Finished("Hi", "end"),
    ]


def test_of_two_reasoning_fields_one_is_taken() -> None:
    both = {"reasoning_content": "think", "reasoning": "think"}
    events = read(sse(chunk(both), said("x", "stop")))
    assert events[:2] == [ReasoningDelta("think"), TextDelta("x")]


def test_lm_studio_names_a_quantized_model_and_ends_with_done() -> None:
    events = read(sse(said("a", model="qwen2.5-7b@q4"), chunk({}, "stop"), DONE))
    assert events[0] == Source("qwen2.5-7b@q4")
    assert end(events) == Finished("a", "end")


def test_text_generation_inference_pings_and_ends_by_its_own_words() -> None:
    events = read(sse(b":\n\n", said("a"), b":\n\n", said("b", "eos_token"), DONE))
    assert end(events) == Finished("ab", "end")
    ended = read(sse(said("ab", "stop_sequence")))
    assert end(ended) == Finished("ab", "stop_text")


def test_text_generation_inference_reports_errors_in_the_stream() -> None:
    report = {"error": {"message": "out of memory", "http_status_code": 422}}
    events, error = failure(sse(said("par"), report))
    assert text(events) == "par"
    assert isinstance(error, GenerationError)
    assert (str(error), error.partial) == ("out of memory", "par")
    _, error = failure(sse({"error": "Model is overloaded", "error_type": "o"}))
    assert str(error) == "Model is overloaded"


def test_h2ogpte_names_the_model_only_in_some_chunks() -> None:
    events = read(sse(said("a"), said("b", model="h2oai/m"), chunk({}, "stop"), DONE))
    assert [e for e in events if isinstance(e, Source)] == [Source("h2oai/m")]


def test_ray_serve_may_end_the_body_without_a_blank_line() -> None:
    body = sse(said("a"), said("b", "length"))
    assert end(read(body.rstrip(b"\n"))) == Finished("ab", "length")
    assert end(read(body + b"data: [DONE]")) == Finished("ab", "length")


def test_llama_cpp_reported_errors_in_a_field_of_their_own() -> None:
    line = b'error: {"code":500,"message":"context shift is off","type":"server"}\n\n'
    events, error = failure(sse(said("par"), line))
    assert text(events) == "par"
    assert str(error) == "context shift is off"
    assert error.partial == "par"


def test_llama_cpp_left_out_the_blank_line_before_done() -> None:
    body = sse(said("a")) + sse(chunk({}, "stop")).removesuffix(b"\n") + DONE
    assert end(read(body)) == Finished("a", "end")


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({"object": "error", "message": "no worker", "code": 50001}, "no worker"),
        ({"text": "**NETWORK ERROR**", "error_code": 50001}, "**NETWORK ERROR**"),
        ({"error": {"message": "", "code": "overloaded"}}, "overloaded"),
        ({"error": ["a", "b"]}, "a; b"),
        ({"detail": "gone"}, "gone"),
        ({"error": True}, '{"error": true}'),
        (b"event: error\ndata: plain words\n\n", "plain words"),
    ],
)
def test_an_error_may_have_any_shape(report: Any, words: str) -> None:
    events, error = failure(sse(said("a"), report))
    assert isinstance(error, GenerationError)
    assert (str(error), error.partial, text(events)) == (words, "a", "a")


def test_an_error_without_words_is_still_one() -> None:
    _, error = failure(b"event: error\ndata:\n\n")
    assert str(error) == "the server reported an error without a message"


def test_an_error_after_the_end_takes_nothing_back() -> None:
    events = read(sse(said("a", "stop"), {"error": {"message": "usage failed"}}))
    assert end(events) == Finished("a", "end")


def test_other_choices_and_text_after_done_are_not_the_answer() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "no"}}]}
    events = read(sse(said("a"), other, chunk({}, "stop"), DONE, said("more")))
    assert text(events) == "a"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("content_filter", "content filter ended"),
        ("tool_calls", "asked for a tool call"),
        ("function_call", "asked for a function"),
    ],
)
def test_an_end_without_an_answer_is_reported_in_words(reason: str, words: str) -> None:
    events, error = failure(sse(said("par"), chunk({}, reason), DONE))
    assert text(events) == "par"
    assert isinstance(error, GenerationError)
    assert words in str(error)
    assert (error.error_type, error.partial) == (reason, "par")


def test_an_answer_that_the_server_aborted_is_not_whole() -> None:
    _, error = failure(sse(said("par", "abort"), DONE))
    assert isinstance(error, IncompleteAnswerError)
    assert error.partial == "par"


def test_an_end_of_another_name_is_an_end() -> None:
    assert end(read(sse(said("a", "max_time")))) == Finished("a", "unknown")


def test_an_end_without_any_word_of_it_proves_nothing() -> None:
    _, error = failure(sse(said("par")))
    assert isinstance(error, IncompleteAnswerError)
    assert error.partial == "par"
    assert "without a sign that it is complete" in str(error)


def test_a_cut_after_the_end_loses_nothing() -> None:
    assert end(read(sse(said("a", "stop")), cut=True)) == Finished("a", "end")


def test_a_cut_inside_an_event_keeps_the_text_before() -> None:
    events, error = failure(sse(said("par"), said("tial"))[:-20], cut=True)
    assert text(events) == error.partial == "par"
    assert "broke off" in str(error)


def test_a_cut_inside_the_first_event_is_no_foreign_answer() -> None:
    _, error = failure(b'data: {"choices": [', cut=True)
    assert isinstance(error, IncompleteAnswerError)


@pytest.mark.parametrize("body", [b"", b"\n\n", b": ping\r\n\r\n", DONE, b"\xef\xbb"])
def test_a_body_without_an_answer_may_mean_a_prompt_too_long(body: bytes) -> None:
    _, error = failure(body)
    if body == b"\xef\xbb":
        assert isinstance(error, ProtocolError)
    else:
        assert isinstance(error, IncompleteAnswerError)
        assert "too long for the model" in str(error)


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"  \r\n"])
def test_a_web_page_is_no_answer(before: bytes) -> None:
    page = b"<!doctype html><title>Sign in &amp; pay</title><p>Hello"
    _, error = failure(before + page)
    assert isinstance(error, ProtocolError)
    assert "'Sign in & pay'" in str(error)
    assert "asks for a login" in str(error)


def test_words_that_are_no_protocol_are_shown() -> None:
    _, error = failure(b"upstream connect error or disconnect")
    assert isinstance(error, ProtocolError)
    assert "'upstream connect error" in str(error)


def test_a_server_that_does_not_stream_is_understood() -> None:
    message = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm"}
    whole = {
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
    body = json.dumps(whole).encode()
    expected = [
        Source("m"),
        ReasoningDelta("Hm"),
        TextDelta("Hi"),
        Usage(1, 2),
        Finished("Hi", "length"),
    ]
    assert read(body) == expected
    assert read(body[i : i + 1] for i in range(len(body))) == expected
    del whole["choices"][0]["finish_reason"]  # type: ignore[index]
    assert end(read(json.dumps(whole).encode())).reason == "unknown"


def test_an_error_document_with_status_200_is_an_error() -> None:
    _, error = failure(b'{"error": {"message": "no such model", "type": "t"}}')
    assert isinstance(error, GenerationError)
    assert (str(error), error.error_type) == ("no such model", "t")
    _, error = failure(b'{"object": "list", "data": []}')
    assert isinstance(error, ProtocolError)


def test_content_may_be_null_missing_a_list_or_a_refusal() -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "b"}]
    events = read(
        sse(
            chunk({"role": "assistant", "content": None}),
            {"choices": [{"index": 0}]},
            {"choices": [None, 5, {"delta": None}]},
            {"choices": None},
            said("a"),
            chunk({"content": parts}),
            chunk({"refusal": "c"}),
            chunk({}, "stop"),
        )
    )
    assert text(events) == "abc"


@pytest.mark.parametrize("odd", [b"null", b"5", b'""', b"[1]", b"{}", b"true"])
def test_events_that_are_no_chunks_are_passed_over(odd: bytes) -> None:
    events = read(sse(said("a"), b"data: %s\n\n" % odd, said("b", "stop")))
    assert end(events) == Finished("ab", "end")


def test_only_whole_numbers_count_as_tokens() -> None:
    usages = [
        {"prompt_tokens": 3, "completion_tokens": 1, "save_dict": {"prompt": "x"}},
        {"prompt_tokens": True, "completion_tokens": -1},
        {"prompt_tokens": "9", "completion_tokens": 2.5},
        None,
        {"completion_tokens": 2},
    ]
    chunks = [said("a", usage=usage) for usage in usages]
    assert Usage(3, 2) in read(sse(*chunks, chunk({}, "stop")))


@pytest.mark.parametrize("odd", [0, -1, True, "5", None, [], float("nan")])
def test_times_that_are_none_are_no_times(odd: Any) -> None:
    events = read(sse(said("a", "stop", timings={"predicted_ms": odd})))
    assert [e for e in events if isinstance(e, Usage)] == []


def test_halves_of_a_character_are_joined_and_zero_bytes_left_out() -> None:
    events = read(sse(said("a\ud83d"), said("\ude00\0b"), said("\ud83d", "stop")))
    assert (
        end(events).text
        == text(events)
        == "a\N{GRINNING FACE}b\N{REPLACEMENT CHARACTER}"
    )
    assert json.loads(json.dumps(text(events))).encode()


def test_a_stop_text_is_cut_though_it_comes_in_pieces() -> None:
    events = read(
        sse(said("a E"), said("N"), said("D b"), said("c", "length")), stop=("END",)
    )
    assert text(events) == "a "
    assert end(events) == Finished("a ", "stop_text")
    kept = read(sse(said("a E"), said("N"), said("d", "stop")), stop=("END", "NO"))
    assert end(kept) == Finished("a ENd", "end")
    assert end(read(sse(said("a EN", "stop")), stop=("END",))).text == "a EN"


def test_vllm_says_which_stop_text_ended_it() -> None:
    last = {"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}
    assert end(read(sse(said("a"), {"choices": [last]}))).reason == "stop_text"
    last["stop_reason"] = 151643  # a token
    assert end(read(sse(said("a"), {"choices": [last]}))).reason == "end"


def test_cached_tokens_are_told_by_openai_vllm_and_llama_cpp() -> None:
    counts = {"prompt_tokens": 30, "completion_tokens": 1}
    cached = {"cached_tokens": 20, "audio_tokens": 0}
    for details, expected in ((cached, 20), ({}, None), (None, None), ([1], None)):
        usage = {**counts, "prompt_tokens_details": details}
        events = read(sse(said("a", "stop", usage=usage), DONE))
        assert Usage(30, 1, cached_tokens=expected) in events


def test_a_large_event_and_many_in_one_piece_are_read() -> None:
    large = "x" * 2**20
    events = read(sse(said(large), *[said("y")] * 1000, chunk({}, "stop")))
    assert end(events).text == large + "y" * 1000


def test_what_a_chunk_says_beside_its_text_is_heard_also_if_it_is_said_again() -> None:
    thought = chunk({"content": "", "reasoning_content": "hm"})
    refused = chunk({"content": "", "refusal": "no"})
    body = sse(said("a"), said("a"), thought, thought, refused, refused)
    events = read(sse(body, said("", "stop")))
    texts = "".join(e.text for e in events if isinstance(e, TextDelta))
    thoughts = "".join(e.text for e in events if isinstance(e, ReasoningDelta))
    assert (texts, thoughts) == ("aanono", "hmhm")


def test_the_texts_of_chunks_that_come_together_are_one_event() -> None:
    events = read([sse(said("a"), said("b")), sse(said("c"), said("d", "stop"))])
    assert [e.text for e in events if isinstance(e, TextDelta)] == ["ab", "cd"]


def test_counts_that_grow_with_each_chunk_are_noted_and_cut_no_text() -> None:
    chunks = [
        said(
            text,
            id=f"chatcmpl-{number}",
            created=number,
            obfuscation="x" * number,
            usage={"prompt_tokens": 3, "completion_tokens": number},
        )
        for number, text in enumerate("abcdefghijkl")
    ]
    for size, count in ((1, 12), (2, 6), (12, 1)):
        parts = [chunks[at : at + size] for at in range(0, len(chunks), size)]
        events = read([*(sse(*part) for part in parts), sse(chunk({}, "stop"))])
        texts = [e.text for e in events if isinstance(e, TextDelta)]
        assert "".join(texts) == "abcdefghijkl"
        assert len(texts) == count
        assert Usage(3, 11) in events
        assert end(events).text == "abcdefghijkl"
