import re
from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import zip_longest

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from h2o_magic.rendering import blocks
from h2o_magic.rendering.blocks import BlockSplitter, Piece, close_fence, joined

LIMIT = blocks.PIECE_LIMIT

SHORT = {
    "empty": "",
    "blank lines": "\n\n\n",
    "one line": "Hello, world.",
    "headings and paragraphs": (
        "# Title\n\nFirst paragraph,\nsecond line.\n\n## Part\nText.\n\nLast one."
    ),
    "tight list": "Take:\n\n- milk\n- bread\n  - rye\n  - spelt\n- salt\n\nAll.\n",
    "loose list": "1. One\n\n   more\n\n2. Two\n\n   - nested\n\n     deep\n\n3. End\n",
    "quote": "He said:\n\n> To be\n> or not\n\nAnd left.\n",
    "fence": "Code:\n\n```python\nx = 1\n\nprint(x)\n```\n\nDone.\n",
    "fence without blank lines": "Code:\n```\nx\n```\nDone.\n",
    "tildes": "~~~text\na\n```\nb\n~~~\nAfter.\n",
    "backticks inside longer tildes": "~~~~md\n```py\nx\n```\n~~~\n~~~~\nAfter.\n",
    "longer backticks": "````\n```\nx\n```\n````\nAfter.\n",
    "inline code at a line's start": "```not``` a fence\n\nAfter.\n",
    "open fence": "Look:\n\n```python\nx = 1\n",
    "open fence without a line end": "Look:\n\n```python\nx = 1",
    "opened at the very end": "Look:\n\n```python",
    "closed at the very end": "Look:\n\n```python\nx = 1\n```",
    "two fences": "```\na\n```\n```\nb\n```\n",
    "fence in a list": "- do:\n\n  ```sh\n  ls\n  ```\n\n- then\n\nEnd.\n",
    "fence on a list's mark": "- ```sh\n  ls\n  ```\n- then\n\nEnd.\n",
    "fence on a number": "1. ```sh\n   ls\n   ```\n\nEnd.\n",
    "indented marks inside a fence": "```md\n- a\n    ```\n    x\n    ```\n```\nEnd.\n",
    "table": "So:\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\nEnd.\n",
    "table head": "| a | b |\n|---|---|\n",
    "table without outer pipes": "a | b\n--- | ---\n1 | 2\n\nEnd.\n",
    "rule and setext": "Title\n---\n\nText\n\n---\n\nEnd | of\n---\ntext\n",
    "line ends of Windows": "# T\r\n\r\nText.\r\n\r\n```py\r\nx\r\n```\r\nEnd.\r\n",
    "other scripts": "日本語の文。\n\n- émoji 🎉\u2028still\x0bthis line\n\n`x`\n",
}


