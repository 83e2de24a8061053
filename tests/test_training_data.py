"""What the guide that the demo weights learn must hold."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

DATA = Path(__file__).parents[1] / "training" / "data"


def lines(*names: str) -> list[dict[str, str]]:
    return [
        json.loads(line)
        for name in names
        for line in (DATA / name).read_text("utf-8").splitlines()
    ]


def plain(question: str) -> str:
    return " ".join(
        "".join(c if c.isalnum() else " " for c in question).lower().split()
    )


def test_at_least_forty_topics_have_twenty_five_phrasings_each() -> None:
    phrasings = lines("phrasings_a.jsonl", "phrasings_b.jsonl")
    distinct = {(p["topic"], plain(p["question"])) for p in phrasings}
    counts = Counter(topic for topic, _ in distinct)
    assert len(counts) >= 40
    assert min(counts.values()) >= 25


def test_the_held_out_questions_are_enough_and_were_not_trained_on() -> None:
    heldout = lines("heldout.jsonl")
    inside = [h for h in heldout if h["topic"] != "outside"]
    assert len(inside) >= 120
    assert len(heldout) - len(inside) >= 60
    trained = {
        plain(p["question"])
        for p in lines("phrasings_a.jsonl", "phrasings_b.jsonl", "outside.jsonl")
    }
    shared = [h["question"] for h in heldout if plain(h["question"]) in trained]
    assert len(shared) <= len(heldout) // 50, shared


def test_a_dozen_two_turn_dialogues_are_held_out() -> None:
    dialogues = lines("heldout_dialogues.jsonl")
    assert len({(d["first_topic"], d["second_kind"]) for d in dialogues}) >= 12
