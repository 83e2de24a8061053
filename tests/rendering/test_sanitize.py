"""Foreign Markdown: what acts is taken out of action, and the rest looks as before."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import ClassVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nbconvert.filters.markdown import markdown2html_mistune as rendered

from h2o_magic.rendering.blocks import BlockSplitter
from h2o_magic.rendering.sanitize import _Writer, sandboxed, sanitize
from tests.injections import INJECTIONS, injection

SITE = "http://canary.example"


class Page(HTMLParser):
    """Finds what could act in a page of rendered Markdown."""

    PLAIN: ClassVar = {
        *("a", "blockquote", "br", "code", "del", "div", "em", "hr", "img", "input"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "kbd", "li", "mark", "ol", "p", "pre"),
        *("span", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead"),
        *("tr", "u", "ul"),
    }
    HELD: ClassVar = {
        *("align", "alt", "checked", "class", "disabled", "href", "id", "src"),
        *("start", "style", "title", "type"),
    }

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.PLAIN:
            self.found.append(tag)
        for name, value in attrs:
            if name not in self.HELD:
                self.found.append(f"{tag} {name}")
            if name == "href" and not _leads_elsewhere(value or ""):
                self.found.append(f"href {value}")
            if name == "src" and not (value or "").startswith("data:image/png"):
                self.found.append(f"src {value}")

    def handle_comment(self, data: str) -> None:
        self.found.append(f"comment {data}")


def _leads_elsewhere(address: str) -> bool:
    """Return whether a browser takes an address for one of another host, or of mail."""
    bare = re.sub(r"[\x00-\x20]", "", address).lower()
    here = re.match(r"\w+://([^/]*@|localhost|127\.|\[::1|%)", bare)
    return not here and bool(re.match(r"(https?|ftp)://\w|mailto:|tel:|#", bare))


def active_parts(markdown: str) -> list[str]:
    return Page(rendered(markdown)).found


# What acts


@pytest.mark.parametrize("number", range(len(INJECTIONS)), ids=list(INJECTIONS))
def test_an_injection_is_taken_out_of_action(number: int) -> None:
    assert active_parts(sanitize(injection(number, SITE))) == []


def test_without_it_injections_act() -> None:
    texts = [injection(number, SITE) for number in range(len(INJECTIONS))]
    assert sum(active_parts(text) != [] for text in texts) > 60


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>x</b>", "&lt;b>x&lt;/b>"),
        ("**<b>**", "**&lt;b>**"),
        ("- [ ] <x>", "- [ ] &lt;x>"),
        ("[x](javascript:f())", "[x]\\(javascript:f())"),
        ("[r]: javascript:f()", "[r]\\: javascript:f()"),
        ("![a cat](https://x.org/cat.png)", "[a cat](https://x.org/cat.png)"),
        ("![](cat.png)", "[image]\\(cat.png)"),
        ("![a][r]", "[a][r]"),
        ("![r]", "\\![r]"),
        ("!![a](https://x.org/b)", "\\![a](https://x.org/b)"),
        ("[c](../c.md#d)", "[c]\\(../c.md#d)"),
        ("[s]: x.md", "[s]\\: x.md"),
        ("[x](http://localhost:8888/logout)", "[x]\\(http\\://localhost:8888/logout)"),
        ("`a` **`<b>`** c", "`a` **<code>&#60;b&#62;</code>** c"),
        ("$a<b$", "$a< b$"),
        ("the end <", "the end &lt;"),
        ('$x$ "y"', "$x$ &quot;y&quot;"),
        ("```mermaid\ngraph TD\nA[<img>]\n```", "```text\ngraph TD\nA[<img>]\n```"),
        ("```\n```~\n<x>\n```", "````\n```~\n<x>\n````"),
        ("a\n```\n<x>\n```\nb", "a\n\n```\n<x>\n```\n\nb"),
        ("- ```\n<x>\n```", "- ```\n  ```\n&lt;x>\n```\n```"),
        ("<details>\nx\n</details>", "&lt;details>\nx\n&lt;/details>"),
    ],
)
def test_what_acts_is_shown_as_text_or_as_a_link(text: str, shown: str) -> None:
    assert sanitize(text) == shown


# What is ordinary

PICTURE = "![a dot](data:image/png;base64,iVBORw0KGgo=)"

ORDINARY = {
    "prose": "A *word*, **two**, ~~none~~, `code` and a\\\nbreak.\n\nEnd.",
    "signs": "a < b, b > a, x <= y, a<-b, 3<4 and x->y; R&D, &lt;b&gt; \\* \\[x\\]",
    "headings": "# One\n\nTwo\n---\n\n### `<b>` is bold\n",
    "lists": "- a\n  - b\n\n1. c\n2. d\n\n- [x] done\n- [ ] to do\n",
    "table": "| a | b<br>c |\n|---|:-:|\n| `x` | 1 |\n",
    "links": (
        '[a](https://x.org "t"), [b](<https://x.org/b>), <https://x.org/?a=b>, '
        "<a@x.org>, https://x.org, [c](#d), [d](mailto:a@x.org), [e](tel:112)"
    ),
    "definitions": '[a][r] and [r]\n\n[r]: https://x.org "title"\n[s]: #d\n',
    "footnotes": 'Text[^1].\n\n[^1]: Note: this is "it".\n',
    "small type": "H<sub>2</sub>O, x<sup>2</sup>, press <kbd>Ctrl</kbd>+<kbd>C</kbd>",
    "formulas": "$a$, $b_1 < c$, \\\\(d\\\\) and\n\n$$\ne = \\frac{1}{2}\n$$\n",
    "matrix": "$$\\begin{pmatrix} a & b \\\\[2pt] c & d \\end{pmatrix}$$",
    "code": "So:\n\n```html\n<script>x</script>\n```\n\nEnd `<b>`.\n",
    "code in a list": "1. Do:\n\n   ```html\n   <b>\n\n   </b>\n   ```\n\n2. End\n",
    "shell in a list": "1. Do:\n   ```sh\n   ls\n   ```\n2. End",
    "quotation": "> a *b*\n>\n> ```py\n> x < y\n> ```\n\nEnd",
    "quoted HTML": "> ```html\n> <b>\n> ```\n",
    "tildes": "~~~py\nx = '```'\n~~~\n",
    "diagram": "```mermaid\ngraph TD\nA[one<br>two]-->B\n```\n",
    "picture": PICTURE,
    "empty": "",
    "blank": "\n\n \n",
}


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_markdown_is_left_as_it_is(text: str) -> None:
    assert sanitize(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Use **`<b>`** and [`List<int>`](https://x.org).",
        '| a | b |\n|---|---|\n| `<a>` | `x = "<b>"` |\n',
        "Costs $5: `<b>` or `a[0](1)`.",
        "_So_ `` a ` <b> `` it is.",
        "So:\n```html\n<b>\n```\nEnd.",
        "x[0]: the first; a[1](#2) too",
    ],
)
def test_code_with_tags_looks_as_before(text: str) -> None:
    assert sanitize(text) != text
    assert _text_of(rendered(sanitize(text))) == _text_of(rendered(text))


def _text_of(html: str) -> str:
    """Return a page without the colours of its code."""
    return re.sub(r"&quot;|&#34;", '"', re.sub(r"</?(span|div)[^>]*>", "", html))


def test_line_ends_are_of_one_kind() -> None:
    assert sanitize("a\r\nb\rc") == "a\nb\nc"


# Any text

MARKS = [
    *("<script>f()</script>", "<img src=x onerror=f()>", "<br>", "<sub>a</sub>", "<"),
    *("<code>b</code>", "`", "``", "```", "````", "~~~", "\n", "\n\n", "  ", "    "),
    *("\t", "- ", "* ", "2. ", "> ", "[x](", "](", ")", "[a]: ", "javascript:f()"),
    *("![", "!", '"', "'", "(", "$", "$$", "\\\\(", "\\\\)", "\\\\[", "\\\\]"),
    *("\\begin{x}", "\\end{x}", "\\", '" onclick=f() x="', "<!--", "-->", "@@0@@"),
    *("| a | b |\n|---|---|\n", "html", "- [ ] ", "# ", "===", "word ", "*", "_", "{"),
    *("<https://x.y>", "&lt;", "java&#115;cript:f()", "[^1]: ", "\r", "\n  ```\n"),
    *("```mermaid\n", "\n```\n", "> ```\n", "\n    ```\n", "</p>", "data:text/html,x"),
]
TEXTS = st.lists(st.sampled_from(MARKS), max_size=30).map("".join)


@given(TEXTS | st.text())
@example("- [ ] ```\n  x\n  ```\n\n  <script>f()</script>\n  ```")
@example('[a]: /x "\n\n```\n"\n<script>f()</script>\n```')
@example("$\n$$<b>$$\n$\n```html\n$$<script>f()</script>\n```")
@example("`~~\n    ```\n    ```\n`<script>f()</script>`")
def test_nothing_acts_in_any_text(text: str) -> None:
    assert active_parts(sanitize(text)) == []


@given(TEXTS | st.text())
def test_sanitized_text_stays_as_it_is(text: str) -> None:
    assert sanitize(sanitize(text)) == sanitize(text)


@given(st.text(st.sampled_from("ab 1.-*_#|&;(){}[:/=+\n\t'é")))
def test_a_text_without_active_marks_needs_no_writing(text: str) -> None:
    assert sanitize(text) == "\n".join(_Writer().write(text.split("\n"))) == text


# Pieces of a growing text

BLOCKS = st.lists(
    st.sampled_from(
        [
            *(f"{text.strip()}\n\n" for text in ORDINARY.values() if text.strip()),
            "```html\n<b>\n```\n",
            "A <b>tag</b>, an ![image](x.png) and [no](javascript:f()).\n\n",
            "| <i> |\n|---|\n| `<a>` |\n\n",
        ]
    ),
    max_size=8,
).map("".join)


def pieces(text: str) -> list[str]:
    splitter = BlockSplitter()
    return [*splitter.feed(text), splitter.tail]


def visible(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


@given(BLOCKS)
def test_pieces_give_what_the_whole_gives(text: str) -> None:
    in_pieces = "\n".join(sanitize(piece) for piece in pieces(text))
    assert visible(in_pieces) == visible(sanitize(text))


@given(TEXTS)
def test_nothing_acts_in_a_piece_or_in_pieces_together(text: str) -> None:
    cut = pieces(text)
    for end in range(1, len(cut) + 1):
        assert active_parts(sanitize(cut[end - 1])) == []
        assert active_parts(sanitize("".join(cut[:end]))) == []


# A page of HTML


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize(
    "text",
    [
        "<b>hi</b>",
        '"><script>alert(1)</script>',
        "'&quot;>",
        '" onload="x',
        "</iframe>",
    ],
)
def test_all_of_it_is_inside_one_frame_that_allows_nothing(text: str) -> None:
    ((tag, attributes),) = Tags(sandboxed(text)).found
    assert tag == "iframe"
    assert attributes["sandbox"] in (None, "")
    page = attributes["srcdoc"] or ""
    assert page.endswith(text)
    assert "default-src 'none'" in page.removesuffix(text)
    assert not {name for name in attributes if name.startswith("on")}


def test_where_frames_are_not_shown_a_line_says_what_would_be_there() -> None:
    assert ">An HTML answer, which cannot be shown here.</iframe>" in sandboxed("<b>")
