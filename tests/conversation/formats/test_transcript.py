"""The transcript: a Markdown document that people can read."""

from __future__ import annotations

import re
import unicodedata

import pytest

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.conversation.formats.markdown import write
from tests.conversation.formats.conversations import FACTS


def shown(*turns: Turn) -> str:
    return write((Thread("main", turns),))


def headings(text: str) -> list[str]:
    """Return the document's headings; code is no heading."""
    outside = re.sub(r"(?ms)^(```|~~~).*?^\1$", "", text)
    return re.findall(r"^#+ .*$", outside, re.MULTILINE)


def test_a_turn_shows_question_answer_and_what_is_known_about_it() -> None:
    turn = Turn(
        "What?\n\n```py\n# x\n```", "That.", asked_at=1_700_000_000, facts=FACTS
    )
    assert shown(turn) == (
        "# Conversation\n\n"
        "## Turn 1\n\n"
        "> What?\n>\n> ```py\n> # x\n> ```\n\n"
        "That.\n\n"
        "<sub>llama-13b · open weights, 13B · 2023-11-14T22:13Z</sub>\n"
    )


def test_several_threads_have_a_section_each() -> None:
    text = write(
        (Thread("main", (Turn("A?", "B."),)), Thread("my_*side*"), Thread("x"))
    )
    assert headings(text) == [
        "# Conversations",
        "## main",
        "### Turn 1",
        r"## my\_\*side\*",
        "## x",
    ]
    assert text.count("*(no turns)*") == 2


def test_a_thread_of_another_name_is_named_in_the_title() -> None:
    assert write((Thread("side"),)).startswith("# Conversation: side\n")


def test_a_turn_keeps_the_number_it_has_in_its_thread() -> None:
    assert "## Turn 7" in shown(Turn("A?", "B.", number=7))


@pytest.mark.parametrize(
    ("turn", "mark"),
    [
        (Turn("A?", "B", "stopped"), "■ stopped, the answer is incomplete"),
        (Turn("A?", "B", "failed"), "■ failed, the answer is incomplete"),
        (
            Turn("A?", "B", "incomplete"),
            "■ incomplete, the end is missing",
        ),
        (Turn("A?", "B", outdated=True), "asked before an earlier answer changed"),
        (Turn("A?", "B", begins=True), "starts a new conversation"),
        (
            Turn("A?", "B", facts={"finish_reason": "length"}),
            "■ cut off by the token limit",
        ),
    ],
)
def test_a_turn_is_marked(turn: Turn, mark: str) -> None:
    assert f"\n\n<sub>{mark}</sub>\n" in shown(turn)


def test_a_whole_answer_of_which_nothing_is_known_has_no_line() -> None:
    assert "<sub>" not in shown(Turn("A?", "B."))


@pytest.mark.parametrize("seconds", [1e30, -1e30, 1e308])
def test_a_time_outside_the_calendar_is_left_out(seconds: float) -> None:
    assert "<sub>" not in shown(Turn("A?", "B.", asked_at=seconds))


def test_the_system_text_stands_where_it_changes() -> None:
    text = shown(
        Turn("A?", "B.", system="Be brief.\nPlease."),
        Turn("A?", "B.", system="Be brief.\nPlease."),
        Turn("A?", "B."),
    )
    assert text.count("System text:\n\n> Be brief.\n> Please.\n") == 1
    assert text.count("No system text.") == 1


def test_an_empty_answer_is_said_to_be_empty() -> None:
    assert "*(an empty answer)*" in shown(Turn("A?", " \n", "failed"))


@pytest.mark.parametrize(
    ("answer", "standing"),
    [
        ("# One\n\n## Two", "### One\n\n#### Two"),
        ("##### Five", "###### Five"),
        ("#hash and #1", "#hash and #1"),
        ("Title\n=====\n\ntext", "### Title\n\ntext"),
        ("Title\n---\ntext", "#### Title\ntext"),
        ("text\n\n---\n\ntext", "text\n\n---\n\ntext"),
        ("- item\n---\ntext", "- item\n---\ntext"),
        ("two\nlines\n---\ntext", "two\nlines\n---\ntext"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("```py\n# code\n```\n# Head", "```py\n# code\n```\n### Head"),
        ("```\nx\n===\n```", "```\nx\n===\n```"),
        ("````\n```\n# code\n````", "````\n```\n# code\n````"),
        ("- ```sh\n  # code\n  ```\n\n# Head", "- ```sh\n  # code\n  ```\n\n### Head"),
        ("so:\n\n    # code", "so:\n\n    # code"),
        ("issue # 1", "issue # 1"),
        ("~~~\n# code", "~~~\n# code\n~~~"),
        ("# One\r\n\r\ntext\r# Two", "### One\n\ntext\n### Two"),
        ("Plain *text*, `code`.\n\n> quote", "Plain *text*, `code`.\n\n> quote"),
    ],
)
def test_an_answer_stands_below_the_documents_headings(
    answer: str, standing: str
) -> None:
    assert shown(Turn("A?", answer)) == (
        f"# Conversation\n\n## Turn 1\n\n> A?\n\n{standing}\n"
    )


def test_code_that_an_answer_left_open_does_not_swallow_the_next_turn() -> None:
    text = shown(Turn("A?", "```py\nx = 1", "stopped"), Turn("B?", "# C"))
    assert headings(text) == ["# Conversation", "## Turn 1", "## Turn 2", "### C"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_of_a_question_is_quoted(end: str) -> None:
    text = shown(Turn(f"a{end}# b{end}{end}c", "D."))
    assert "> a\n> # b\n>\n> c\n\nD." in text


def test_control_characters_are_left_out() -> None:
    turn = Turn(
        "a\x00b\x1b[2J\n\x9bc\td",
        "e\x07\r\nf\x00\x1b]0;t\x07",
        system="g\x00",
        facts={"model": "m\x1b[1m"},
    )
    text = write((Thread("h\x00", (turn,)),))
    assert {mark for mark in text if unicodedata.category(mark) == "Cc"} == {"\n", "\t"}
    assert "> ab[2J\n> c\td\n\ne\nf]0;t\n" in text
    assert "# Conversation: h\n" in text


def test_a_control_character_hides_no_code_fence() -> None:
    text = shown(Turn("A?", "`\x00``py\nx = 1", "stopped"), Turn("B?", "# C"))
    assert headings(text) == ["# Conversation", "## Turn 1", "## Turn 2", "### C"]


def test_a_fact_cannot_write_html() -> None:
    turn = Turn("A?", "B.", facts={"model": "<img src=x>", "weights": "a\n\n# b"})
    assert "<sub>&lt;img src=x> · a # b</sub>" in shown(turn)


def test_an_answer_does_nothing_where_the_document_is_shown() -> None:
    text = shown(Turn("A?", "<img src=x onerror=f()> ![a](https://x.org) `a < b`"))
    assert "\n\n&lt;img src=x onerror=f()> [a](https://x.org) `a < b`\n" in text
