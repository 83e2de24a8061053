"""What is promised about the places of a Markdown text that are no code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.prompts.prose import prose

MARKDOWN = st.text(alphabet="ab `~>#-1.|\\\n\r\t")


def of(text: str) -> str:
    return "".join(text[begin:end] for begin, end in prose(text))


@given(MARKDOWN)
def test_the_places_are_in_order_and_inside_the_text(text: str) -> None:
    places = [place for span in prose(text) for place in span]
    assert places == sorted(places)
    assert all(0 <= place <= len(text) for place in places)


@given(st.text(alphabet="ab>#-1.|\\\n\r\t {}"))
def test_a_text_without_marks_of_code_is_prose(text: str) -> None:
    assert of(text) == text


@given(st.text(alphabet="ab\n {}"), st.sampled_from(["```", "~~~~"]))
def test_what_stands_in_a_fence_is_no_prose(code: str, mark: str) -> None:
    assert of(f"before\n{mark}\n{code}\n{mark}\nafter") == "before\nafter"
    assert of(f"before\n{mark}py\n{code}") == "before\n"


@given(st.text(alphabet="ab {}", min_size=1), st.integers(1, 4))
def test_what_stands_in_inline_code_is_no_prose(code: str, size: int) -> None:
    mark = "`" * size
    assert of(f"before {mark}{code}{mark} after") == "before  after"
    assert of(f"before {mark}{code} after") == f"before {mark}{code} after"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`a``b`", ""),
        ("``a`b``c", "c"),
        ("`a``b", "`a``b"),
        ("> `a\n> b` c", " c"),
        ("a `b\n> c` d", "a `b\n> c` d"),
        ("| `a |\n| b` |", "| `a |\n| b` |"),
    ],
)
def test_the_places_are_those_of_commonmark(text: str, expected: str) -> None:
    assert of(text).removeprefix("> ") == expected
