"""Markdown as plain text for a terminal."""

from __future__ import annotations

import pytest

from h2o_magic.rendering.plain import as_plain


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("Some **bold**, *slanted* and `code`.", "Some bold, slanted and code."),
        ("# Title\n\ntext", "Title\n=====\n\ntext"),
        ("## Part\ntext", "Part\n----\n\ntext"),
        ("#### Small", "Small"),
        ("a<br>b <sub>2</sub>", "a\nb 2"),
        ("a &#58; b &amp; c", "a : b & c"),
        ("the <div> tag", "the <div> tag"),
        ("[text](https://a.b/c)", "text (https://a.b/c)"),
        ("<https://a.b/>", "https://a.b/"),
        ("<a@b.org>", "a@b.org"),
        ("[**https://a.b**](https://a.b/)", "https://a.b"),
        ("![a map](https://a.b/c.png)", "a map (https://a.b/c.png)"),
        ("![dot](data:image/png;base64,AAAA)", "dot"),
        ("see [1].\n\n[1]: https://a.b", "see [1].\n\n[1]: https://a.b"),
        ("- one\n- two\n  more\n  - in", "- one\n- two\n  more\n  - in"),
        ("* one\n\n* two", "- one\n\n- two"),
        ("3. c\n4. d", "3. c\n4. d"),
        ("1. a\n\n   ```sh\n   ls\n   ```", "1. a\n\n       ls"),
        ("-", "-"),
        ("> said\n> so", "> said\n> so"),
        ("a\n\n---\n\nb", "a\n\n---\n\nb"),
        ("```python\nx = '**'\n\ny\n```", "    x = '**'\n\n    y"),
        ("$a_1 * b * c$ and \\(x_1 \\\\\\)", "$a_1 * b * c$ and \\(x_1 \\\\\\)"),
        (r"\*kept\* and \_this\_", "*kept* and _this_"),
    ],
)
def test_marks_become_what_they_mean(markdown: str, plain: str) -> None:
    assert as_plain(markdown) == plain


def test_a_table_is_aligned_also_where_characters_are_wide() -> None:
    table = "| City | mm |\n|---|--:|\n| **Lima** | `16` |\n| 東京 | a\\|b |"
    assert as_plain(table) == "City  mm\nLima  16\n東京  a|b"


@pytest.mark.parametrize(
    "text", ["a\x1b[2Jb\x07", "a\x9b2Jb", "`\x1b[31m`", "&#27;[2J"]
)
def test_nothing_in_it_steers_a_terminal(text: str) -> None:
    assert not set(as_plain(text)) & {"\x1b", "\x07", "\x9b"}


def test_deeply_nested_emphasis_keeps_its_text() -> None:
    assert as_plain("*" * 4000 + "a" + "*" * 4000) == "a"
