"""The question of a row that holds a secret is not sent."""

from __future__ import annotations

import pytest

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.guarding import row_check

KEY = "geheim-0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"my key is {KEY}", "the key of a known server"),
        ("it is " + "sk-" + "7Fk3q9Zx2Lm8Vt4Rw6Yb1Nc5Hd0Js7Gp", "an OpenAI-style key"),
        ("swordfish-1234 opens it", "the environment variable DB_PASSWORD"),
        ("hunter2-and-more", "the value of password"),
    ],
)
def test_a_secret_is_named_and_not_shown(text: str, what: str) -> None:
    check = row_check(
        [KEY], {"DB_PASSWORD": "swordfish-1234"}, {"password": "hunter2-and-more"}
    )
    with pytest.raises(ConfigurationError, match=f"not sent: the row holds {what}"):
        check(text)


def test_a_prompt_that_holds_a_secret_is_refused_as_such() -> None:
    with pytest.raises(ConfigurationError, match="the prompt holds the key of a known"):
        row_check([KEY])(f"Log in with {KEY}", "prompt")


def test_other_rows_pass() -> None:
    row_check([KEY])("The hotel was clean: we liked it, and the key worked.")
