"""What is promised about strings, errors, code and other values in a prompt."""

from __future__ import annotations

import datetime
import enum
import functools
import io
import json
import linecache
import math
from decimal import Decimal
from pathlib import PurePosixPath
from types import ModuleType

import pytest
from IPython.display import HTML, Image, Markdown

from h2o_magic.chat.tokens import tokens_in
from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.texts import LONGEST
from h2o_magic.prompts.values import describe


def shown(value: object, name: str = "v", tokens: int = 100_000) -> str:
    return describe(value, name).text(tokens)


class Colour(enum.Enum):
    RED = 1


class Word(str):
    def __str__(self) -> str:
        return "another"


class Point:
    """A place."""

    def norm(self) -> float:
        return 0.0


def doubled(number: int) -> int:
    """Return twice the number: ```2 * n```."""
    return 2 * number


@pytest.mark.parametrize(
    "text", ["", "one\ntwo\n", " {x} | `y` ", "日本語 🎉", "x" * 200_000]
)
def test_a_string_stands_as_it_is(text: str) -> None:
    assert shown(text, "s") == text


def test_a_long_string_keeps_its_head_and_its_tail() -> None:
    text = shown("a" * LONGEST + "b" * LONGEST, "s", tokens=10**6)
    note = f"[… {LONGEST:,} characters left out …]"
    half = LONGEST // 2
    assert text == f"{'a' * half}\n{note}\n{'b' * half}"


@pytest.mark.parametrize("tokens", [30, 100, 1_000])
def test_of_a_long_string_as_much_is_kept_as_fits(tokens: int) -> None:
    words = " ".join(["some", "words"] * 10_000)
    text = shown(words, tokens=tokens)
    head, note, tail = text.split("\n")
    assert words.startswith(head)
    assert words.endswith(tail)
    left_out = len(words) - len(head) - len(tail)
    assert note == f"[… {left_out:,} characters left out …]"
    assert tokens * 0.95 <= tokens_in(text) <= tokens


@pytest.mark.parametrize(
    ("value", "inline"),
    [
        ("one line", "one line"),
        ("x" * 200, "x" * 200),
        ("x" * 201, ""),
        ("two\nlines", ""),
        ([1, 2], "[1, 2]"),
        (["x" * 90], ""),
        ({"a": 1}, "{'a': 1}"),
        (10**300, ""),
        (doubled, ""),
        (ValueError("x"), ""),
        (Markdown("# Head"), ""),
    ],
)
def test_what_is_short_may_stand_in_a_sentence(value: object, inline: str) -> None:
    assert describe(value, "v").inline == inline


def test_of_a_value_without_parts_no_number_of_them_can_be_asked_for() -> None:
    with pytest.raises(ConfigurationError, match="has no rows or items"):
        describe(3, "n", spec="2")


def test_the_content_of_a_string_counts_and_not_how_it_is_printed() -> None:
    assert shown(Word("content"), "s") == "content"


def test_half_a_character_is_replaced_since_it_cannot_be_sent() -> None:
    assert shown("a\ud800b", "s").encode() == "a\ufffdb".encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (3, "3"),
        (2.5, "2.5"),
        (1 + 2j, "(1+2j)"),
        (Decimal("1.10"), "1.10"),
        (PurePosixPath("a/b.txt"), "a/b.txt"),
        (datetime.date(2024, 1, 31), "2024-01-31"),
        (datetime.timedelta(hours=1), "1:00:00"),
        (b"a\x00", "b'a\\x00'"),
        (bytearray(b"a"), "b'a'"),
        (memoryview(b"a"), "b'a'"),
        (Colour.RED, "Colour.RED"),
        (Markdown("# Head"), "# Head"),
        (HTML("<b>x</b>"), "<b>x</b>"),
    ],
)
def test_a_simple_value_is_its_text(value: object, text: str) -> None:
    assert shown(value, "v") == text


