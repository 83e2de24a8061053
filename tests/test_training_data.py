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


def test_enough_held_out_questions_were_never_trained_on() -> None:
    trained = {
        plain(p["question"])
        for p in lines("phrasings_a.jsonl", "phrasings_b.jsonl", "outside.jsonl")
    }
    unseen = [h for h in lines("heldout.jsonl") if plain(h["question"]) not in trained]
    outside = [h for h in unseen if h["topic"] == "outside"]
    assert len(unseen) - len(outside) >= 120
    assert len(outside) >= 60


def test_the_reported_rates_meet_the_bars_for_single_questions() -> None:
    results = json.loads((DATA.parent / "results.json").read_text("utf-8"))
    for model in results["models"].values():
        for way in ("single, greedy", "single, default"):
            figures = model["figures"][way]
            assert figures["unseen"] >= 80
            assert figures["outside"] >= 90


def test_a_dozen_two_turn_dialogues_are_held_out() -> None:
    dialogues = lines("heldout_dialogues.jsonl")
    assert len({(d["first_topic"], d["second_kind"]) for d in dialogues}) >= 12
