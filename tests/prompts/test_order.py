"""What is promised of sets in a prompt: an order that does not depend on hashes."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any

import pytest

from h2o_magic.prompts.order import first_in_order


class Items(set[Any]):
    """A set whose items come in the order in which they were given."""

    def __init__(self, items: list[Any]) -> None:
        super().__init__(items)
        self.items = items

    def __iter__(self) -> Any:
        return iter(self.items)


@dataclass(eq=False)
class Node:
    name: str
    inner: list[Node] = field(default_factory=list)


NAN = float("nan")


@pytest.mark.parametrize(
    "items",
    [
        [1, 2, 10],
        [False, 1.5, 10],
        ["a", "b"],
        [1, "a", None],
        [(1, "b"), (2, None), (10, "a")],
        [datetime.date(2026, 9, 1), datetime.date(2026, 10, 1)],
        [frozenset(), frozenset({1, 2}), frozenset({1, 3}), frozenset({2})],
        [1, NAN],
        [b"a", b"b"],
    ],
)
def test_items_come_in_order_whatever_order_a_set_gives_them(items: list[Any]) -> None:
    assert list(first_in_order(Items(items), 99)) == items
    assert list(first_in_order(Items(items[::-1]), 99)) == items


def test_of_a_large_set_the_same_items_come() -> None:
    words = [f"{number:06}" for number in range(200_000)]
    assert list(first_in_order(Items(words[::-1]), 2)) == words[:2]


def test_a_huge_set_of_what_python_does_not_order_fast_is_not_compared() -> None:
    items = {number / 2 for number in range(100_001)}
    assert first_in_order(items, 2) is items


def test_what_is_no_set_keeps_its_order() -> None:
    for value in ([2, 1], {2: 0, 1: 0}.keys(), {2: 0, 1: 0}.values()):
        assert first_in_order(value, 99) is value


def test_records_that_hold_one_another_have_an_order() -> None:
    first, second = Node("a"), Node("b")
    first.inner, second.inner = [second], [first]
    for items in ([first, second], [second, first]):
        assert list(first_in_order(Items(items), 99)) == [first, second]
