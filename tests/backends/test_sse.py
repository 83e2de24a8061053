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


def test_one_byte_order_mark_is_dropped_even_if_cut() -> None:  # 4
    bom = b"\xef\xbb\xbf"
    for pieces in cuts(bom + b"data: x\n\n"):
        assert data(*pieces) == ["x"]
    assert lines(bom + bom + b"a") == [bom + b"a"]


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


def test_comments_blank_lines_and_empty_events_mean_nothing() -> None:  # 8
    assert data(b":\n\n: ping\n\n\n\ndata:\n\ndata: x\n\n:\n") == ["x"]


def test_of_the_comments_those_of_our_server_alone_are_events() -> None:
    own = '{"h2o_magic": {"notice": "wait"}}'
    assert data(f'data: x\n: {own}\n: {{"a": 1}}\n\n'.encode()) == [own, "x"]


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


def test_white_space_before_a_body_costs_no_more_than_its_bytes() -> None:
    body = EventBody()
    started = time.process_time()
    for _ in range(100_000):
        assert body.feed(b" \n") == []
    assert time.process_time() - started < 5
    assert not body.has_content
    assert [event.data for event in body.feed(b"data: x\n\n")] == ["x"]
