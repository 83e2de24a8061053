"""The arithmetic of fitting input and answer into one context."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat.context import input_room
from h2o_magic.chat.messages import assistant, user
from h2o_magic.server.engine_process import Engine
from h2o_magic.server.gptgm.prompt import Dialogue, PromptBuilder
from h2o_magic.weights.gguf import Header

HEADER = Header(4096, 1, None, (), frozenset(), -1)


class Counting:
    """In place of an engine: a template without markers, and a token a character."""

    async def call(self, _method: str, path: str, body: dict[str, Any]) -> Any:
        if path == "/apply-template":
            return {"prompt": "".join(m["content"] for m in body["messages"])}
        if path == "/tokenize":
            return {"tokens": [ord(character) for character in body["content"]]}
        return {"content": "".join(map(chr, body["tokens"]))}


def test_a_long_answer_leaves_half_of_the_context_to_the_input() -> None:
    assert input_room(1024, 1024, 2048) == 512
    assert input_room(1024, 100, 2048) == 924


def test_truncate_is_a_wish_for_less() -> None:
    assert input_room(4096, 1024, 2048) == 2048
    assert input_room(4096, 1024, None) == 3072


@given(
    st.integers(2, 10**6),
    st.integers(1, 2**31 - 1),
    st.none() | st.integers(1, 2**31 - 1),
)
def test_input_and_answer_fit_and_neither_is_empty(
    context: int, most: int, truncate: int | None
) -> None:
    room = input_room(context, most, truncate)
    assert 1 <= room < context


@given(st.lists(st.integers(1, 100), max_size=30), st.integers(1, 1500))
def test_no_more_turns_are_dropped_than_need_be(sizes: list[int], room: int) -> None:
    history = tuple(m for size in sizes for m in (user("q" * size), assistant("a")))
    dialogue = Dialogue("system", history, "question")
    builder = PromptBuilder(cast(Engine, Counting()), HEADER)
    prompt = asyncio.run(builder.build(dialogue, room))

    def length(dropped: int) -> int:
        return len("systemquestion") + sum(size + 1 for size in sizes[dropped:])

    assert len(prompt.tokens) <= room
    assert prompt.dropped_turns == 0 or length(prompt.dropped_turns - 1) > room
    if not prompt.cut_tokens:
        assert len(prompt.tokens) == length(prompt.dropped_turns)
