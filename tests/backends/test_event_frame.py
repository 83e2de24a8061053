"""Events read many at once say what they say one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.backends.event_frame import Frame, Places
from h2o_magic.backends.gptgm import reader as gptgm_reader
from h2o_magic.backends.gptgm import stream as gptgm_stream
from h2o_magic.backends.openai import reader as openai_reader
from h2o_magic.backends.openai import stream as openai_stream
from h2o_magic.errors import BackendError
from h2o_magic.events import Event, Usage
from tests.backends.joined import joined


class OpenAIReader:
    """Reads an OpenAI answer and notes which texts were taken many at once."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        reader = self

        class Counting(openai_stream.Interpreter):
            def take_texts(self, texts: list[str]) -> Iterator[Event]:
                reader.taken += texts
                yield from super().take_texts(texts)

        self.read = openai_reader.AnswerReader(Counting())


class GptGmReader:
    """The same for gpt-gm."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        reader = self

        class Counting(gptgm_stream.Interpreter):
            def take_texts(self, texts: list[str]) -> Iterator[Event]:
                reader.taken += texts
                yield from super().take_texts(texts)

        self.read = gptgm_reader.AnswerReader(Counting())


def openai_event(text: str, end: bytes = b"\n\n", **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    document = {"id": "chatcmpl-1", "model": "m", "choices": [choice], **more}
    return b"data: " + json.dumps(document).encode() + end


def gptgm_event(text: str, end: bytes = b"\n\n", **more: Any) -> bytes:
    token = {"id": len(text) * 7, "text": text, "logprob": -len(text) / 3}
    token |= {"special": False, **more.pop("token", {})}
    document = {"token": token, "generated_text": None, "details": None, **more}
    return b"data:" + json.dumps(document).encode() + end


def varied_openai_event(text: str, end: bytes = b"\n\n", **more: Any) -> bytes:
    """A chunk with what OpenAI, vLLM and llama.cpp say anew in each."""
    size = 1 + len(text.encode("utf-8", "surrogatepass"))
    said = {
        "created": 1795000000 + size,
        "usage": {"prompt_tokens": 9, "completion_tokens": size, "cached_tokens": 0},
        "timings": {"predicted_n": size, "predicted_ms": size / 7},
        "obfuscation": "xyz"[:size],
    }
    return openai_event(text, end, **{**said, **more})


def varied_gptgm_event(text: str, end: bytes = b"\n\n", **more: Any) -> bytes:
    """An event with its number, as newer servers write it."""
    return gptgm_event(text, end, **{"index": len(text), **more})


DIALECTS: list[Any] = [
    pytest.param(OpenAIReader, openai_event, id="openai"),
    pytest.param(OpenAIReader, varied_openai_event, id="openai-varied"),
    pytest.param(GptGmReader, gptgm_event, id="gptgm"),
    pytest.param(GptGmReader, varied_gptgm_event, id="gptgm-varied"),
]


def told(reader: Any, *pieces: bytes) -> tuple[list[Event], str]:
    """Return the events of a body in pieces, and how it failed, if it did."""
    events: list[Event] = []
    try:
        for piece in pieces:
            events.extend(reader.read.feed(piece))
        events.extend(reader.read.flush())
        events.append(reader.read.end())
    except BackendError as error:
        return joined(events), f"{type(error).__name__}: {error}"
    return joined(events), ""


def cut(body: bytes, *places: int) -> list[bytes]:
    ends = [0, *sorted(places), len(body)]
    return [body[a:b] for a, b in pairwise(ends)]


def one_by_one(kind: Any, body: bytes) -> tuple[list[Event], str]:
    """Return what a body says where no two events ever come at once."""
    reader = kind()
    said = told(reader, *[bytes([byte]) for byte in body])
    assert reader.taken == []
    return said


TEXTS = ["a", "", ' "quoted" ', "back\\slash", "line\nend", "é", "👋", "\u2028", "\x7f"]


@pytest.mark.parametrize(("kind", "event"), DIALECTS)
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_every_cut_gives_the_same_answer(kind: Any, event: Any, end: bytes) -> None:
    first = b"".join(event("x", end) for _ in range(12))
    rest = b"".join(event(text, end) for text in TEXTS)
    expected = one_by_one(kind, first + rest)
    for place in range(len(rest) + 1):
        reader = kind()
        assert told(reader, first, rest[:place], rest[place:]) == expected
        # Not the event that was cut, nor the next if its blank line was; and if they
        # have counts, not the last one on either side.
        assert len(reader.taken) >= len(TEXTS) - 4


ODD: list[bytes] = [
    b": ping\n\n",
    b': {"h2o_magic": {"notice": "loading"}}\n\n',
    b"\n",
    b"data: [DONE]\n\n",
    b"data: {}\n\n",
    b'data: {"error": {"message": "no memory"}}\n\n',
    b"event: error\ndata: broken\n\n",
    b"data: no JSON\n\n",
    openai_event("other model", model="n"),
    openai_event("counted", usage={"completion_tokens": 3}),
    openai_event("of ours", h2o_magic={"model": "m", "weights": "w"}),
    openai_event("run on", b"\n"),
    varied_openai_event("fewer", usage={"completion_tokens": 1}),
    varied_openai_event("none", timings={"predicted_n": 4, "predicted_ms": 0.0}),
    varied_openai_event("less", timings={"predicted_n": 4, "predicted_ms": -1.5}),
    varied_openai_event("long", usage={"completion_tokens": 10**400}),
    varied_openai_event("escaped", obfuscation='"\\'),
    varied_openai_event("other kind", obfuscation=7, created="now"),
    openai_event("half")[:-9],
    gptgm_event("</s>", token={"special": True}),
    gptgm_event("padded\0"),
    gptgm_event("unlikely", token={"logprob": None}),
    gptgm_event("last", generated_text="the whole"),
    gptgm_event("noted", h2o_magic={"notice": "still loading"}),
]
#: Texts that were not written as JSON writes them.
BADLY_WRITTEN = [
    'a"',
    '"',
    "\\",
    '\\"',
    '","',
    '",\n"',
    '",{"x":"',
    "\n",
    "\x01",
    "\\x",
]


def pieces_of(event: Any) -> st.SearchStrategy[bytes]:
    texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=5))
    halves = st.sampled_from(["\ud83d", "\udc4b"])
    broken = st.sampled_from([text.encode() for text in BADLY_WRITTEN])
    return st.one_of(
        st.builds(event, st.one_of(texts, halves)),
        st.sampled_from(ODD),
        broken.map(lambda text: event("written").replace(b"written", text)),
        st.just(event("not UTF-8").replace(b"-", b"\xe2\x80")),
    )


@pytest.mark.parametrize(("kind", "event"), DIALECTS)
@given(data=st.data())
def test_whatever_stands_among_them_is_heard(
    kind: Any, event: Any, data: st.DataObject
) -> None:
    alike = b"".join(event("x") for _ in range(12))
    runs = data.draw(st.lists(st.lists(pieces_of(event), max_size=6), max_size=4))
    body = b"".join(alike + b"".join(run) for run in runs)
    places = data.draw(st.lists(st.integers(0, len(body)), max_size=4))
    pieces = [alike, *cut(body, *places)]
    assert told(kind(), *pieces) == one_by_one(kind, alike + body)


@pytest.mark.parametrize(("kind", "event"), DIALECTS)
def test_nearly_all_of_a_flood_is_taken_at_once(kind: Any, event: Any) -> None:
    texts = [f"{number} " for number in range(1000)]
    body = b"".join(map(event, texts))
    reader = kind()
    told(reader, *cut(body, *range(4096, len(body), 4096)))
    # Not the first block, and of each other not the event that was cut in two, nor the
    # last whole one if it has counts.
    assert len(reader.taken) > 800
    assert set(reader.taken) < set(texts)


PLACES = Places(("text",), unread=(("n",), ("none",)), counts=(("counts",),))


def framed(*documents: str) -> bytes:
    return b"".join(b"data: %s\n\n" % document.encode() for document in documents)


def frame_of(document: str) -> Frame:
    frame = Frame.of(framed(*[document] * 8), PLACES, lambda _: True)
    assert frame is not None
    return frame


def test_a_text_is_found_where_it_is_meant_not_where_it_looks_like_it() -> None:
    frame = frame_of('{"also": "hi", "text": "hi", "n": 1, "more": ["hi", 1]}')
    other = '{"also": "hi", "text": "you", "n": -2.5e+3, "more": ["hi", 1]}'
    assert frame.texts(framed(other)) == (["you"], len(framed(other)))
    changed = other.replace('["hi", 1]', '["hi", 2]')
    assert frame.texts(framed(changed)) == ([], 0)


def test_the_last_of_two_with_one_name_counts() -> None:
    frame = frame_of('{"text": "hi", "text": "you"}')
    body = framed('{"text": "hi", "text": "both"}')
    assert frame.texts(body) == (["both"], len(body))


def test_only_whole_events_are_taken() -> None:
    frame = frame_of('{"text": "hi"}')
    whole, more = framed('{"text": "a"}', '{"text": "b"}'), framed('{"text": "c"}')
    for place in range(len(more)):
        assert frame.texts(whole + more[:place]) == (["a", "b"], len(whole))


def test_the_last_with_counts_is_left() -> None:
    frame = frame_of('{"text": "hi", "counts": {"n": 4, "s": 0.5, "none": 0}}')
    first = framed('{"text": "a", "counts": {"n": 5, "s": 12.25, "none": 0}}')
    last = framed('{"text": "b", "counts": {"n": 16, "s": 0.01, "none": 0}}')
    assert frame.texts(first + last) == (["a"], len(first))
    assert frame.texts(first) == ([], 0)


@pytest.mark.parametrize(
    "counts",
    [
        '{"n": 0, "s": 0.5, "none": 0}',
        '{"n": -5, "s": 0.5, "none": 0}',
        '{"n": 5.5, "s": 0.5, "none": 0}',
        '{"n": 5, "s": 0.0, "none": 0}',
        '{"n": 5, "s": 7, "none": 0}',
        '{"n": 5, "s": 0.5, "none": 1}',
        '{"n": 5, "s": 0.5, "none": 0, "more": 1}',
        '{"n": "5", "s": 0.5, "none": 0}',
    ],
)
def test_a_count_that_its_reader_may_not_take_is_not_in_the_frame(counts: str) -> None:
    document = '{"text": "hi", "counts": {"n": 4, "s": 0.5, "none": 0}}'
    other = framed('{"text": "you", "counts": ' + counts + "}")
    frame = frame_of(document)
    assert frame.texts(framed(document) + other + framed(document)) == ([], 0)


def test_strings_that_nobody_reads_may_be_others() -> None:
    frame = frame_of('{"text": "hi", "n": "abc"}')
    body = framed('{"text": "a", "n": ""}', '{"text": "b", "n": "x, y"}')
    assert frame.texts(body) == (["a", "b"], len(body))
    for other in ('"\\""', "1", '"a\tb"'):
        assert frame.texts(framed('{"text": "c", "n": ' + other + "}")) == ([], 0)


def test_what_follows_them_is_left() -> None:
    frame = frame_of('{"text": "hi"}')
    whole = framed('{"text": "a"}', '{"text": "b"}')
    assert frame.texts(whole + framed('{"end": 1}')) == (["a", "b"], len(whole))
    assert frame.texts(framed('{"begin": 1}') + whole) == ([], 0)


@pytest.mark.parametrize(
    "data",
    [
        framed(*['{"text": "hi"}'] * 7),
        framed(*['{"no text": "hi"}'] * 8),
        framed(*['["text"]'] * 8),
        framed(*["no JSON"] * 8),
        framed(*['{"text": "hi"}'] * 8).replace(b"data", b"event: x\ndata"),
        framed(*['{"text": "hi", "long": "%s"}' % ("x" * 4096)] * 8),
        framed(*['{"text": NaN}'] * 8),
    ],
)
def test_no_frame_is_made_of_anything_else(data: bytes) -> None:
    assert Frame.of(data, PLACES, lambda _: True) is None


def test_no_frame_is_made_of_an_event_that_says_more() -> None:
    data = framed(*['{"text": "hi"}'] * 8)
    assert Frame.of(data, PLACES, lambda _: False) is None


@pytest.mark.parametrize("counts", [(2, 3, 4), (4, 3, 4), (2, 2, 9), (9, 9, 2)])
def test_the_last_counts_hold_also_where_many_are_taken_at_once(
    counts: tuple[int, ...],
) -> None:
    events = [
        varied_openai_event("x", usage={"completion_tokens": count})
        for count in counts
        for _ in range(20)
    ]
    reader = OpenAIReader()
    said, _ = told(reader, *(b"".join(events[n : n + 10]) for n in range(0, 60, 10)))
    assert reader.taken
    assert [e.completion_tokens for e in said if isinstance(e, Usage)] == [counts[-1]]
