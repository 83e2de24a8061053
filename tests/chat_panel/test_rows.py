"""What the panel shows below an answer."""

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
    return str(row_of(Turn("Why?", "So.", model=model, facts=kept))["facts"])


def test_the_facts_are_those_of_a_cells_footer() -> None:
    facts = Facts("smollm2-135m", "S Q4_1", completion_tokens=2042, seconds=1.31)
    assert row_of(Turn("Why?", facts=facts.as_metadata()))["facts"] == (
        "SmolLM2-135M · 2,042 tokens · 1.3 s"
    )
    assert facts_of("m", completion_tokens=1, seconds=0.04) == "m · 1 token · 0.04 s"
    assert footer(facts) == ["SmolLM2-135M", "2,042 tokens", "1.3 s"]


def test_a_stored_answer_is_told_by_its_day_and_no_seconds() -> None:
    known = {"replay_key": "0" * 64, "first_answered": "2026-11-28"}
    facts = Facts("m", completion_tokens=7, seconds=1.31, **known)
    phrases = ["m", "replayed, first answered 2026-11-28", "7 tokens"]
    shown = row_of(Turn("Why?", facts=facts.as_metadata()))["facts"]
    assert shown == " · ".join(phrases)
    assert footer(facts) == phrases


def test_demo_weights_and_a_substitute_model_are_marked() -> None:
    assert facts_of("llama-13b", DEMO, demo=True, seconds=2) == (
        "llama-13b (demo) · 2.0 s"
    )
    assert facts_of("smollm2-135m", "S Q4_1", stands_in_for="llama-13b", seconds=2) == (
        "SmolLM2-135M for llama-13b · 2.0 s"
    )


def test_a_weights_file_is_named_by_its_weights() -> None:
    assert facts_of("/models/own.gguf", "own Q4_0", seconds=2) == "own Q4_0 · 2.0 s"


def test_unknown_facts_are_left_out() -> None:
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
        {"first_answered": 5},
    ],
)
def test_invalid_facts_are_left_out(odd: dict[str, Any]) -> None:
    row = row_of(Turn("Why?", "So.", model="llama-13b", facts=odd))
    assert row["facts"] == "llama-13b"


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
        (Turn("Why?", status="stopped"), "Stopped"),
        (Turn("Why?", status="failed"), ""),  # a card says it
        (
            Turn("Why?", status="incomplete"),
            "Incomplete: the end of the answer is missing",
        ),
    ],
)
def test_what_is_wrong_with_an_answer_is_said_in_words(turn: Turn, mark: str) -> None:
    assert row_of(turn)["mark"] == mark


def test_an_answer_that_was_cut_off_may_go_on() -> None:
    length = {"finish_reason": "length"}
    assert row_of(Turn("Why?", "So", facts=length))["cut"] is True
    assert row_of(Turn("Why?", "", facts=length))["cut"] is False
    assert row_of(Turn("Why?", "So.", facts={"finish_reason": "end"}))["cut"] is False


def test_why_an_answer_failed_is_told_from_its_facts() -> None:
    facts = {"error": "Out of\nmemory", "advice": "ask again", "http_status": 500}
    kept = {**facts, "server": "http://h:1", "seconds": 2.0}
    turn = Turn("Why?", status="failed", asked_at=100.0, facts=kept)
    assert row_of(turn)["problem"] == {
        "words": "Out of memory.",
        "advice": "Ask again.",
        "status": 500,
        "address": "http://h:1",
        "at": 102.0,
    }
    old = row_of(Turn("Why?", status="failed"))["problem"]
    assert (old["words"], old["at"]) == ("The answer failed.", 0)
    unknown = {"finish_reason": "unknown"}
    assert row_of(Turn("Why?", status="failed", facts=unknown))["mark"] == ""
    assert row_of(Turn("Why?", status="stopped"))["problem"] is None
