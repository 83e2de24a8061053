import re
import sys
from html.parser import HTMLParser
from typing import Any

import pytest

from h2o_magic.chat_panel.html import as_html
from tests.injections import INJECTIONS, injection

#: What may come of any text.
NAMES = (
    "p h3 h4 h5 h6 ul ol li blockquote hr br strong em s a img code pre div span "
    "table thead tbody tr th td sub sup kbd mark u "
    "math mrow mi mn mo mtext mspace mfrac msqrt mroot mstyle msub msup msubsup munder "
    "mover munderover mtable mtr mtd mpadded mphantom menclose"
)
ELEMENTS = set(NAMES.split())
ATTRIBUTES = {
    "a": {"href", "target", "rel", "title"},
    "img": {"src", "alt"},
    "div": {"class", "data-language"},
    "span": {"class"},
    "code": {"class"},
    "ol": {"start"},
    "th": {"style"},
    "td": {"style"},
    "math": {"display"},
}
VALUES = {
    "href": r"(?i)(https?://(?!localhost|127\.|\[::1|%|[^/]*@)|mailto:)\S+",
    "src": r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+",
    "style": "text-align:(left|right|center)",
    "class": r"[a-z0-9-]+",
}


class Found(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.others: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_decl(self, decl: str) -> None:
        self.others.append(decl)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)


def found(html: str) -> Found:
    parser = Found()
    parser.feed(html)
    parser.close()
    return parser


def assert_calm(html: str) -> None:
    parsed = found(html)
    assert parsed.others == []
    for tag, attributes in parsed.elements:
        assert tag in ELEMENTS
        if tag.startswith("m") and tag not in ("mark", "math"):
            assert not set(attributes) & {"href", "style", "class", "src"}
            assert not any(name.startswith("on") for name in attributes)
            continue
        assert set(attributes) <= ATTRIBUTES.get(tag, set())
        for name, value in attributes.items():
            assert re.fullmatch(VALUES.get(name, ".*"), value), (tag, name, value)


@pytest.mark.parametrize(
    "around", ["{}", "> {}", "- {}", "${}$", "| a |\n|--|\n| {} |"]
)
def test_no_trick_becomes_more_than_text(around: str) -> None:
    for number in range(len(INJECTIONS)):
        text = injection(number, "http://canary.test")
        assert_calm(as_html(around.replace("{}", text)))


FORMULAS = [
    r"\href{javascript:ran(1)}{x}",
    r"\style{background:url(http://canary.test)}{x}",
    r"\class{a}{x}",
    r"\text{<img src=x onerror=ran(1)>}",
    r"\text{&lt;img src=x onerror=ran(1)&gt;}",
    r"\color{red;background:url(http://canary.test)}{x}",
    r"\unknown{<script>}",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_formula_becomes_more_than_a_formula(formula: str) -> None:
    for text in (f"${formula}$", f"\\[{formula}\\]", f"$$\n{formula}\n$$"):
        html = as_html(text)
        assert_calm(html)
        assert "ran(" not in re.sub(r">[^<]*<", "><", html)


@pytest.mark.parametrize(
    "text", ["$a_1$", r"\(a_1\)", "$$\na_1\n$$", r"\[a_1\]", "x $a_1$, y"]
)
def test_formulas_become_mathml(text: str) -> None:
    assert "<msub><mi>a</mi><mn>1</mn></msub>" in as_html(text)


@pytest.mark.parametrize("text", ["$5 and $10", "it costs 5$", r"\$a\$", "`$a$`"])
def test_prices_and_code_are_no_formulas(text: str) -> None:
    assert "<math" not in as_html(text)


def test_a_formula_that_cannot_be_read_stays_as_it_was_written() -> None:
    deep = "{" * 90 + "a" + "}" * 90
    assert f'<code class="h2o-tex">{deep}</code>' in as_html(f"${deep}$")


def test_code_keeps_every_character_and_has_colours() -> None:
    code = "if a < b and c > d:  # no\n\n    s = '&amp;'\n"
    html = as_html(f"```python\n{code}```")
    assert '<span class="k">if</span>' in html
    plain = re.sub(r"<[^>]*>", "", html).replace("&lt;", "<").replace("&gt;", ">")
    assert plain.replace("&amp;", "&").strip() == code.strip()


def test_code_of_a_language_that_nobody_knows_is_shown_plainly() -> None:
    html = as_html("```nosuch\n<b>\n```")
    assert '<div class="h2o-code" data-language="nosuch"><pre><code>&lt;b&gt;' in html


def test_an_image_is_not_loaded_but_linked() -> None:
    html = as_html("![a cat](https://example.org/cat.png)")
    assert "<img" not in html
    assert 'href="https://example.org/cat.png"' in html


def test_headings_stand_below_those_of_the_page() -> None:
    assert as_html("# A\n\n###### B") == "<h3>A</h3>\n<h6>B</h6>\n"


def test_tags_of_the_packages_own_texts_are_tags() -> None:
    assert as_html("<sub>a · `b`</sub>") == "<p><sub>a · <code>b</code></sub></p>\n"
    assert "&lt;sub&gt;" in as_html("<sub>never closed")


def test_many_tags_that_never_end_are_not_each_looked_for_in_the_whole_text() -> None:
    text = "<sub>" * 500
    lowered = 0

    def count(_: object, event: str, called: Any) -> None:
        nonlocal lowered
        if event == "c_call" and called.__name__ == "lower":
            lowered += len(called.__self__)

    sys.setprofile(count)
    try:
        html = as_html(text)
    finally:
        sys.setprofile(None)
    assert html.count("&lt;sub&gt;") == 500
    assert 0 < lowered <= len(text)


def test_a_tag_is_one_only_before_its_last_end() -> None:
    html = as_html("<sub>a</SUB> <sub>b")
    assert html == "<p><sub>a</sub> &lt;sub&gt;b</p>\n"
