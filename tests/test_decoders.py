"""Bytes to lines to events and objects: the standard's examples, and every cut."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.decoders import (
    EventDecoder,
    LineDecoder,
    ObjectDecoder,
    ServerSentEvent,
)
from tests.backends.scripted import recorded_body


def lines(*pieces: bytes) -> list[bytes]:
    decoder = LineDecoder()
    return [line for p in pieces for line in decoder.feed(p)] + decoder.flush()


def decode(*pieces: bytes) -> list[ServerSentEvent]:
    decoder = EventDecoder()
    return [e for p in pieces for e in decoder.feed(p)] + decoder.flush()


def data(*pieces: bytes) -> list[str]:
    return [event.data for event in decode(*pieces)]


def cuts(body: bytes, *, step: int = 1) -> list[tuple[bytes, ...]]:
    """The body in two pieces, at every byte or some, and in pieces of one byte."""
    halves = [(body[:i], body[i:]) for i in range(0, len(body) + 1, step)]
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
    for pieces in cuts(body, step=len(body) // 20):
        assert decode(*pieces) == whole


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


def test_a_comment_with_an_object_is_kept_apart_from_the_events() -> None:
    assert decode(b'data: x\n: {"a": 1}\n\n') == [
        ServerSentEvent(('{"a": 1}',), comment=True),
        ServerSentEvent(("x",)),
    ]


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
        ServerSentEvent(("x",), "error"),
        ServerSentEvent(("y",), "message"),
    ]


def test_a_field_named_error_is_kept() -> None:  # 10
    assert decode(b'error: {"code": 500}\n\n') == [
        ServerSentEvent((), "message", '{"code": 500}')
    ]


def test_text_that_looks_like_a_field_is_not_touched() -> None:  # 11, defect 1
    text = '{"text": "data: [DONE] data:<|endoftext|> }"}'
    assert data(f"data:{text}\n\n".encode()) == [text]


# --- JSON objects on lines


def objects(*pieces: bytes) -> list[dict[str, Any]]:
    decoder = ObjectDecoder()
    return [o for p in pieces for o in decoder.feed(p)] + decoder.flush()


MIXED = (
    b'{"a": "x\\u0000\\u0000"}\n'
    b'{"a": 1}{"a": 2} \t{"a": 3}\r\n'
    b'{"a": "broken\n'
    b"<html>\n\n"
    b'7 [8, {"no": 1}] null "text" {"a": 4} what {"never": 5}\n'
    + b" " * 50
    + '{"a": "é\u2028\u0085👋"}\n'.encode()
    + b'{"a": "\xff"}\n'
    + b'{"a": {"a": "last"}}'
)
FOUND = [
    "x\0\0",
    1,
    2,
    3,
    4,
    "é\u2028\u0085👋",
    "\ufffd",
    {"a": "last"},
]


def test_objects_come_for_every_cut_and_a_bad_line_costs_itself_only() -> None:
    assert [o["a"] for o in objects(MIXED)] == FOUND
    for cut in range(len(MIXED) + 1):
        assert [o["a"] for o in objects(MIXED[:cut], MIXED[cut:])] == FOUND
    single = [MIXED[i : i + 1] for i in range(len(MIXED))]
    assert [o["a"] for o in objects(*single)] == FOUND


def test_an_object_comes_with_the_end_of_its_line() -> None:
    decoder = ObjectDecoder()
    assert decoder.feed(b'{"a": 1}') == []
    assert decoder.feed(b"\n" + b" " * 4096) == [{"a": 1}]
    assert decoder.feed(b'{"b": 2}\n{') == [{"b": 2}]
    assert decoder.flush() == []


def test_what_is_nested_too_deep_is_no_object() -> None:
    deep = b'{"a":' * 100_000
    assert objects(deep + b"\n" + b'{"b": 2}\n') == [{"b": 2}]


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(), max_size=2), max_size=4),
    st.integers(1, 7),
)
def test_any_objects_come_back(values: list[dict[str, str]], size: int) -> None:
    body = "".join(json.dumps(v, ensure_ascii=False) + "\n" for v in values)
    wire = body.encode("utf-8", "replace")
    assert objects(*[wire[i : i + size] for i in range(0, len(wire), size)]) == [
        json.loads(line) for line in wire.decode().split("\n")[:-1]
    ]
