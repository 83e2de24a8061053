"""What is promised about what of a question is sent where not all has room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat.context import choose, estimate
from h2o_magic.chat.turns import Turn
from h2o_magic.conversation.fitting import Fitted, fit
from h2o_magic.prompts.prompt import Appended, Prompt

RATE = 1.0  # a byte is a token
WORDS = "What is in these?"


@dataclass(frozen=True)
class Table:
    """A description of 100 bytes, and so many example rows of 10."""

    rows: int = 20
    least = 100
    inline = ""
    summarizes = True

    def text(self, tokens: int) -> str:
        rows = max(0, min(self.rows, (tokens - self.least) // 10))
        return ("D" * min(self.least, tokens)) + "r" * 10 * rows


@dataclass(frozen=True)
class Text:
    length: int = 2000
    inline = ""
    summarizes = False

    @property
    def least(self) -> int:
        return self.length

    def text(self, tokens: int) -> str:
        return "t" * min(tokens, self.length)


def fitted(
    *values: Table | Text, room: int, turns: Sequence[int] = (), budget: int = 300
) -> Fitted:
    """Fit values into a room, with earlier turns of so many bytes, newest first."""
    before = [Turn("q" * size, "a") for size in turns]
    named = tuple(Appended(f"v{n}", value) for n, value in enumerate(values))
    return fit(
        Prompt(WORDS, (WORDS,), named),
        (),
        lambda left: choose(before, room=left, rate=RATE),
        room=room,
        budget=budget,
        whole=1500,
        rate=RATE,
    )


def size(found: Fitted) -> int:
    return estimate([found.message], RATE)


def test_with_room_all_is_sent_to_the_budget_and_nothing_is_said() -> None:
    found = fitted(Table(), Text(), room=5000, turns=[100, 100])
    assert found.message.content.count("r") == 200
    assert found.message.content.count("t") == 1500 + WORDS.count("t")
    assert len(found.chosen.turns) == 2
    assert found.notes == ()


def test_example_rows_go_first() -> None:
    found = fitted(Table(), Text(500), room=800, turns=[50])
    assert found.message.content.count("r") == 80
    assert found.message.content.count("t") == 500 + WORDS.count("t")
    assert len(found.chosen.turns) == 1
    assert found.notes == ("example rows were left out to fit the context",)


def test_then_long_values_are_shortened() -> None:
    found = fitted(Table(), Text(), room=700, turns=[50])
    assert found.message.content.count("t") == 487 + WORDS.count("t")
    assert found.message.content.count("D") == 100
    assert "r" not in found.message.content
    assert size(found) == 700 - 69
    assert len(found.chosen.turns) == 1
    assert found.notes == ("long values were shortened to fit the context",)


def test_then_the_oldest_turns_go() -> None:
    found = fitted(Table(), Text(), room=700, turns=[50, 50, 50, 400])
    assert found.message.content.count("t") == 349 + WORDS.count("t")
    assert len(found.chosen.turns) == 3


def test_what_no_turn_has_room_for_is_filled_with_values() -> None:
    found = fitted(Table(200), room=1000, turns=[2000], budget=3000)
    assert 850 < size(found) <= 1000
    assert found.message.content.count("r") > 700
    assert found.notes == ("example rows were left out to fit the context",)
    found = fitted(Text(5000), room=1000)
    assert found.message.content.count("t") > 900


def test_at_last_the_values_themselves_until_they_fit() -> None:
    found = fitted(Table(), Text(), room=300, turns=[50])
    assert size(found) <= 300
    assert found.message.content.startswith(WORDS)
    assert found.notes == ("values were shortened to fit the context",)
    assert found.excess == 0


def test_what_does_not_fit_even_then_is_told() -> None:
    assert fitted(room=10).excess == size(fitted(room=10)) - 10
    assert fitted(Text(), room=40).excess > 0


@pytest.mark.parametrize("room", [60, 100, 500, 2000])
@given(
    st.lists(st.integers(0, 3000), max_size=4),
    st.lists(st.integers(1, 500), max_size=6),
)
def test_the_words_are_never_cut_and_what_fits_fits(
    room: int, lengths: list[int], turns: list[int]
) -> None:
    found = fitted(*map(Text, lengths), room=room, turns=turns)
    assert found.message.content.startswith(WORDS)
    sent = [m for turn in found.chosen.turns for m in turn.messages()]
    assert estimate(sent, RATE) + size(found) <= max(room, size(found))
    assert found.excess == max(size(found) - room, 0)
