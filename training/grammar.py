"""Sentences with alternations and slots, expanded at random.

``how do I (load|start) {thing}`` stands for one sentence per alternative and word.
Alternations do not nest; an empty alternative is allowed.
"""

import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Grammar", "parse_sections"]

ALTERNATION = re.compile(r"\(([^()]*)\)")
SLOT = re.compile(r"\{(\w+)\}")
ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr")
VOWELS = ("a", "e", "i", "o", "u", "er", "in", "ar", "en")


@dataclass(frozen=True)
class Grammar:
    """Lines with alternations, and the words for their slots.

    Attributes
    ----------
    lines
        The sentences, with ``(a|b|)`` for alternatives and ``{name}`` for slots.
    slots
        The words of each slot. The slot ``word`` needs none: it is a made-up word.
    """

    lines: list[str]
    slots: dict[str, list[str]]

    def sample(self, rng: random.Random) -> str:
        """Return one sentence, all choices made at random."""
        line = rng.choice(self.lines)
        line = ALTERNATION.sub(lambda match: rng.choice(match[1].split("|")), line)
        line = SLOT.sub(lambda match: self._word(match[1], rng), line)
        return " ".join(line.split())

    def sentences(self) -> Iterator[str]:
        """Yield every sentence, with the slots unfilled."""
        for line in self.lines:
            parts = ALTERNATION.split(line)  # text, choices, text, choices, ..., text
            choices = [
                part.split("|") if number % 2 else [part]
                for number, part in enumerate(parts)
            ]
            for chosen in itertools.product(*choices):
                yield " ".join("".join(chosen).split())

    def _word(self, slot: str, rng: random.Random) -> str:
        words = self.slots.get(slot)
        return rng.choice(words) if words else made_up_word(rng)


def made_up_word(rng: random.Random) -> str:
    """Return a word that no one has seen, of two to four syllables."""
    return "".join(
        rng.choice(ONSETS) + rng.choice(VOWELS) for _ in range(rng.randint(2, 4))
    )


def parse_sections(text: str) -> dict[str, list[str]]:
    """Split a text into its ``[name]`` sections; ``#`` begins a comment line."""
    sections: dict[str, list[str]] = {}
    name = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            name = line[1:-1]
            sections[name] = []
        elif line and not line.startswith("#"):
            sections[name].append(line)
    return sections
