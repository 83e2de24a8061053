"""The guide as data: answers, phrasings, follow-ups, system texts.

Everything is read from `training/data`. The held-out questions are read by a function
of their own, which only `evaluate` calls: no training code may touch them.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from training.grammar import Grammar, parse_sections

__all__ = ["DATA", "OUTSIDE", "Guide", "HeldOut", "load_guide", "load_heldout"]

DATA = Path(__file__).parent / "data"
OUTSIDE = "outside"
ANY = "*"


@dataclass(frozen=True)
class Guide:
    """All that the demo weights learn from.

    Attributes
    ----------
    answers
        The one answer of each topic, in Markdown.
    phrasings
        Hand-written questions of each topic of the guide.
    grammars
        Questions with alternations of each topic of the guide.
    outside
        Hand-written questions that are not about the guide.
    outside_grammar
        Questions with slots that are not about the guide.
    seconds
        Questions of each kind that need the turn before them, such as ``default``.
    followups
        For each kind of second question: topic of the first turn to answer's topic.
    systems
        System texts, which must not change any answer.
    fillers
        Sentences that people say around a question.
    pastes
        Lines of code, data and prose, which people paste; all outside the guide.
    """

    answers: dict[str, str]
    phrasings: dict[str, list[str]]
    grammars: dict[str, Grammar]
    outside: list[str]
    outside_grammar: Grammar
    seconds: dict[str, list[str]]
    followups: dict[str, dict[str, str]]
    systems: list[str]
    fillers: list[str]
    pastes: list[str]

    @property
    def topics(self) -> list[str]:
        """The topics of the guide that a question can ask for directly."""
        return sorted(self.phrasings)

    def second_answer(self, first: str | None, kind: str) -> str:
        """Return the topic that answers a second question.

        Parameters
        ----------
        first
            The topic of the turn before; None when there is none.
        kind
            The kind of the second question, such as ``default``.
        """
        table = self.followups[kind]
        return table.get(first or ANY, table[ANY])


@dataclass(frozen=True)
class HeldOut:
    """Questions for measuring, written by an author who saw no training phrasing.

    Attributes
    ----------
    questions
        Pairs of topic and question, the topic ``outside`` among them.
    dialogues
        Tuples of first topic, first question, kind of the second, second question.
    """

    questions: list[tuple[str, str]]
    dialogues: list[tuple[str, str, str, str]]


def load_guide() -> Guide:
    """Read the training data."""
    phrasings: dict[str, list[str]] = {}
    for name in ("phrasings_a.jsonl", "phrasings_b.jsonl"):
        for row in _rows(name):
            phrasings.setdefault(row["topic"], []).append(row["question"])
    grammars = {
        topic: Grammar(lines, {}) for topic, lines in _sections("grammar.txt").items()
    }
    slots = _sections("outside_grammar.txt")
    lines = slots.pop("lines")
    words = {
        name: [word.replace("_", " ") for line in rows for word in line.split()]
        for name, rows in slots.items()
    }
    seconds: dict[str, list[str]] = {}
    for row in _rows("dialogues.jsonl"):
        seconds.setdefault(row["second_kind"], []).append(row["second"])
    return Guide(
        answers=_answers(),
        phrasings=phrasings,
        grammars=grammars,
        outside=[row["question"] for row in _rows("outside.jsonl")],
        outside_grammar=Grammar(lines, words),
        seconds=seconds,
        followups=json.loads((DATA / "followups.json").read_text("utf-8")),
        systems=_lines("systems.txt"),
        fillers=_lines("fillers.txt"),
        pastes=_lines("pastes.txt"),
    )


def load_heldout() -> HeldOut:
    """Read the held-out questions; for measuring only."""
    return HeldOut(
        questions=[(row["topic"], row["question"]) for row in _rows("heldout.jsonl")],
        dialogues=[
            (row["first_topic"], row["first"], row["second_kind"], row["second"])
            for row in _rows("heldout_dialogues.jsonl")
        ],
    )


def _rows(name: str) -> list[dict[str, str]]:
    text = (DATA / name).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _lines(name: str) -> list[str]:
    return (DATA / name).read_text("utf-8").splitlines()


def _sections(name: str) -> dict[str, list[str]]:
    return parse_sections((DATA / name).read_text("utf-8"))


def _answers() -> dict[str, str]:
    """Split the answers file at its comments, one before each answer."""
    parts = (DATA / "answers.md").read_text("utf-8").split("<!-- topic: ")[1:]
    pairs = (part.split(" -->", 1) for part in parts)
    return {topic: answer.strip() for topic, answer in pairs}
