import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.filters.markdown import markdown2html_mistune as rendered

from h2o_magic.rendering.tables import (
    Verbatim,
    as_markdown,
    as_text,
    literal,
    one_line,
    printable,
)


def test_a_table_in_markdown_has_a_head_a_rule_and_rows() -> None:
    assert as_markdown(["model", "size"], [["llama-13b", "7.9 GB"], ["x", ""]]) == (
        "| model | size |\n| --- | --- |\n| llama-13b | 7.9 GB |\n| x |  |"
    )


def test_a_pipe_in_a_cell_does_not_end_it() -> None:
    assert as_markdown(["a|b"], [["c\\|d"]]) == "| a\\|b |\n| --- |\n| c\\\\\\|d |"


def test_a_line_end_in_a_cell_does_not_end_its_row() -> None:
    assert as_markdown(["a"], [["one\ntwo"]]).splitlines()[2:] == ["| one two |"]


def test_the_columns_of_the_text_form_stand_under_each_other() -> None:
    assert as_text(["model", "size"], [["llama-13b", "7.9 GB"], ["x", "1 MB"]]) == (
        "model      size\nllama-13b  7.9 GB\nx          1 MB"
    )


def test_the_text_form_has_no_backticks_and_no_blanks_at_line_ends() -> None:
    assert as_text(["a", "b"], [["`long cell`", ""], ["c", "`d`"]]) == (
        "a          b\nlong cell\nc          d"
    )


def test_a_table_without_rows_is_its_head() -> None:
    assert as_markdown(["a", "b"], []) == "| a | b |\n| --- | --- |"
    assert as_text(["a", "b"], []) == "a  b"


def test_the_callers_rows_are_not_changed() -> None:
    head, rows = ["`a`"], [["b|c"]]
    as_markdown(head, rows)
    as_text(head, rows)
    assert (head, rows) == (["`a`"], [["b|c"]])


def test_foreign_text_shows_its_backticks_in_the_text_form() -> None:
    assert as_text(["a", "b"], [[Verbatim("`x`"), "`y`"]]) == "a    b\n`x`  y"


def test_a_long_cell_with_nothing_after_it_does_not_push_a_column_away() -> None:
    long = "x" * 200
    rows = [["kept in", Verbatim(long), ""], ["model", "llama-13b", "default"]]
    assert as_text(["", "value", "from"], rows).splitlines() == [
        "         value      from",
        f"kept in  {long}",
        "model    llama-13b  default",
    ]


def test_columns_of_wide_and_combining_characters_stand_under_each_other() -> None:
    rows = [["日本", "x"], ["cafe\u0301", "y"], ["abcd", "z"]]
    assert as_text(["a", "b"], rows).splitlines()[1:] == [
        "日本  x",
        "cafe\u0301  y",
        "abcd  z",
    ]


def test_no_cell_can_steer_a_terminal_or_turn_its_line_around() -> None:
    text = as_text(["a"], [[Verbatim("\x1b[2Jhi\x07 \u202eback\u2066 \x9b1m")]])
    assert text == "a\n[2Jhi back 1m"


def test_printable_text_keeps_its_lines_and_loses_what_steers_a_terminal() -> None:
    assert printable("a\tb\n\x1b[31mé日\x00\x9b\r\n") == "a\tb\n[31mé日\n"


def test_all_control_characters_and_halves_of_characters_are_left_out() -> None:
    every = [chr(number) for number in range(0x110000)]
    gone = {mark for mark in every if unicodedata.category(mark) in ("Cc", "Cs")}
    assert {mark for mark in every if not printable(mark)} == gone - {"\n", "\t"}


def test_one_line_has_no_ends_of_any_kind() -> None:
    assert (
        one_line(" a\r\nb\x0bc\x0cd\u2028e\u2029f\x85g\th  i ") == "a b c d e f g h i"
    )


