"""The arithmetic of fitting input and answer into one context."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat.context import input_room
from h2o_magic.server.prompts import turns_to_drop


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
    def length(dropped: int) -> int:
        return 10 + sum(sizes[dropped:])

    dropped = turns_to_drop(len(sizes), length, room)
    assert 0 <= dropped <= len(sizes)
    assert length(dropped) <= room or dropped == len(sizes)
    assert dropped == 0 or length(dropped - 1) > room
