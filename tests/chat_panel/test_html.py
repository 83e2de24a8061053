import re
import sys
from html.parser import HTMLParser
from typing import Any

import pytest

from h2o_magic.chat_panel.code import runs
from h2o_magic.chat_panel.html import as_html
from tests.injections import INJECTIONS, injection

#: What may come of any text.
NAMES = (
    "p h3 h4 h5 h6 ul ol li blockquote hr br strong em s a img code pre div span "
    "table thead tbody tr th td sub sup kbd mark u button label input "
    "math mrow mi mn mo mtext mspace mfrac msqrt mroot mstyle msub msup msubsup munder "
    "mover munderover mtable mtr mtd mpadded mphantom menclose"
)
ELEMENTS = set(NAMES.split())
ATTRIBUTES = {
    "a": {"href", "target", "rel", "title"},
    "img": {"src", "alt"},
    "div": {"class", "data-language"},
    "p": {"class", "data-note"},
    "li": {"class"},
    "button": {"type", "class", "data-note", "aria-label"},
    "input": {"type", "disabled", "checked"},
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
    "dir": "rtl|ltr",
    "type": "button|checkbox",
    "data-note": r"[\w-]{1,30}",
    "aria-label": r"(Footnote|Back from footnote) [\w-]{1,30}",
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
        assert set(attributes) <= ATTRIBUTES.get(tag, set()) | {"dir"}
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
    html = as_html(f"```python\n{code}```").partition("<pre>")[2]
    assert '<span class="k">if</span>' in html
    plain = re.sub(r"<[^>]*>", "", html).replace("&lt;", "<").replace("&gt;", ">")
    assert plain.replace("&amp;", "&").strip() == code.strip()


def test_code_of_a_language_that_nobody_knows_is_shown_plainly() -> None:
    html = as_html("```nosuch\n<b>\n```")
    assert '<div class="h2o-code" data-language="nosuch">' in html
    assert "<span>nosuch</span></div><pre><code>&lt;b&gt;\n</code>" in html


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


def test_tasks_have_checkboxes_that_only_show() -> None:
    html = as_html("- [ ] a `b`\n- [X] c\n- [x]\n- [y] d\n\n[x] e")
    assert html.count("<input") == 2
    assert '<label><input type="checkbox" disabled> a <code>b</code></label>' in html
    assert '<label><input type="checkbox" checked disabled> c</label>' in html
    assert "<li>[x]</li>" in html
    assert "<p>[x] e</p>" in html


def test_footnotes_lead_to_each_other_without_ids_or_addresses() -> None:
    html = as_html("A[^1], b[^note], c[^z].\n\n[^1]: One *is*\nlong.\n[^note]: Two.")
    parsed = found(html).elements
    marks = [a for tag, a in parsed if a.get("class") == "h2o-footnote-mark"]
    notes = [a for tag, a in parsed if a.get("class") == "h2o-footnote"]
    assert [a["data-note"] for a in marks] == ["1", "note"]
    assert [a["data-note"] for a in notes] == ["1", "note"]
    assert "<em>is</em>\nlong." in html
    assert "c[^z]." in html
    assert not any({"id", "href"} & set(a) for _, a in parsed)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("See https://example.org/a_b.", "https://example.org/a_b"),
        ("(https://example.org/a_(b))", "https://example.org/a_(b)"),
        ("**https://example.org/?a=1&b=2**!", "https://example.org/?a=1&amp;b=2"),
        ("www.example.org, too", "http://www.example.org"),
        ("- [ ] https://example.org", "https://example.org"),
        ("[^1]: https://example.org", "https://example.org"),
    ],
)
def test_bare_addresses_are_links(text: str, address: str) -> None:
    html = as_html(text)
    assert html.count("<a ") == 1
    assert f'<a href="{address}" target="_blank" rel="noopener' in html


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:8888/lab and http://127.0.0.1/ and http://[::1]/",
        "`https://example.org`",
        "/lab/tree/x.ipynb",
        "xhttps://example.org",
        "https://",
        "javascript://example.org/%0aran(1)",
        "https://user@localhost/",
    ],
)
def test_what_is_no_address_of_another_host_stays_text(text: str) -> None:
    assert "<a " not in as_html(text)


def test_a_link_in_a_link_is_none() -> None:
    assert as_html("[https://a.org](https://b.org)").count("<a ") == 1


def test_text_from_right_to_left_is_marked_where_it_differs() -> None:
    html = as_html("مرحبا\n\nabc\n\n- `x` واحد\n- one\n\n```\nمر\n```")
    assert '<p dir="rtl">مرحبا</p>\n<p>abc</p>\n<ul dir="rtl">' in html
    assert '<li><code>x</code> واحد</li>\n<li dir="ltr">one</li>' in html
    assert html.count("dir=") == 3
    assert "dir=" not in as_html("# abc\n\n- 1\n\n> x")


def test_a_diagram_is_code_with_its_name() -> None:
    html = as_html("```mermaid\ngraph TD; A-->B\n```")
    assert "<span>mermaid</span>" in html
    assert "<code>graph TD; A--&gt;B\n</code>" in html


LONG_CODE = {
    "many lines": "def f(x):\n    return x + 1  # yes\n\n" * 200,
    "a long string": '"""' + "It is a word.\n" * 150 + '"""\n' + "x = 1\n" * 600,
    "no line ends": "x = 1;" * 3000,
    "more than has colours": "value = 'text'\n" * 4000,
}


@pytest.mark.parametrize("name", LONG_CODE)
def test_runs_of_code_depend_on_nothing_behind_them(name: str) -> None:
    code = LONG_CODE[name]
    whole = list(runs(code, "python"))
    assert "".join(run for run, _ in whole) == code
    assert len(whole) > 1
    for end in range(0, 12_000, 997):
        part = list(runs(code[:end], "python"))
        assert part[:-1] == whole[: max(len(part) - 1, 0)]


def test_code_keeps_its_colours_where_a_string_is_longer_than_a_run() -> None:
    html = as_html(f"```python\n{LONG_CODE['a long string']}```")
    assert '<span class="s">It is' not in html
    assert html.count('<span class="m">1</span>') == 600
