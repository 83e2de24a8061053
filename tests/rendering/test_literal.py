"""Words of others in Markdown: they show as they stand, and nothing in them acts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.filters.markdown import markdown2html_mistune

from h2o_magic.chat_panel.html import as_html
from h2o_magic.rendering.literal import (
    alternative,
    code,
    literal,
    one_line,
    phrase,
    printable,
)


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
    "`http://x`",
    "a`http://x`b",
    "xhttp://e.org",
    "http://a|b",
    "see (https://a.b/c), and http://d.e/f_g*h*i.",
    "ftp://x/y http://. https:// www. http://http://a",
    "http:\\\\x",
    "1.",
    "12.5 -5 1.a",
    "___",
    "_ _ _",
    "- - -",
    "(_x_)",
    "_x_ y_ _",
    "~/a and ~/b~ ~~~",
    "~~~",
    "*.gguf f(*args, **kw)",
    "a\\",
    "\\",
    "\\\\server\\share",
    "\\_x\\_",
    "x](/logout)",
    "[a]\\(b)",
    "](",
    "a@@0@@b @x x@y",
    "a < b",
    "a <",
    "a > b & c",
    "é_é 数据_表 a__b__c _é_",
    "===",
    "---",
    ":-",
    ": definition",
    "1.\u0301",
    "`" * 80 + "a" + "`" * 80,
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

    @property
    def text(self) -> str:
        return "".join("".join(self.texts).split())


#: Where words of others stand: the Markdown, what is to be read, and the tags around.
PLACES = {
    "paragraph": ("{}", "{}", "p"),
    "cell": ("| a |\n| --- |\n| {} |", "a{}", "table thead tr th tbody tr td"),
    "sentence": ("*So* ({}), as *{}* is", "So({}),as{}is", "p em em"),
    "footer": ("<sub>m · {}</sub>", "m·{}", "p sub"),
    "quotation": ("> one\n> {}\n> two", "one{}two", "blockquote p"),
}
READERS = {"nbconvert": markdown2html_mistune, "panel": as_html}
#: What a search in the text of a page takes for the beginning of a formula.
FORMULA = re.compile(r"\$|\\[(\[]|\\begin|\\(eq)?ref")


def shows_literally(text: str, place: str, read: Callable[[str], str]) -> None:
    markdown, expected, tags = PLACES[place]
    page = Page(read(markdown.replace("{}", literal(text))))
    assert page.text == expected.replace("{}", "".join(one_line(text).split()))
    assert [tag for tag in page.tags if tag not in ("span", "code")] == tags.split()
    for piece in page.texts:
        assert piece.strip() == "$" or not FORMULA.search(piece)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("place", PLACES)
def test_foreign_text_shows_as_it_stands(place: str, reader: str) -> None:
    for text in ACTIVE:
        shows_literally(text, place, READERS[reader])


@given(
    st.text() | st.text("|`*_~[]()<>&$\\!#-+.:=@/ \nab1{}"),
    st.sampled_from(list(PLACES)),
    st.sampled_from(list(READERS)),
)
def test_no_text_gets_out_of_its_place(text: str, place: str, reader: str) -> None:
    if one_line(text):
        shows_literally(text, place, READERS[reader])


@pytest.mark.parametrize(
    "text",
    [
        "org/model-1.5_Q4_K_M",
        "/home/me/a_b/c__d.py",
        "C:\\models\\mine.gguf",
        "key=value, snake_case; 12.5 -5 (7.9 GB)",
        'What\'s up, 50 % "doc"? a < b > c & d: R&D',
        "2026-03-02 14:30 + {x} ^ @me #1 [x] a - b",
        "日本語 é_é 😀",
    ],
)
def test_what_does_not_act_is_not_escaped(text: str) -> None:
    assert literal(text) == text


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("at http://127.0.0.1:8000/v1.", "at `http://127.0.0.1:8000/v1`."),
        ("www.example.org, ftp://x", "`www.example.org`, `ftp://x`"),
        ("![x](http://evil/a.png)", "!\\[x]\\(`http://evil/a.png`)"),
        ("[x](/logout)", "\\[x]\\(/logout)"),
        ("a*b `c` d|e", "a\\*b \\`c\\` d\\|e"),
        ("__init__", "\\_\\_init\\_\\_"),
        ("<img src=x>", "&lt;img src=x>"),
        ("&lt;", "\\&lt;"),
        ("1. a", "1\\. a"),
        ("me@example.org", "me\\@example.org"),
        ("costs $5", "costs <span>\\$</span>5"),
        ("\\(x\\)", "<span>\\\\</span>(x<span>\\\\</span>)"),
    ],
)
def test_what_acts_has_the_fewest_escapes(text: str, markdown: str) -> None:
    assert literal(text) == markdown


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "text", ["a", "a`b", "$x$ `", "\\\\(x\\\\)", "\\begin{x}", "<b>", "a|b*c*"]
)
def test_code_shows_any_text(text: str, reader: str) -> None:
    page = Page(READERS[reader](f"So {code(text)}."))
    assert page.text == f"So{''.join(text.split())}."
    assert "code" in page.tags


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("use `--raw`, or *x*", "use--raw,or*x*"),
        ("one ` alone ![x](y)", "one`alone![x](y)"),
        ("`a` is <b> and `c", "ais<b>and`c"),
        ("`` and ` `", "``and``"),
    ],
)
def test_backticks_mark_code_in_our_own_words_and_nothing_else_acts(
    text: str, shown: str, reader: str
) -> None:
    page = Page(READERS[reader](phrase(text)))
    assert page.text == shown
    assert set(page.tags) <= {"p", "code"}


def test_the_words_of_an_image_cannot_end_them() -> None:
    name = "a](http://evil/x.png) ![b"
    page = markdown2html_mistune(f"![{alternative(name)}](data:image/png;base64,AA==)")
    assert page.count("<img") == 1
    assert 'src="http' not in page
