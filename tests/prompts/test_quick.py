"""A text that is seen to be plain is one in which the whole search finds nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.prompts.secrets.quick import is_plain
from h2o_magic.prompts.secrets.scan import _searched, secrets_in
from tests.prompts.secret_texts import ORDINARY_TEXTS, SECRET_TEXTS

PARTS = sorted({part for text in SECRET_TEXTS for part in re.split(r"(\W)", text)})
CASES = st.sampled_from([str, str.upper, str.lower, str.title])
PIECES = st.one_of(
    st.sampled_from(PARTS),
    st.sampled_from(["\n", " ", "\t", "=", ": ", "'", '"', "--", "://", "@", "name"]),
    st.text(max_size=6),
    st.sampled_from(sorted(SECRET_TEXTS)),
)
TEXTS = st.lists(st.builds(lambda case, piece: case(piece), CASES, PIECES), max_size=12)


@given(TEXTS.map("".join) | TEXTS.map(" ".join))
def test_nothing_is_overlooked(text: str) -> None:
    assert list(secrets_in(text)) == list(_searched(text))


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_a_secret_is_never_plain(text: str) -> None:
    for given_text in (text, repr(text), f"It is so, {text} and more."):
        assert not is_plain(given_text)


def test_most_of_what_is_said_is_plain() -> None:
    said = "The room was clean, the staff friendly: we shall come back = for sure."
    assert is_plain(said)
    plain = [text for text in ORDINARY_TEXTS if is_plain(text)]
    assert not any(list(_searched(text)) for text in plain)
