"""What threads are called."""

import pytest

from h2o_magic.conversation import titles
from h2o_magic.errors import ConfigurationError


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("What is SQL?\nAnd why?", "What is SQL?"),
        ("\n\n  Tell me", "Tell me"),
        ("## **Plot** `df` by [month](https://x.org) ", "Plot df by month"),
        ("- [ ] tidy *all* of it", "tidy all of it"),
        ("> 1. 2 * 3 * 4 = __init__?", "2 * 3 * 4 = __init__?"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("{df} or a_b_c", "{df} or a_b_c"),
        ("a\x1b[31m\u202eb\tc", "a[31mb c"),
        ("", "New chat"),
        (" \n```\n```", "New chat"),
    ],
)
def test_a_title_is_the_first_line_in_words(question: str, title: str) -> None:
    assert titles.shown("", question) == title
    assert titles.shown("Mine", question) == "Mine"


def test_a_long_question_is_cut_behind_a_word() -> None:
    sixty = "Which of the columns in this table have values that I miss."
    assert titles.from_question(sixty[:-1] + "?") == sixty[:-1] + "?"
    cut = titles.from_question(
        "Which of the columns, in this table have the values, if any"
    )
    assert cut == "Which of the columns, in this table have the values, if any"
    cut = titles.from_question(f"{'word ' * 11}wordword, and on")
    assert cut == "word " * 10 + "word…"
    assert titles.from_question("x" * 100) == "x" * 59 + "…"


@pytest.mark.parametrize("mark", ["[", "*", "`", "#", "> ", "- ", "[x](", "*a "])
def test_marks_without_an_end_take_no_time(mark: str) -> None:
    assert len(titles.from_question(mark * 100_000)) <= 60


def test_a_title_that_is_given_is_on_one_line() -> None:
    assert (
        titles.checked(" <b>Mine</b>\n *and*\x00 yours ") == "<b>Mine</b> *and* yours"
    )
    assert titles.checked(" \n ") == ""
    assert len(titles.checked("ab" * 100)) == 200
    with pytest.raises(ConfigurationError, match="at most 200 characters, got 202"):
        titles.checked("ab" * 101)
    with pytest.raises(ConfigurationError, match="expected"):
        titles.checked(None)


def test_branches_are_told_apart() -> None:
    assert titles.of_branch("Plan", ()) == "Plan (branch)"
    assert titles.of_branch("Plan (branch)", ()) == "Plan (branch)"
    taken = ["Plan", "Plan (branch)", "Plan (branch 2)"]
    assert titles.of_branch("Plan (branch 2)", taken) == "Plan (branch 3)"
    assert len(titles.of_branch("x" * 200, ())) <= 200