def test_an_exception_comes_with_its_traceback_and_its_cause() -> None:
    def divide() -> float:
        return 1 / 0

    try:
        try:
            divide()
        except ZeroDivisionError as error:
            raise ValueError("no luck") from error
    except ValueError as error:
        text = shown(error, "e")
    assert text.startswith("Traceback (most recent call last):")
    assert "return 1 / 0" in text
    assert "direct cause of the following exception" in text
    assert text.endswith("ValueError: no luck")


def test_an_exception_that_was_never_raised_is_its_last_line() -> None:
    assert shown(ValueError("x"), "e") == "ValueError: x"


def test_a_function_is_its_source_in_a_block_that_its_own_marks_do_not_end() -> None:
    assert shown(doubled, "doubled") == (
        "````python\n"
        "def doubled(number: int) -> int:\n"
        '    """Return twice the number: ```2 * n```."""\n'
        "    return 2 * number\n"
        "````"
    )


def test_a_class_and_its_method_are_their_source() -> None:
    assert '"""A place."""' in shown(Point, "Point")
    assert shown(Point().norm, "norm") == (
        "```python\ndef norm(self) -> float:\n    return 0.0\n```"
    )


def test_a_wrapped_function_is_its_source() -> None:
    assert "return 2 * number" in shown(functools.lru_cache(doubled), "f")


def test_a_module_is_its_source() -> None:
    assert "def dumps(" in shown(json, "json")


def test_long_source_is_cut() -> None:
    text = shown(json, tokens=60)
    assert "characters left out …]" in text
    assert text.startswith("```python\n")
    assert text.endswith("\n```")


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (len, ["def len(obj, /):", "Return the number of items in a container."]),
        (math, ["# module math", "mathematical functions"]),
        (int, ["class int", "Convert a number or string to an integer"]),
        (ModuleType("empty"), ["# module empty"]),
        (str.join, ["def str.join(self, iterable, /):"]),
    ],
)
def test_what_has_no_source_is_its_signature_and_docstring(
    value: object, parts: list[str]
) -> None:
    text = shown(value, "v")
    assert all(part in text for part in parts)


def test_a_class_that_was_typed_into_a_cell_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cell = "import math\n\n@staticmethod\nclass Typed:\n    size: int = 1\n\nTyped\n"
    entry = (len(cell), None, cell.splitlines(keepends=True), "<cell>")
    monkeypatch.setitem(linecache.cache, "<cell>", entry)
    typed = type("Typed", (), {"__module__": "__main__"})
    assert shown(typed, "Typed") == (
        "```python\n@staticmethod\nclass Typed:\n    size: int = 1\n```"
    )


class Silent:
    pass


@pytest.mark.parametrize(
    "value", [Silent(), object(), iter([1]), (n for n in [1]), Image(data=b"x")]
)
def test_what_has_no_text_that_says_anything_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        shown(value, "thing")
    assert str(caught.value) == (
        f"`{{thing}}` is a value of type {type(value).__qualname__}, which has no text "
        "that says what is in it: name a part of it, such as `{thing.name}`, or text "
        "made from it"
    )


def test_a_picture_is_refused_although_it_has_a_repr() -> None:
    class Figure:
        __module__ = "matplotlib.figure"

        def __repr__(self) -> str:
            return "<Figure size 640x480 with 1 Axes>"

    with pytest.raises(ConfigurationError, match=r"`\{fig\}` is a picture \(Figure\)"):
        shown(Figure(), "fig")


def test_an_iterator_is_not_used_up_by_a_refusal() -> None:
    values = iter([1, 2])
    with pytest.raises(ConfigurationError):
        shown(values, "values")
    assert list(values) == [1, 2]


def test_a_number_that_python_does_not_write_is_a_clear_error() -> None:
    with pytest.raises(ConfigurationError, match=r"`\{n\}` cannot be written as text"):
        shown(10**5000, "n")


def test_a_buffer_is_refused_without_being_read() -> None:
    buffer = io.StringIO("content")
    with pytest.raises(ConfigurationError):
        shown(buffer, "buffer")
    assert buffer.read() == "content"
