"""Measure the GGUF files in the real engine on the held-out questions.

Run as ``python -m training.evaluate``; it prints a table and writes
`training/results.json`. An answer counts only if it is the topic's answer, character by
character; for an outside question that is the refusal.
"""

import argparse
import itertools
import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.engine import DEFAULT, GREEDY, Engine, Message
from training.guide import DATA, OUTSIDE, Guide, HeldOut, load_guide, load_heldout
from training.model import ARCHITECTURES
from training.train import OUTPUT

__all__ = ["RESULTS", "Case", "cases", "measure"]

RESULTS = Path(__file__).parent / "results.json"
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Case:
    """A held-out conversation and the topic of the answer it should get.

    Attributes
    ----------
    groups
        What it counts for: ``guide``, ``outside`` or ``dialogue``; a question of the
        guide also for ``unseen`` unless it happens to stand in the training data.
    messages
        The conversation, ending with the question.
    topic
        The topic of the expected answer.
    """

    groups: tuple[str, ...]
    messages: tuple[Message, ...]
    topic: str


def cases(
    guide: Guide, heldout: HeldOut, *, turns_before: tuple[int, int], system: bool
) -> list[Case]:
    """Build the conversations of one situation.

    Parameters
    ----------
    guide
        Gives the expected answers.
    heldout
        The questions; those before the last one are drawn from them too.
    turns_before
        The least and the most random turns before the question.
    system
        Whether a held-out system text comes first.
    """
    rng = random.Random(7)
    seen = trained_questions(guide)
    systems = (DATA / "heldout_systems.txt").read_text("utf-8").splitlines()

    def before() -> list[Message]:
        drawn = rng.sample(heldout.questions, rng.randint(*turns_before))
        start = [_message("system", rng.choice(systems))] if system else []
        return start + [part for turn in drawn for part in _turn(guide, *turn)]

    groups: tuple[str, ...]
    built = []
    for topic, question in heldout.questions:
        messages = (*before(), _message("user", question))
        groups = (OUTSIDE,) if topic == OUTSIDE else ("guide",)
        if topic != OUTSIDE and _plain(question) not in seen:
            groups = ("guide", "unseen")
        built.append(Case(groups, messages, topic))
    for first, question, kind, second in heldout.dialogues:
        messages = (*before(), *_turn(guide, first, question), _message("user", second))
        answer = guide.second_answer(first, kind)
        built.append(Case(("dialogue",), messages, answer))
    return built


def measure(
    engine: Engine, guide: Guide, built: Sequence[Case], parameters: dict[str, Any]
) -> tuple[dict[str, float], list[dict[str, str]]]:
    """Ask all cases.

    Parameters
    ----------
    engine
        The engine to ask.
    guide
        Gives the expected answers.
    built
        The cases.
    parameters
        Generation parameters of the request.

    Returns
    -------
    tuple
        The percentage of exact answers per group, of answers that are none of the
        guide's under ``garbled``, and the wrong answers, each with question, expected
        topic and the topic that it answered.
    """
    topic_of = {answer: topic for topic, answer in reversed(guide.answers.items())}
    texts = engine.answers([case.messages for case in built], parameters)
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    wrong = []
    for case, text in zip(built, texts, strict=True):
        total.update(case.groups)
        if text.strip() == guide.answers[case.topic]:
            right.update(case.groups)
            continue
        got = topic_of.get(text.strip(), "garbled")
        question = case.messages[-1]["content"]
        wrong.append({"question": question, "expected": case.topic, "got": got})
    figures = {group: 100.0 * right[group] / total[group] for group in total}
    garbled = sum(row["got"] == "garbled" for row in wrong)
    return {**figures, "garbled": 100.0 * garbled / len(built)}, wrong


def trained_questions(guide: Guide) -> set[str]:
    """Return all questions of the training data, without case and punctuation."""
    written = [*guide.phrasings.values(), *guide.seconds.values(), guide.outside]
    drawn = (grammar.sentences() for grammar in guide.grammars.values())
    return {_plain(text) for texts in itertools.chain(written, drawn) for text in texts}


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s%-]", " ", text.lower()).split())


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _turn(guide: Guide, topic: str, question: str) -> list[Message]:
    answer = guide.answers[topic]
    return [_message("user", question), _message("assistant", answer)]


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {key: round(sum(row[key] for row in rows) / len(rows), 1) for key in rows[0]}


def report(path: Path, guide: Guide, heldout: HeldOut) -> dict[str, Any]:
    """Return all figures of one GGUF file, and its typical wrong answers."""
    engine = Engine(path)
    situations = {
        "single": cases(guide, heldout, turns_before=(0, 0), system=False),
        "after 1-5 turns": cases(guide, heldout, turns_before=(1, 5), system=False),
        "with system text": cases(guide, heldout, turns_before=(0, 2), system=True),
    }
    figures: dict[str, dict[str, float]] = {}
    wrong: list[dict[str, str]] = []
    for name, built in situations.items():
        greedy, errors = measure(engine, guide, built, GREEDY)
        sampled = []
        for seed in SEEDS:
            row, more = measure(engine, guide, built, {**DEFAULT, "seed": seed})
            sampled.append(row)
            errors += more
        figures[f"{name}, greedy"] = _mean([greedy])
        figures[f"{name}, default"] = _mean(sampled)
        if name == "single":
            wrong = errors
    mistakes = Counter((row["expected"], row["got"]) for row in wrong)
    return {
        "megabytes": round(path.stat().st_size / 1e6, 2),
        "figures": figures,
        "mistakes": [
            {"expected": expected, "got": got, "times": times}
            for (expected, got), times in mistakes.most_common(25)
        ],
    }


def main() -> None:
    """Measure both files, print the figures and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="default: both demos")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    guide, heldout = load_guide(), load_heldout()
    files = arguments.files or [OUTPUT / f"demo-{name}.gguf" for name in ARCHITECTURES]
    groups = Counter(topic == OUTSIDE for topic, _ in heldout.questions)
    seen = trained_questions(guide)
    results: dict[str, Any] = {
        "held_out": {
            "guide": groups[False],
            "outside": groups[True],
            "dialogue": len(heldout.dialogues),
            "verbatim_in_training": sum(
                _plain(question) in seen for _, question in heldout.questions
            ),
        },
        "seeds": list(SEEDS),
        "default": DEFAULT,
        "models": {},
    }
    for path in files:
        results["models"][path.stem] = found = report(path, guide, heldout)
        print(path.name, found["megabytes"], "MB")
        for name, row in found["figures"].items():
            print(f"  {name:26}", "  ".join(f"{k} {v:5.1f}" for k, v in row.items()))
        for row in found["mistakes"]:
            print("   ", row["expected"], "->", row["got"], row["times"])
    arguments.results.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