def words(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{i}" for i in range(count)]


def rows(count: int) -> str:
    return "".join(f"| w{i} | a cell of some length |\n" for i in range(count))


LONG = {
    "long code": "```py\n" + "\n".join(words("w", 1500)) + "\n```\nEnd.\n",
    "long open code": "```py\n" + "\n".join(words("w", 1500)),
    "long tilde code": "~~~~\n" + "```\n" + "\n".join(words("w", 900)) + "\n~~~~\n",
    "long code in a list": (
        "- so:\n\n  ```py\n"
        + "\n".join(f"  w{i}" for i in range(900))
        + "\n  ```\n\nEnd\n"
    ),
    "long line of code": "```\n" + " ".join(words("w", 1500)) + "\n```\nEnd.\n",
    "long paragraph of lines": "\n".join(words("w", 1500)) + "\n\nEnd.\n",
    "long line": " ".join(words("w", 1500)) + "\n\nEnd.\n",
    "long line that is open": " ".join(words("w", 1500)),
    "long line of sentences": ". ".join(words("w", 1500)) + ".\n\nEnd.\n",
    "long list": "".join(f"- w{i}\n" for i in range(900)) + "\nEnd.\n",
    "long table": "| a | b |\n|---|---|\n" + rows(200) + "\nEnd.\n",
    "long lines of Windows": "\r\n".join(words("w", 900)) + "\r\n\r\nEnd.\r\n",
}

CORPUS = SHORT | LONG


def by_key(texts: dict[str, str]) -> pytest.MarkDecorator:
    params = [pytest.param(text, id=key) for key, text in texts.items()]
    return pytest.mark.parametrize("text", params)


def split(parts: Iterable[str]) -> tuple[list[str], str]:
    """Return what a splitter makes of a text that comes in `parts`."""
    splitter = BlockSplitter()
    pieces = [piece for part in parts for piece in splitter.feed(part)]
    return pieces, splitter.tail


def growing(text: str) -> Iterator[tuple[list[str], str]]:
    """Yield what settled, and the tail, after each character of `text`."""
    splitter = BlockSplitter()
    for character in text:
        yield splitter.feed(character), splitter.tail


def shown(text: str) -> str:
    """Return everything that a live view shows of `text`, one after the other."""
    pieces, tail = split([text])
    return "".join(pieces) + tail


def visible(text: str) -> list[str]:
    """Return the lines of `text` that are not blank."""
    return [line for line in text.split("\n") if line.strip()]


# Every cut


@by_key(CORPUS)
def test_a_text_that_comes_by_characters_splits_as_the_whole(text: str) -> None:
    assert split(text) == split([text])


@by_key(SHORT)
def test_every_cut_in_two_splits_as_the_whole(text: str) -> None:
    whole = split([text])
    for place in range(len(text) + 1):
        assert split([text[:place], text[place:]]) == whole


@by_key(LONG)
def test_a_long_text_cut_in_two_splits_as_the_whole(text: str) -> None:
    whole = split([text])
    for place in range(0, len(text), 97):
        assert split([text[:place], text[place:]]) == whole


# Nothing lost, nothing added


@by_key(SHORT)
def test_a_short_text_is_shown_as_it_is_but_for_an_open_fence(text: str) -> None:
    assert visible(shown(text)) == visible(close_fence(text))


@by_key(SHORT)
def test_a_short_text_is_shown_so_at_every_moment(text: str) -> None:
    settled = ""
    for place, (pieces, tail) in enumerate(growing(text), 1):
        settled += "".join(pieces)
        assert visible(settled + tail) == visible(close_fence(text[:place]))


@by_key(SHORT)
def test_blank_lines_between_blocks_stay(text: str) -> None:
    assert shown(text).strip() == close_fence(text).strip()


@by_key(LONG)
def test_a_long_text_loses_and_repeats_no_word(text: str) -> None:
    whole_words = re.compile(r"\bw\d+\b|\bEnd\b")
    assert whole_words.findall(shown(text)) == whole_words.findall(text)


@by_key(LONG)
def test_a_long_text_is_cut(text: str) -> None:
    pieces, _ = split(text)
    assert len(pieces) > len(text) / (3 * LIMIT)
    assert max(map(len, pieces)) < 2 * LIMIT


def test_a_settled_piece_is_never_empty() -> None:
    for text in CORPUS.values():
        assert all(piece.strip() for piece in split([text])[0])


@by_key({key: text for key, text in CORPUS.items() if key != "long line of code"})
def test_pieces_that_are_joined_are_the_text_again(text: str) -> None:
    splitter = BlockSplitter()
    whole = reduce(joined, [*splitter.feed(text), splitter.tail], Piece())
    assert visible(whole) == visible(close_fence(text))


def test_pieces_joined_two_by_two_are_joined_the_same() -> None:
    for text in LONG.values():
        splitter = BlockSplitter()
        pieces = [*splitter.feed(text), splitter.tail]
        pairs = [
            joined(first, second)
            for first, second in zip_longest(
                pieces[::2], pieces[1::2], fillvalue=Piece()
            )
        ]
        assert reduce(joined, pairs) == reduce(joined, pieces)


def test_no_text_makes_no_piece_and_no_tail() -> None:
    assert split([]) == split([""]) == split(["", ""]) == ([], "")


# Where it settles


def test_a_paragraph_settles_when_the_next_block_begins() -> None:
    splitter = BlockSplitter()
    assert splitter.feed("One.\n\n") == []
    assert splitter.tail == "One.\n\n"
    assert splitter.feed("T") == ["One.\n\n"]
    assert splitter.tail == "T"
    assert splitter.feed("wo.\n") == []
    assert splitter.tail == "Two.\n"


def test_code_settles_when_its_fence_closes() -> None:
    splitter = BlockSplitter()
    assert splitter.feed("```py\nx\n``") == []
    assert splitter.feed("`\n") == ["```py\nx\n```\n"]
    assert splitter.tail == ""


def test_a_list_item_waits_for_what_is_indented_under_it() -> None:
    pieces, tail = split(["- one\n\n  more\n\n- two\n\nEnd"])
    assert pieces == ["- one\n\n  more\n\n", "- two\n\n"]
    assert tail == "End"


def test_the_tail_of_open_code_is_closed() -> None:
    assert split(["```py\nx = 1"])[1] == "```py\nx = 1\n```\n"
    assert split(["~~~~\n```\n"])[1] == "~~~~\n```\n~~~~\n"


def test_a_piece_of_long_code_is_closed_and_the_next_opened_again() -> None:
    pieces, tail = split(LONG["long code"])
    code = pieces[:-1] if not pieces[-1].startswith("```") else pieces
    assert len(code) > 1
    for piece in code:
        assert piece.startswith("```py\nw")
        assert re.search(r"\nw\d+\n```\n$", piece)
    assert tail == "End.\n"


def test_a_piece_of_a_long_table_has_the_tables_head() -> None:
    pieces, tail = split(LONG["long table"])
    assert len(pieces) > 1
    for piece in pieces:
        assert piece.startswith("| a | b |\n|---|---|\n| w")
    assert tail == "End.\n"


def test_a_table_that_was_cut_ends_with_its_last_row() -> None:
    for count in range(30, 60):
        text = "| a | b |\n|---|---|\n" + rows(count) + "\nText.\n\nEnd.\n"
        pieces, tail = split([text])
        without_rows = [p for p in pieces if "| a | b |" in p and "| w" not in p]
        assert without_rows == []
        assert "| a | b |" not in tail


def test_a_long_line_is_cut_after_a_sentence() -> None:
    pieces, _ = split([LONG["long line of sentences"]])
    assert all(piece.endswith(". ") for piece in pieces[:-1])


def test_a_long_line_without_sentences_is_cut_at_a_space() -> None:
    pieces, _ = split([LONG["long line"]])
    assert all(piece.endswith(" ") for piece in pieces[:-1])


def test_a_long_line_without_spaces_is_cut_all_the_same() -> None:
    text = "x" * (4 * LIMIT)
    pieces, tail = split(text)
    assert len(pieces) > 1
    assert "".join(pieces) + tail == text


def test_the_rest_of_a_cut_line_is_not_read_as_a_lines_beginning() -> None:
    sentences = "A sentence. " * (LIMIT // 12 - 1)
    text = sentences + "~~~ is " + "how it goes on " * 150 + "\n\nEnd.\n\nAnd more.\n"
    pieces, tail = split(text)
    assert tail == "And more.\n"
    assert "".join(pieces) + tail == text
    assert [close_fence(piece) for piece in pieces] == pieces


def test_paragraphs_stay_apart_after_a_cut_and_two_blank_lines() -> None:
    text = "\n".join(["a line of text"] * (LIMIT // 15 + 1)) + "\n\n\nNext.\n\nEnd."
    assert re.search(r"\n[ \t]*\nNext\.", shown(text))


# Fences


@by_key(CORPUS)
def test_every_piece_can_be_shown_alone(text: str) -> None:
    for pieces, _ in growing(text):
        for piece in pieces:
            assert close_fence(piece) == piece


@by_key(CORPUS)
def test_every_tail_can_be_shown_alone(text: str) -> None:
    for _, tail in growing(text):
        assert close_fence(tail) == tail


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("", ""),
        ("text", "text"),
        ("```\nx", "```\nx\n```\n"),
        ("```\nx\n", "```\nx\n```\n"),
        ("```\nx\n```", "```\nx\n```"),
        ("```\nx\n````  \n", "```\nx\n````  \n"),
        ("````\n```\n", "````\n```\n````\n"),
        ("~~~\n```\n", "~~~\n```\n~~~\n"),
        ("~~~ a`b\nx", "~~~ a`b\nx\n~~~\n"),
        ("```x``` text", "```x``` text"),
        ("``\nx", "``\nx"),
        ("```py\r\nx\r\n", "```py\r\nx\r\n```\n"),
        ("```py\r\nx\r\n```\r\n", "```py\r\nx\r\n```\r\n"),
        ("- a\n\n  ```\n  x", "- a\n\n  ```\n  x\n  ```\n"),
        ("```\na\n```\n\n```\nb", "```\na\n```\n\n```\nb\n```\n"),
    ],
)
def test_a_fence_left_open_is_closed_and_no_other(text: str, closed: str) -> None:
    assert close_fence(text) == closed
    assert close_fence(closed) == closed


@pytest.mark.parametrize(
    "text", ["- ```sh\n  ls\n  ```\n", "1. ```sh\n   ls\n   ```\nthen\n"]
)
def test_a_fence_that_a_lists_mark_opens_is_seen(text: str) -> None:
    assert close_fence(text) == text
    unclosed = text[: text.index("ls")] + "ls\n"
    assert close_fence(unclosed) != unclosed


def test_marks_indented_by_four_do_not_close_a_fence() -> None:
    # CommonMark 0.31, section 4.5: a closing fence is indented by three at the most.
    assert close_fence("```\nx\n    ```\n") == "```\nx\n    ```\n```\n"


# Work


def repeated(unit: str) -> str:
    return unit * (60_000 // len(unit))


GROWN = {
    "paragraphs": repeated("A line of text.\nAnd one more.\n\n"),
    "one paragraph": repeated("A line of text.\n"),
    "one line": repeated("A sentence of text. "),
    "no space": repeated("x"),
    "code": "```python\n" + repeated("    x = 1\n"),
    "line of code": "```python\n" + repeated("x"),
    "empty code": "```python\n" + repeated("\n"),
    "code in a list": "- do\n\n  ```python\n" + repeated("  x = 1\n"),
    "list": repeated("- item\n"),
    "loose list": repeated("- item\n\n  more\n\n"),
    "table": "| a | b |\n|---|---|\n" + repeated("| 1 | 2 |\n"),
    "tables": repeated("| a | b |\n|---|---|\n| 1 | 2 |\n\n"),
    "fences": repeated("```\nx\n```\n"),
    "openers": repeated("```py\n"),
    "blank lines": repeated("\n"),
    "carriage returns": repeated("\r"),
}


@by_key(GROWN)
def test_what_is_settled_is_sent_about_once(text: str) -> None:
    pieces, _ = split(text)
    assert sum(map(len, pieces)) <= 1.2 * len(text) + 2 * LIMIT


@by_key(GROWN)
def test_the_tail_stays_short(text: str) -> None:
    splitter = BlockSplitter()
    longest = 0
    for start in range(0, len(text), 7):
        splitter.feed(text[start : start + 7])
        longest = max(longest, len(splitter.tail))
    assert longest <= 3 * LIMIT + 100


# Any text

untimed = settings(deadline=None)  # a busy machine is no reason to fail

LINES = st.sampled_from(
    [
        "",
        "",
        "  ",
        "text",
        "more text here.",
        "# head",
        "---",
        "- item",
        "  - nested",
        "  continued",
        "1. one",
        "> quote",
        "    code",
        "```",
        "```py",
        "```x``` y",
        "````",
        "~~~",
        "~~~~ text",
        "  ```",
        "- ```",
        "    ```",
        "| a | b |",
        "|---|---|",
        "| 1 | 2 |",
        "x\r",
        "```\r",
        "\r",
    ]
)
LONG_LINES = st.sampled_from(
    ["word " * 250, "A sentence. " * 200, "y" * 3500, "| cell " * 100]
)
TEXTS = st.lists(LINES, max_size=25).map("\n".join)
ANY_TEXTS = st.lists(LINES | LONG_LINES, max_size=15).map("\n".join)


@untimed
@given(ANY_TEXTS, st.integers(1, 60))
def test_no_cut_of_any_text_changes_the_pieces(text: str, step: int) -> None:
    parts = [text[i : i + step] for i in range(0, len(text), step)]
    assert split(parts) == split([text])


@untimed
@given(TEXTS)
@example("- ```\n  x\n  ```\n")
def test_any_short_text_is_shown_as_it_is(text: str) -> None:
    assert visible(shown(text)) == visible(close_fence(text))


@untimed
@given(ANY_TEXTS)
def test_any_piece_and_any_tail_can_be_shown_alone(text: str) -> None:
    pieces, tail = split([text])
    assert [close_fence(piece) for piece in pieces] == pieces
    assert close_fence(tail) == tail


@untimed
@given(ANY_TEXTS)
def test_any_text_settles_in_proportion_to_its_length(text: str) -> None:
    pieces, tail = split(text)
    assert sum(map(len, pieces)) <= 2 * len(text) + 2 * LIMIT
    assert len(tail) <= 3 * LIMIT + 2 * 800


@untimed
@given(st.text(st.sampled_from("`~ \n\r|-x."), max_size=80))
def test_any_characters_split_alike_however_they_come(text: str) -> None:
    assert split(text) == split([text])


@untimed
@given(st.text(st.sampled_from("`~ \nx"), max_size=60))
def test_closing_a_fence_twice_changes_nothing_more(text: str) -> None:
    assert close_fence(close_fence(text)) == close_fence(text)
    assert close_fence(text).startswith(text)
