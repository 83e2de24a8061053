"""The pure part: bytes of an answer to its events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.backends.gptgm.parser import GptGmParser
from h2o_magic.chat.events import (
    Event,
    Finished,
    Notice,
    Replaced,
    Source,
    TextDelta,
    Usage,
)
from h2o_magic.errors import GenerationError, IncompleteAnswerError, ProtocolError
from tests.backends.joined import joined
from tests.backends.scripted import final, recorded_body, token


def sse(*documents: Any) -> bytes:
    return b"".join(b"data:%s\n\n" % json.dumps(d).encode() for d in documents)


def read(*pieces: bytes, **kwargs: Any) -> list[Event]:
    parser = GptGmParser(**kwargs)
    out = [event for piece in pieces for event in parser.feed(piece)]
    return [*out, *parser.flush(), parser.end()]


def shown(events: list[Event]) -> str:
    """What somebody who follows the events has in front of them before the end."""
    text = ""
    for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        if isinstance(event, Replaced):
            text = event.text
    return text


def answer(*documents: Any, **kwargs: Any) -> tuple[str, str]:
    """What was shown, and the answer of record."""
    out = read(sse(*documents), **kwargs)
    assert isinstance(out[-1], Finished)
    assert sum(isinstance(event, Finished) for event in out) == 1
    return shown(out), out[-1].text


STREAMS = {
    "generate-first-turn": "A Jupyter magic is a command that starts with `%`.",
    "stream-emoji-empty-tokens": "Hi 👋 é 日本語",
    "stream-split-bytes": "Hi 👋 é 日本語",
    "stream-keep-alive-comments": "awake",
    "stream-tricky-text": 'data: [DONE] <|endoftext|> }\n\ndata:{"x":1}\u2028 end',
    "stream-length-last-token-text": "one two three",
    "stream-stop-sequence": "Fine.",
    "stream-empty-answer": "",
    "stream-llama-eos": "Hello!",
    "stream-details": "Hello!",
    "stream-one-write": "A Jupyter magic is a command that starts with `%`.",
    "stream-false": "A Jupyter magic is a command that starts with `%`.",
    "content-encoding-false": "ok gzip",
}


@pytest.mark.parametrize(("case", "text"), STREAMS.items())
def test_a_recording_is_the_same_answer_however_cut(case: str, text: str) -> None:
    body = recorded_body(case)
    whole = joined(read(body))
    assert whole[-1] == Finished(text, "end")
    assert shown(whole) == text
    for cut in range(0, len(body) + 1, max(1, len(body) // 20)):
        assert joined(read(body[:cut], body[cut:])) == whole
    assert joined(read(*[body[i : i + 1] for i in range(len(body))])) == whole


@pytest.mark.parametrize("case", ["generate-first-turn", "stream-emoji-empty-tokens"])
def test_a_recording_that_ends_anywhere_is_never_passed_off_as_whole(case: str) -> None:
    body = recorded_body(case)
    text = STREAMS[case]
    complete = body.rindex(b"}") + 1  # from here on only the line ends are missing
    for cut in range(complete):
        with pytest.raises((IncompleteAnswerError, ProtocolError)) as caught:
            read(body[:cut])
        assert text.startswith(caught.value.partial)
    for cut in range(complete, len(body) + 1):
        assert read(body[:cut])[-1] == Finished(text)


def test_markers_glued_to_the_record_are_cut_off_once() -> None:
    assert answer(final(" a</s><|endoftext|> \n"))[1] == "a"
    assert answer(final("<|startoftext|> a</s></s>"))[1] == "a</s>"


def test_stop_texts_are_cut_off_the_record_once() -> None:
    record = "a STOP STOP"
    assert answer(final(record), stop=("STOP",))[1] == "a STOP"
    assert answer(final("a</s>STOP\n"), stop=("STOP",))[1] == "a"
    assert answer(final("a User: "), stop=("User: ", "\n\n"))[1] == "a"


def test_a_stop_text_split_over_tokens_is_never_shown() -> None:
    out = read(
        sse(token("a"), token(" S"), token("TO"), token("P"), final("a STOP")),
        stop=("STOP",),
    )
    assert [e.text for e in out if isinstance(e, TextDelta)] == ["a"]
    assert out[-1] == Finished("a")


def test_white_space_at_the_end_is_never_shown() -> None:
    out = read(sse(token("a "), token("\n"), token("\n"), final("a \n\n")))
    assert out == [TextDelta("a"), Finished("a")]


def test_a_record_that_goes_on_appends() -> None:
    assert read(sse(token(" He"), final(" Hello")))[:2] == [
        TextDelta("He"),
        TextDelta("llo"),
    ]


def test_a_record_that_differs_replaces_once() -> None:
    out = read(sse(token(" Helo"), token(" you"), final(" Hello you")))
    assert [e for e in out if isinstance(e, Replaced)] == [Replaced("Hello you")]
    assert out[-1] == Finished("Hello you")


def test_a_prompt_before_the_record_is_cut_off() -> None:
    body = recorded_body("stream-full-text")
    out = read(body, question="And again")
    assert (shown(out), out[-1]) == ("Hello!", Finished("Hello!"))
    long = "word " * 3000
    out = read(sse(token(" a"), final(f"<|prompt|>{long[-500:]}</s> a")), question=long)
    assert out[-1] == Finished("a")


def test_a_question_before_an_answer_without_tokens_is_cut_off() -> None:
    body = json.dumps([{"generated_text": "Why? Because."}]).encode()
    assert read(body, question="Why?")[-1] == Finished("Because.")


def test_an_answer_that_repeats_the_question_keeps_it() -> None:
    spoken = token(" Why? Why not?")
    assert (
        answer(spoken, final(" Why? Why not?"), question="Why?")[1] == "Why? Why not?"
    )


def test_the_prompt_stays_where_it_was_asked_for() -> None:
    body = recorded_body("stream-full-text")
    out = read(body, question="And again", full_text=True)
    assert isinstance(out[-1], Finished)
    assert out[-1].text.startswith("<|prompt|>Hello there</s>")
    assert out[-1].text.endswith("Hello!")


def test_halves_of_a_character_in_two_tokens_are_joined() -> None:
    first, second = sse(token("x \ud83d")), sse(token("\ude00"))
    out = read(first, second, sse(final("x \ud83d\ude00")))
    assert [e.text for e in out if isinstance(e, TextDelta)] == ["x", " 😀"]
    assert out[-1] == Finished("x 😀")


def test_half_a_character_alone_is_replaced() -> None:
    assert answer(token("a\ud83d"), token("b"), final("a\ud83db")) == ("a\ufffdb",) * 2
    with pytest.raises(IncompleteAnswerError) as caught:
        read(sse(token("a"), token("\ud83d")))
    assert caught.value.partial == "a\ufffd"


def test_tokens_without_the_other_keys_are_tokens() -> None:
    assert answer(
        {"token": {"text": "a"}}, {"token": {}}, {"token": 7}, final("a")
    ) == (
        "a",
        "a",
    )


def test_lines_that_are_no_json_are_skipped() -> None:
    body = b"data: <proxy>\n\n" + sse(token("a")) + b"data: {bad\n\n" + sse(final("a"))
    assert read(body) == [TextDelta("a"), Finished("a")]


def test_json_that_is_no_object_is_skipped() -> None:
    body = b"data: null\n\ndata: 7\n\ndata: [1, null]\n\ndata: [DONE]\n\n"
    assert read(body + sse(token("a"), final("a")))[-1] == Finished("a")


def test_nesting_without_end_is_skipped() -> None:
    body = b"data: " + b"[" * 100_000 + b"\n\n"
    assert read(body + sse(final("a")))[-1] == Finished("a")


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf", b"\r\n\n  ", b"\n" * 100_000])
@pytest.mark.parametrize("body", [sse(final("a")), b'{"generated_text":"a"}'])
def test_the_first_byte_tells_what_the_body_is(prefix: bytes, body: bytes) -> None:
    assert read(prefix + body)[-1] == Finished("a")
    if len(prefix) < 10:
        wire = prefix + body
        assert read(*[wire[i : i + 1] for i in range(len(wire))])[-1] == Finished("a")


def test_an_error_that_is_null_is_none() -> None:
    assert answer({**token("a"), "error": None}, final("a")) == ("a", "a")


def test_done_is_an_end_of_which_the_reason_is_not_known() -> None:
    assert read(sse(token("a")) + b"data: [DONE]\n\n")[-1] == Finished("a", "unknown")
    with pytest.raises(ProtocolError):
        read(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    "body",
    [
        b"Internal Error",
        b'{"message":"Internal Error"}',
        b'{"type":"status","status":"started"}\n{"type":"stream","token":"a"}\n',
        b"data: Internal Error\n\n",
        b"null",
    ],
)
def test_what_is_no_answer_is_shown_in_a_snippet(body: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"Internal Error|status|null"):
        read(body)


def test_a_snippet_is_short() -> None:
    with pytest.raises(ProtocolError) as caught:
        read(b"x" * 100_000)
    assert len(str(caught.value)) < 400


def test_a_document_without_end_is_given_up() -> None:
    parser = GptGmParser()
    assert list(parser.feed(b"[" + b" " * (2**24 - 1))) == []
    with pytest.raises(ProtocolError, match="16 MiB"):
        list(parser.feed(b" "))


def test_details_tell_source_and_usage() -> None:
    ours = {"model": "m", "weights": "w", "demo": True}
    ours |= {"dropped_turns": 2, "cut_tokens": 3}
    details = {"generated_tokens": 4, "input_length": 9, "h2o_magic": ours}
    assert read(sse(final("a", details))) == [
        TextDelta("a"),
        Source("m", "w", True),
        Usage(9, 4, 2, cut_tokens=3),
        Finished("a"),
    ]


@pytest.mark.parametrize(
    "details",
    [
        7,
        [],
        {"generated_tokens": "4", "input_length": -1, "h2o_magic": []},
        {"generated_tokens": True, "h2o_magic": {"model": None, "dropped_turns": "2"}},
        {"h2o_magic": {"cut_tokens": -1, "writing_seconds": "1"}},
    ],
)
def test_details_of_another_shape_tell_nothing(details: Any) -> None:
    assert read(sse(final("a", details))) == [TextDelta("a"), Finished("a")]


@given(
    st.lists(st.sampled_from([" ", "a", "<", "</s", ">", "\n", "ST", "OP", "\ud83d"])),
    st.sampled_from([(), ("STOP",), ("a\n", "<<")]),
)
def test_what_is_shown_is_the_record_whatever_the_tokens(
    texts: list[str], stop: tuple[str, ...]
) -> None:
    out = read(sse(*map(token, texts), final("".join(texts))), stop=stop)
    assert isinstance(out[-1], Finished)
    assert shown(out) == out[-1].text
    assert not any(isinstance(event, Replaced) for event in out)
    out[-1].text.encode()


@given(st.binary())
def test_any_bytes_end_in_an_answer_or_in_our_errors(body: bytes) -> None:
    with pytest.raises((IncompleteAnswerError, ProtocolError, GenerationError)):
        read(body)


def test_a_notice_is_an_event_and_no_text() -> None:
    words = "loading llama-13b, 7.9 GB"
    said = {**token("", special=True), "h2o_magic": {"notice": words}}
    gone = {**token("", special=True), "h2o_magic": {"notice": ""}}
    events = read(sse(said, gone, token("Hello"), final("Hello")))
    assert events[:3] == [Notice(words), Notice(""), TextDelta("Hello")]
    assert isinstance(events[-1], Finished)
    assert events[-1].text == "Hello"


def test_a_notice_is_cut_and_what_is_none_is_nothing() -> None:
    long = {"h2o_magic": {"notice": "x" * 10_000}}
    odd = [{"h2o_magic": {"notice": 1}}, {"h2o_magic": "notice"}, {"h2o_magic": {}}]
    events = read(sse(long, *odd, token("Hello"), final("Hello")))
    assert events[:2] == [Notice("x" * 200), TextDelta("Hello")]


@pytest.mark.parametrize(
    ("progress", "known"), [(0.3, 0.3), (0, 0), (1.5, None), ("1", None), (None, None)]
)
def test_a_notice_has_the_progress_that_can_be(progress: object, known: object) -> None:
    said = {"h2o_magic": {"notice": "Reading", "progress": progress}}
    first, *_ = read(sse(said, token("Hello"), final("Hello")))
    assert first == Notice("Reading", known)
