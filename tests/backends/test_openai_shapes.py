"""What the chunks of an answer say beside its text, and how often; the parser alone.

What becomes of whole answers is in the table of tests/backends/behaviours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from h2o_magic.backends.openai.parser import OpenAIParser
from h2o_magic.chat.events import Event, TextDelta, Usage
from tests.backends.behaviours.row import DONE, chunk, said, sse


def read(body: bytes | Iterable[bytes]) -> list[Event]:
    """Read a body to its end."""
    parser = OpenAIParser()
    events: list[Event] = []
    for piece in [body] if isinstance(body, bytes) else body:
        events.extend(parser.feed(piece))
    return [*events, *parser.flush(), parser.end()]


@pytest.mark.parametrize("odd", [0, -1, True, "5", None, [], float("nan")])
def test_times_that_are_none_are_no_times(odd: Any) -> None:
    events = read(sse(said("a", "stop", timings={"predicted_ms": odd})))
    assert [e for e in events if isinstance(e, Usage)] == []


def test_cached_tokens_are_told_by_openai_vllm_and_llama_cpp() -> None:
    counts = {"prompt_tokens": 30, "completion_tokens": 1}
    cached = {"cached_tokens": 20, "audio_tokens": 0}
    for details, expected in ((cached, 20), ({}, None), (None, None), ([1], None)):
        usage = {**counts, "prompt_tokens_details": details}
        events = read(sse(said("a", "stop", usage=usage), DONE))
        assert Usage(30, 1, cached_tokens=expected) in events


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
