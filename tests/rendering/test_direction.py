"""Text from right to left in cells, whose pages run from left to right."""

import pytest

from h2o_magic.chat.facts import Facts
from h2o_magic.rendering.answer_text import AnswerText
from h2o_magic.rendering.direction import (
    direction,
    with_directions,
    without_directions,
)
from h2o_magic.rendering.footer import answer_markdown
from h2o_magic.rendering.sanitize import sanitize

HELLO = "مرحبا"
OPENED = '<div dir="rtl" align="right">'


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("abc مرحبا", "ltr"),
        ("**مرحبا** abc", "rtl"),
        ("1. שלום", "rtl"),
        ("`code` مرحبا", "rtl"),
        ("https://example.org مرحبا", "rtl"),
        ("[مرحبا](https://example.org)", "rtl"),
        ("$x$: مرحبا", "rtl"),
        ("中文 مرحبا", "ltr"),
        ("1, 2", ""),
        ("", ""),
    ],
)
def test_text_runs_as_its_first_letter_does(text: str, way: str) -> None:
    assert direction(text) == way


def test_what_runs_from_right_to_left_is_in_an_element_and_code_is_not() -> None:
    code = "```python\nمر = 1\n```"
    text = f"مرحبا\n\n- واحد\n\n  more\n- two\n\n{code}\n\nEnd.\n\n\u05d0\u05d1"
    assert with_directions(text).split("\n") == [
        *(OPENED, "", "مرحبا", "", "- واحد", "", "  more", "- two"),
        *("", "</div>", "", "```python", "مر = 1", "```", "", "End.", ""),
        *(OPENED, "", "\u05d0\u05d1", "", "</div>", ""),
    ]
    assert without_directions(with_directions(text)).rstrip() == text


@pytest.mark.parametrize("text", ["", "\n", "abc\n\n> d", "```\nمر\n```", "  \nx"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert with_directions(text) == text


def test_code_right_after_a_paragraph_is_code() -> None:
    assert "</div>\n\n```\nx" in with_directions("مرحبا\n```\nx\n```")


def test_a_cells_answer_and_an_answers_value_are_marked_and_plain_text_is_not() -> None:
    shown = answer_markdown(HELLO, Facts("m"))
    assert shown.startswith(f"{OPENED}\n\n{HELLO}\n\n</div>\n\n<sub>")
    assert AnswerText(HELLO)._repr_markdown_().startswith(OPENED)
    assert AnswerText(HELLO) == HELLO


def test_a_model_cannot_write_such_an_element_itself() -> None:
    trick = 'مرحبا\n\n</div><script>x</script><div dir="rtl">'
    shown = with_directions(sanitize(trick))
    assert shown.count("<div") == shown.count("</div>") == 1
    assert "<script" not in shown
