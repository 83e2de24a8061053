"""What is promised about the estimate of tokens."""

from __future__ import annotations

import pytest

from h2o_magic.chat.tokens import tokens_in


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("12345", 5),  # each digit by itself
        (" 12", 3),  # and the space before them
        ("a word", 2),
        ("| --- | --- |", 5),
        ("2024-01-31", 10),
        ("line\nline", 3),
    ],
)
def test_tokens_are_counted_as_common_tokenizers_do(text: str, tokens: int) -> None:
    assert tokens_in(text) == tokens


def test_text_of_other_scripts_has_more_tokens_than_letters() -> None:
    assert tokens_in("日本語のテキスト") >= 12
    assert tokens_in("🎉") >= 3
    assert tokens_in("\ud800") >= 1


def test_a_text_has_no_fewer_tokens_than_its_parts() -> None:
    parts = ["| a | 12.5 |", "Which column?", "été 🎉 1e-07", "\n\n", "SOME_NAME = x"]
    whole = "\n".join(parts)
    assert tokens_in(whole) == sum(map(tokens_in, parts)) + len(parts) - 1
