"""Bytes to lines to events: the standard's examples, those of servers, and cuts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.backends.sse import (
    EventBody,
    EventDecoder,
    LineDecoder,
    ServerSentEvent,
)
from tests.backends.scripted import recorded_body


def lines(*pieces: bytes) -> list[bytes]:
    decoder = LineDecoder()
    return [line for p in pieces for line in decoder.feed(p)] + decoder.flush()


def decode(*pieces: bytes) -> list[ServerSentEvent]:
    decoder = EventDecoder()
    return [e for p in pieces for e in decoder.feed(p)] + decoder.flush()


def through(body: EventBody, *pieces: bytes) -> list[ServerSentEvent]:
    return [event for p in pieces for event in body.feed(p)] + body.flush()


def data(*pieces: bytes) -> list[str]:
    return [event.data for event in decode(*pieces)]


def cuts(body: bytes, most: int = 20) -> list[tuple[bytes, ...]]:
    """The body in two pieces, at places all over it, and in pieces of one byte."""
    places = range(0, len(body) + 1, max(1, len(body) // most))
    halves = [(body[:i], body[i:]) for i in places]
    return [*halves, tuple(body[i : i + 1] for i in range(len(body)))]


def test_all_three_line_ends_end_a_line() -> None:  # 2
    assert lines(b"a\nb\r\nc\rd") == [b"a", b"b", b"c", b"d"]


def test_a_line_end_cut_in_two_makes_no_empty_line() -> None:  # 2
    assert lines(b"a\r", b"\nb\r", b"", b"\n", b"\r\n") == [b"a", b"b", b""]


def test_a_carriage_return_ends_its_line_without_waiting() -> None:  # 2
    assert LineDecoder().feed(b"a\r") == [b"a"]


def test_line_separators_of_unicode_are_text() -> None:  # 3
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg".encode()
    assert lines(text + b"\n") == [text]


def test_one_byte_order_mark_is_dropped_even_if_cut() -> None:  # 4
    bom = b"\xef\xbb\xbf"
    for pieces in cuts(bom + b"data: x\n\n"):
        assert data(*pieces) == ["x"]
    assert lines(bom + bom + b"a") == [bom + b"a"]


def test_bytes_that_are_no_utf8_are_replaced() -> None:  # 4
    assert data(b"data: a\xffb\n\n") == ["a\ufffdb"]


@pytest.mark.parametrize("character", ["é", "語", "👋"])
def test_a_character_may_be_cut_at_every_byte(character: str) -> None:  # 1
    for pieces in cuts(f"data: <{character}>\n\n".encode()):
        assert data(*pieces) == [f"<{character}>"]


@pytest.mark.parametrize(
    "case",
    ["stream-emoji-empty-tokens", "stream-tricky-text", "stream-keep-alive-comments"],
)
def test_a_recording_gives_the_same_events_however_cut(case: str) -> None:  # 1, 5
    body = recorded_body(case)
    whole = decode(body)
    assert len(whole) > 1
    for pieces in cuts(body):
        assert decode(*pieces) == whole


def test_a_short_stream_gives_the_same_events_for_every_cut_in_three() -> None:  # 1, 5
    body = b'\xef\xbb\xbf\r\n: hi\r\n\r\ndata: {"a": 1}\ndata:{"b"}\r\rdata: z\n'
    whole = through(EventBody(), body)
    assert [event.data for event in whole] == ['{"a": 1}', '{"b"}', "z"]
    for first in range(len(body) + 1):
        for second in range(first, len(body) + 1):
            pieces = body[:first], body[first:second], body[second:]
            assert through(EventBody(), *pieces) == whole


@given(st.lists(st.sampled_from([b"data: a", b"x", b"\r", b"\n", b"\r\n", b":"])))
def test_any_bytes_give_the_same_lines_however_cut(parts: list[bytes]) -> None:
    body = b"".join(parts)
    assert lines(*[body[i : i + 1] for i in range(len(body))]) == lines(body)


@given(st.binary())
def test_any_bytes_decode_to_something(body: bytes) -> None:
    for event in decode(body):
        event.data.encode()


def test_a_megabyte_in_one_event_costs_no_more_than_its_bytes() -> None:  # 5
    body = b"data: " + b"x" * 2**20 + b"\n\n"
    started = time.process_time()
    assert len(data(*[body[i : i + 1] for i in range(len(body))])[0]) == 2**20
    # A cost that grew with the square would take hours.
    assert time.process_time() - started < 20


def test_many_events_may_come_in_one_piece() -> None:  # 5
    assert data(b"data: x\n\n" * 3) == ["x", "x", "x"]


def test_the_end_completes_the_last_event() -> None:  # 6
    assert data(b'data: {"a": 1}\n\ndata: [DONE]') == ['{"a": 1}', "[DONE]"]
    assert data(b'data: {"a": 1}\n') == ['{"a": 1}']


def test_exactly_one_space_after_the_colon_is_dropped() -> None:  # 7
    assert data(b"data:x\n\ndata: x\n\ndata:  x\n\n") == ["x", "x", " x"]


def test_data_without_a_colon_is_empty_data() -> None:  # 7
    assert data(b"data\ndata\n\n") == ["\n"]
    assert data(b"data\n\n") == []


def test_comments_blank_lines_and_empty_events_mean_nothing() -> None:  # 8
    assert data(b":\n\n: ping\n\n\n\ndata:\n\ndata: x\n\n:\n") == ["x"]


def test_of_the_comments_those_of_our_server_alone_are_events() -> None:
    own = '{"h2o_magic": {"notice": "wait"}}'
    assert data(f'data: x\n: {own}\n: {{"a": 1}}\n\n'.encode()) == [own, "x"]


def test_data_lines_of_one_event_are_joined() -> None:  # 9
    assert data(b"data: YHOO\ndata: +2\ndata: 10\n\n") == ["YHOO\n+2\n10"]
    assert data(b'data: {\ndata: "a": [{}\ndata: ,{}]}\n\n') == ['{\n"a": [{}\n,{}]}']


def test_events_without_a_blank_line_between_come_apart() -> None:  # 9
    body = b'data: {"a": 1}\ndata: {"b": 2}\ndata: [DONE]\n\n'
    assert data(body) == ['{"a": 1}', '{"b": 2}', "[DONE]"]


def test_events_without_a_blank_line_come_before_the_end() -> None:  # 9
    decoder = EventDecoder()
    assert decoder.feed(b'data: {"a": 1}\n') == []
    assert [e.data for e in decoder.feed(b'data: {"b": 2}\n')] == ['{"a": 1}']


def test_other_fields_are_dropped_and_the_event_type_is_kept() -> None:  # 10
    body = b"id: 7\nretry: 100\nevent: error\nsomething\ndata: x\n\ndata: y\n\n"
    assert decode(body) == [
        ServerSentEvent("x", "error"),
        ServerSentEvent("y", "message"),
    ]


def test_a_field_named_error_is_kept() -> None:  # 10
    assert decode(b'error: {"code": 500}\n\n') == [
        ServerSentEvent("", "message", '{"code": 500}')
    ]


def test_text_that_looks_like_a_field_is_not_touched() -> None:  # 11, defect 1
    text = '{"text": "data: [DONE] data:<|endoftext|> }"}'
    assert data(f"data:{text}\n\n".encode()) == [text]


def test_an_object_on_a_line_of_its_own_is_an_event_all_the_same() -> None:
    body = b'data: {"a": 1}\n\n{"error": "late"}\n\ndata: x\n\n'
    assert data(body) == ['{"a": 1}', '{"error": "late"}', "x"]
    assert data(b'data: {"a": 1}\n{"error": "late"}\n') == [
        '{"a": 1}',
        '{"error": "late"}',
    ]


def test_white_space_before_a_body_costs_no_more_than_its_bytes() -> None:
    body = EventBody()
    started = time.process_time()
    for _ in range(100_000):
        assert body.feed(b" \n") == []
    assert time.process_time() - started < 5
    assert not body.has_content
    assert [event.data for event in body.feed(b"data: x\n\n")] == ["x"]
