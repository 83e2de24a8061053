"""Text between marks is passed over quickly, and no mark with it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.rendering import sanitize_inline
from h2o_magic.rendering.sanitize_inline import MATH

WORDS = ["\\begin{x}", "\\end{x}", "![a](b)", "~~~", "```", "$$", "a", " ", "\n"]
MARKED = st.lists(st.sampled_from([*'\\$`![](:</"~@', *WORDS])).map("".join)


@given(MARKED)
def test_every_token_is_found(text: str) -> None:
    found = [token.span() for token in sanitize_inline._tokens(text)]
    assert found == [token.span() for token in sanitize_inline._TOKEN.finditer(text)]


@given(MARKED)
def test_every_beginning_of_a_formula_is_found(text: str) -> None:
    begins = ("$", "\\\\(", "\\\\[", "\\begin{", "@@")
    assert bool(MATH.search(text)) == any(mark in text for mark in begins)
