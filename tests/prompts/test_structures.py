"""What is promised about lists, mappings and records in a prompt."""

from __future__ import annotations

import argparse
import ast
from collections import OrderedDict, UserDict, deque, namedtuple
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat.tokens import tokens_in
from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.values import describe

Point = namedtuple("Point", "x y")


@dataclass
class Order:
    item: str
    count: int = 1
    inner: str = field(default="hidden", repr=False)


@dataclass
class Discreet:
    secret_plan: str

    def __repr__(self) -> str:
        return "Discreet(…)"


class Model(pydantic.BaseModel):
    name: str = "n"
    notes: list[str] = []
    inner: str = pydantic.Field("hidden", repr=False)


def shown(value: object, tokens: int = 100_000) -> str:
    return describe(value, "value").text(tokens)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, "two", None], "[1, 'two', None]"),
        ((1,), "(1,)"),
        ((), "()"),
        ({"a": [1]}, "{'a': [1]}"),
        ({3, 1, 2}, "{1, 2, 3}"),
        (set(), "set()"),
        (frozenset({1}), "frozenset({1})"),
        (OrderedDict(a=1), "{'a': 1}"),
        (UserDict(a=1), "{'a': 1}"),
        ({"a": 1}.keys(), "{'a'}"),
        ({"a": 1}.values(), "[1]"),
        ({"a": 1}.items(), "{'a': 1}"),
        (deque([1, 2]), "[1, 2]"),
        (Point(1, 2), "Point(x=1, y=2)"),
        (Order("tea"), "Order(item='tea', count=1)"),
        (Discreet("rob a bank"), "Discreet(…)"),
        (Model(notes=["x"]), "Model(name='n', notes=['x'])"),
        (
            SimpleNamespace(a=1),
            "SimpleNamespace(a=1)",
        ),
        (argparse.Namespace(a=1), "Namespace(a=1)"),
        (range(3), "range(0, 3)"),
    ],
)
def test_a_small_collection_is_written_as_python_would(
    value: object, text: str
) -> None:
    assert shown(value) == text


def test_a_long_collection_stands_on_several_lines() -> None:
    value = {"names": ["x" * 50, "y" * 50], "n": 1}
    assert shown(value).split("\n") == [
        "{",
        "  'names': [",
        f"    '{'x' * 50}',",
        f"    '{'y' * 50}'",
        "  ],",
        "  'n': 1",
        "}",
    ]


def test_short_items_share_their_lines() -> None:
    assert len(shown(list(range(100))).split("\n")) < 10


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(max_size=3), inner)
        | st.tuples(inner, inner)
    ),
    max_leaves=30,
)


@given(PLAIN.filter(lambda value: not isinstance(value, (str, bytes))))
def test_what_is_not_cut_can_be_read_back(value: object) -> None:
    text = shown(value)
    assert ast.literal_eval(text) == value


class Counted(list[int]):
    """A list that counts how many of its items are read."""

    read = 0

    def __iter__(self) -> Iterator[int]:
        for item in super().__iter__():
            Counted.read += 1
            yield item


def test_of_a_long_list_only_what_is_shown_is_read() -> None:
    Counted.read = 0
    text = shown(Counted(range(1_000_000)))
    assert text.endswith("98, 99, … 999,900 more items left out\n]")
    assert Counted.read <= 300


@pytest.mark.parametrize(
    ("value", "note"),
    [
        ({n: n for n in range(102)}, "… 2 more keys left out"),
        (set(range(101)), "… 1 more item left out"),
        (["x" * 3000], "… 1,000 more characters"),
        ([b"x" * 3000], "… 1,000 more bytes"),
        (b"x" * 3000, "… 1,000 more bytes"),
        ([["x" * 1500] * 50] * 50, "more items left out"),
    ],
)
def test_what_is_left_out_is_told(value: object, note: str) -> None:
    assert note in shown(value)
    assert len(shown(value)) < 25_000


def test_a_number_after_the_colon_is_so_many_items() -> None:
    text = describe([1, 2, 3], "value", spec="2").text(100)
    assert text == "[1, 2, … 1 more item left out]"
    assert (
        len(describe(list(range(300)), "v", spec="300").text(9_999).split(",")) == 300
    )


def test_a_collection_keeps_to_its_tokens() -> None:
    text = shown({f"key {n}": n for n in range(90)}, 200)
    assert "characters left out" in text
    assert 150 <= tokens_in(text) <= 200


def test_a_collection_in_itself_is_told_as_that() -> None:
    items: list[object] = [1]
    items.append({"again": items})
    assert shown(items) == "[1, {'again': <itself>}]"


def test_a_collection_that_comes_twice_is_shown_twice() -> None:
    part = [1]
    assert shown([part, part]) == "[[1], [1]]"


def test_deep_nesting_is_cut() -> None:
    value: object = 1
    for _ in range(100_000):
        value = [value]
    assert shown(value) == "[[[[[[[[…]]]]]]]]"


def test_large_things_inside_a_collection_are_told_in_a_few_words() -> None:
    value = [pd.DataFrame({"a": [1]}), np.arange(3), np.int64(3), int, len]
    assert " ".join(shown(value).split()) == (
        "[ <pandas DataFrame, 1 row x 1 column>, <ndarray of shape (3,), int64>, 3, "
        "<class int>, <built-in function len> ]"
    )


def test_an_object_without_a_text_of_its_own_is_told_without_its_address() -> None:
    assert shown([object()]) == "[<object object>]"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no\ntext")


@pytest.mark.parametrize("value", [Broken(), [Broken()], {"a": Broken()}])
def test_a_repr_that_raises_is_a_clear_error(value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        describe(value, "thing")
    assert str(caught.value).startswith("`{thing}` cannot be written as text: ")
    assert str(caught.value).endswith("raised RuntimeError: no text")
