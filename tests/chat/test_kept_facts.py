"""Of a kept answer only what is a fact is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from h2o_magic.chat.facts import Facts
from h2o_magic.chat.kept_facts import facts_of
from h2o_magic.chat.turns import Turn


def test_what_was_kept_is_known_again() -> None:
    facts = Facts(
        "m", "w", True, completion_tokens=3, seconds=0.5, notes=("a", "b"), sent_turns=1
    )
    assert facts_of(Turn("A?", facts=facts.as_metadata())) == facts
    stopped = facts_of(Turn("A?", status="stopped", facts=facts.as_metadata()))
    assert stopped == replace(facts, status="stopped")


@pytest.mark.parametrize(
    "wrong",
    [
        {"demo": 1},
        {"completion_tokens": True},
        {"completion_tokens": 1.5},
        {"completion_tokens": 10**400},
        {"seconds": 10**400},
        {"seconds": -1},
        {"server": 5},
        {"stands_in_for": None},
        {"notes": ["a", 5]},
        {"finish_reason": ["end"]},
        {"unknown": 1},
    ],
)
def test_what_is_no_fact_is_left_out(wrong: dict[str, Any]) -> None:
    turn = Turn("A?", model="asked", facts=wrong)
    assert facts_of(turn) == Facts("asked")
    assert facts_of(replace(turn, model="")) == Facts("unknown model")
