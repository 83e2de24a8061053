"""How a line is read, and written so that it is read again."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from h2o_magic.config.command_line import begun, quote, split
from h2o_magic.errors import ConfigurationError

TEXTS = st.text(st.sampled_from("ab '\"\\=-“\u2019{}\n\t\xa0é$#"))


def words(line: str) -> list[str]:
    return [word.text for word in split(line)]


@pytest.mark.parametrize(
    ("line", "read"),
    [
        # A backslash stands for itself, wherever it is.
        (r"--model C:\models\mine.gguf", ["--model", r"C:\models\mine.gguf"]),
        (r"\\server\share\a.pdf", [r"\\server\share\a.pdf"]),
        (r'"C:\my files\new.pdf" x', [r"C:\my files\new.pdf", "x"]),
        (r'"C:\my files\" x', ["C:\\my files\\", "x"]),
        ('"C:\\Program Files"\\x', [r"C:\Program Files\x"]),
        (r"'line\nline' \d+\s x" + "\\", [r"line\nline", r"\d+\s", "x\\"]),
        # Quotes keep words together where a word or a value begins.
        ("'a b' \"c d\"", ["a b", "c d"]),
        ("--system=\"a b\" --stop='c d'", ["--system=a b", "--stop=c d"]),
        ("""'it'"'"'s' """, ["it's"]),
        ("'' \"\" --system=''", ["", "", "--system="]),
        ("\"say 'hi'\"", ["say 'hi'"]),
        # Elsewhere they are text.
        ("don't o'clock 5\" x", ["don't", "o'clock", '5"', "x"]),
        (r"C:\Users\O'Brien\a.pdf", [r"C:\Users\O'Brien\a.pdf"]),
        ('{"a":"b c"}', ['{"a":"b', 'c"}']),
        ("Bob\u2019s", ["Bob\u2019s"]),
        ("'“so”'", ["“so”"]),
        # Spaces of any kind separate words, and are kept in quotes.
        ("a\tb\xa0c\u3000d\r\ne", ["a", "b", "c", "d", "e"]),
        ("'a\xa0\tb'", ["a\xa0\tb"]),
        # Nothing else means anything.
        ("# $HOME ~ * ! % {x} a;b|c", ["#", "$HOME", "~", *"*!%", "{x}", "a;b|c"]),
        ("  ", []),
    ],
)
def test_a_line_is_read_as_it_looks(line: str, read: list[str]) -> None:
    assert words(line) == read


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("--system 'Be brief.", "no closing quotation"),
        ('a --x="', "no closing quotation"),
        ("'a' \"", "no closing quotation"),
        (r'"ends with \""', "no closing quotation"),
        (r'"say \"hi\""', "a quote ends the text, also behind a backslash"),
        (r'"say \"hi there\" now"', "a quote ends the text, also behind a backslash"),
        (r"'don\'t'", "a quote ends the text, also behind a backslash"),
        (r"'it'\''s'", "a quote ends the text, also behind a backslash"),
        ('"a"b"c"', "a quote ends the text"),
        ("“Be brief”", "“ keeps no words together"),
        ("--system=„so“", "„ keeps no words together"),
        ("\uff02so\uff02", "\uff02 keeps no words together"),
    ],
)
def test_a_quote_that_cannot_be_meant_is_one_line_that_says_what_to_write(
    line: str, why: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        words(line)
    said = str(caught.value)
    assert f"({why}" in said
    assert "quotes of the other kind" in said or "write straight ones" in said
    assert "\n" not in said


@given(st.lists(TEXTS))
@example(["--new", "-", 'it\'s "so" \\', "", "\u201cso", "a b"])
def test_what_is_quoted_is_read_as_the_same_words(texts: list[str]) -> None:
    found = list(split(" ".join(map(quote, texts))))
    assert [word.text for word in found] == texts
    assert not any(w.text.startswith("-") and not w.quoted for w in found)


@given(TEXTS)
def test_a_quoted_value_stands_behind_its_option_too(text: str) -> None:
    assert words(f"--name={quote(text)} x") == [f"--name={text}", "x"]


@pytest.mark.parametrize("text", ["a", r"C:\a\b.gguf", "#1", "50%", "é", "a=b", "~/x"])
def test_what_needs_no_quotes_gets_none(text: str) -> None:
    assert quote(text) == text


@pytest.mark.parametrize(
    ("line", "before", "fragment"),
    [
        ("", [], ""),
        ("a ", ["a"], ""),
        ("a --mo", ["a"], "--mo"),
        ("'a b' \"c d", ["a b"], '"c d'),
        ("x --thread='my i", ["x"], "--thread='my i"),
        (r"C:\a 'b", [r"C:\a"], "'b"),
    ],
)
def test_the_word_at_the_cursor_may_have_an_open_quote(
    line: str, before: list[str], fragment: str
) -> None:
    found, at_cursor = begun(line)
    assert ([word.text for word in found], at_cursor) == (before, fragment)
