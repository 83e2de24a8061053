"""What the panel says of a turn: the line below its answer, and what is amiss."""

from __future__ import annotations

from typing import Any

import pytest

from h2o_magic.chat.facts import Facts
from h2o_magic.chat.turns import Turn
from h2o_magic.chat_panel.rows import row_of
from h2o_magic.rendering.footer import footer

DEMO = "built-in demo weights"


def facts_of(*facts: Any, model: str = "", **known: Any) -> str:
    kept = Facts(*facts, **known).as_metadata() if facts else known
    return str(row_of(Turn("Why?", "So.", model=model, facts=kept))["f"])


def test_the_line_is_that_of_a_cells_footer() -> None:
    facts = Facts("smollm2-135m", "S Q4_1", completion_tokens=2042, seconds=1.31)
    assert row_of(Turn("Why?", facts=facts.as_metadata()))["f"] == (
        "SmolLM2-135M · 2,042 tokens · 1.3 s"
    )
    assert facts_of("m", completion_tokens=1, seconds=0.04) == "m · 1 token · 0.04 s"
    assert footer(facts) == ["SmolLM2-135M", "2,042 tokens", "1.3 s"]


def test_demo_weights_and_a_model_that_stood_in_are_marked() -> None:
    assert facts_of("llama-13b", DEMO, demo=True, seconds=2) == (
        "llama-13b (demo) · 2.0 s"
    )
    assert facts_of("smollm2-135m", "S Q4_1", stands_in_for="llama-13b", seconds=2) == (
        "SmolLM2-135M for llama-13b · 2.0 s"
    )


def test_a_file_is_called_by_its_weights() -> None:
    assert facts_of("/models/own.gguf", "own Q4_0", seconds=2) == "own Q4_0 · 2.0 s"


def test_what_nobody_told_is_not_there() -> None:
    assert facts_of(model="llama-13b") == "llama-13b"
    assert facts_of() == ""


@pytest.mark.parametrize(
    "odd",
    [
        {"model": 5},
        {"demo": "yes"},
        {"stands_in_for": []},
        {"completion_tokens": True},
        {"completion_tokens": "many"},
        {"seconds": True},
        {"seconds": None},
        {"weights": {}},
    ],
)
def test_what_is_no_fact_is_left_out(odd: dict[str, Any]) -> None:
    row = row_of(Turn("Why?", "So.", model="llama-13b", facts=odd))
    assert row["f"] == "llama-13b"


@pytest.mark.parametrize(
    ("turn", "mark"),
    [
        (Turn("Why?"), ""),
        (Turn("Why?", outdated=True), "Asked before an earlier answer changed"),
        (Turn("Why?", facts={"finish_reason": "length"}), "Cut off by the token limit"),
        (
            Turn("Why?", facts={"finish_reason": "unknown"}),
            "The server did not say why the answer ended",
        ),
        (Turn("Why?", status="stopped"), "Stopped: the answer is not whole"),
        (Turn("Why?", status="failed"), "Broken off: the answer is not whole"),
        (Turn("Why?", status="incomplete"), "Incomplete: its end is missing"),
    ],
)
def test_what_is_amiss_is_said_in_words(turn: Turn, mark: str) -> None:
    assert row_of(turn)["m"] == mark
