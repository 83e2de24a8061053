"""What would freeze a page is shown as text, and cut; what is kept is not."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from h2o_magic.chat.facts import Facts
from h2o_magic.chat_panel.html import as_html
from h2o_magic.rendering.blocks import close_fence
from h2o_magic.rendering.footer import answer_markdown, answer_plain
from h2o_magic.rendering.literal import literal
from h2o_magic.rendering.sanitize import sanitize

MARKS = "`*_~[]()!<>|#-=\\&$\"':{}@."
MANY = 9999


def longest_run(text: str, mark: str) -> int:
    return max((len(run) for run in re.findall(f"{re.escape(mark)}+", text)), default=0)


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize(
    "around", ["{}", "a {} b", "> {}", "- {}\n- {}", "|a|\n|-|\n|{}|"]
)
def test_a_run_of_one_mark_is_cut_to_a_hundred(mark: str, around: str) -> None:
    text = around.replace("{}", mark * MANY)
    for shown in (sanitize(text), answer_markdown(text, Facts("m"))):
        assert longest_run(shown, mark) <= 100
        assert sanitize(shown) == shown or mark in "<&"


@pytest.mark.parametrize("mark", "`~")
def test_no_fence_of_our_own_is_longer_than_what_it_closes(mark: str) -> None:
    text = f"{mark * MANY}\ncode"
    assert longest_run(sanitize(close_fence(text)), mark) <= 100


@pytest.mark.parametrize("mark", MARKS)
def test_names_and_the_panel_cut_runs_too(mark: str) -> None:
    # Each backslash is escaped by another.
    assert longest_run(literal(mark * MANY), mark) <= (200 if mark == "\\" else 100)
    assert len(as_html(f"a {mark * MANY}")) < 2000


def test_the_plain_text_of_an_answer_keeps_all_of_it() -> None:
    assert "`" * MANY in answer_plain("`" * MANY, Facts("m"))


def test_what_nests_deeper_than_anybody_writes_is_text() -> None:
    assert as_html("> " * 5000 + "a").count("<blockquote>") <= 60
    assert as_html("- " * 5000 + "a").count("<ul>") <= 60


@pytest.mark.parametrize("mark", "`~")
def test_a_cut_run_looks_like_the_run(mark: str) -> None:
    page = MarkdownIt("commonmark").render(sanitize(f"So:\n\n{mark * MANY}\n\nOn."))
    assert re.findall("<p>(.*)</p>", page)[1].strip(mark) == ""