#: Text that some reader of Markdown, HTML or formulas acts on.
ACTIVE = [
    "a|b",
    "a\\|b",
    "|||",
    "`code`",
    "``two `` ticks``",
    "```python print(1)```",
    "`open",
    "*em* and **strong**",
    "_em_ and __strong__",
    "snake_case_name __init__",
    "***",
    "* * *",
    "~~struck~~ ~sub~",
    "==marked== ++inserted++ ^sup^",
    "[text](https://example.org)",
    "[text]: https://example.org",
    "[text][ref] [ref]",
    "[ ] task [x] done",
    "[^1] note",
    "![alt](https://example.org/x.png)",
    "![alt](javascript:alert(1))",
    "[x](javascript:alert`1`)",
    "<b>bold</b>",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "<script",
    "</td></tr></table><h1>out</h1>",
    "<style>*{display:none}</style>",
    "<!-- comment",
    "--> <![CDATA[ x ]]> <?php ?>",
    "<svg/onload=alert(1)>",
    "<https://example.org>",
    "<me@example.org>",
    "https://example.org/a_b?c=d&e=f#g",
    "HTTP://EXAMPLE.ORG ftp://example.org",
    "www.example.org",
    "me@example.org mailto:me@example.org",
    "example.org",
    "&lt;b&gt; &amp; &copy; &#42; &#x2a; &nbsp;",
    "&notanentity; & alone &",
    "$x^2$",
    "$$\\frac{1}{2}$$",
    "costs $5 and $6",
    "\\$5\\$ \\\\$6",
    "\\(x\\) \\[y\\]",
    "\\\\(x\\\\)",
    "\\begin{equation}x\\end{equation}",
    "\\ref{eq:1} \\eqref{a}",
    "\\href{javascript:alert(1)}{x}",
    "@@0@@ @@1@@",
    "# heading",
    "heading # ",
    "> quoted",
    "- item",
    "+ item",
    "1. item",
    "1) item",
    "term : definition",
    "=== ---",
    "| --- | :-: |",
    "    indented",
    "line \\\nbreak  \nhere",
    "a\n\n| b | c |",
    "C:\\temp\\new \\n \\* \\_",
    ":smile: :warning:",
    "#123 GH-1 @name owner/repo#1",
    "{: .class #id onclick=x} {.x}",
    "{{ template }} {% raw %} ${x} `r 1`",
    "%%h2o %h2o !ls",
    "\x1b[31mred\x1b[0m \x00",
    "\u202egnp.exe\u202c \u200f",
    "\u200bzero\u200dwidth",
    "<span>&#36;</span>",
    "&#36; <span>",
    "\"quoted\" 'text' -- ... (c) (tm)",
    "日本語 **太字** e\u0301 😀",
]


class Page(HTMLParser):
    """The texts of a page as a search for formulas goes through them, and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = [""]
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, *_: object) -> None:
        self.tags.append(tag)
        self.texts.append("")

    def handle_endtag(self, *_: object) -> None:
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data


def page_of(text: str) -> Page:
    """Render a table of one foreign cell as nbconvert does."""
    return Page(rendered(as_markdown(["a"], [[Verbatim(text)]])))


FRAME = ["table", "thead", "tr", "th", "tbody", "tr", "td"]


def shows_literally(text: str) -> None:
    page = page_of(text)
    assert "".join(page.texts).split() == ["a", *one_line(text).split()]
    assert [tag for tag in page.tags if tag != "span"] == FRAME
    for mark in "$\\":
        assert {piece.strip() for piece in page.texts if mark in piece} <= {mark}


@pytest.mark.parametrize("text", ACTIVE)
def test_foreign_text_in_a_table_shows_as_it_stands(text: str) -> None:
    shows_literally(text)


@given(st.text() | st.text("|`*_~[]()<>&$\\!#-+.:@/ \nab1"))
def test_no_text_gets_out_of_its_cell(text: str) -> None:
    shows_literally(text)


@pytest.mark.parametrize("text", ACTIVE)
def test_foreign_text_at_the_start_of_a_paragraph_shows_as_it_stands(
    text: str,
) -> None:
    page = Page(rendered(literal(text)))
    assert "".join(page.texts).split() == one_line(text).split()
    assert set(page.tags) <= {"p", "span"}


@pytest.mark.parametrize("text", ACTIVE)
def test_literal_text_holds_no_mark_that_any_reader_of_markdown_acts_on(
    text: str,
) -> None:
    bare = literal(text).replace("<span>", "").replace("</span>", "")
    assert set(bare) & set("|`*_~[]<>$\\!+.:@={}^\n") == set()
    assert bare.count("&") == bare.count("#") == bare.count("&#")
    assert not bare.startswith("-")  # that would begin a list


def test_plain_words_stay_readable_in_the_markdown() -> None:
    assert literal('What\'s up, 50 % "doc"?') == 'What\'s up, 50 % "doc"?'
