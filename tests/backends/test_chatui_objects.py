"""Bytes to the JSON objects on their lines, for every cut."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.backends.chatui.objects import ObjectDecoder


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
