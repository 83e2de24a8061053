"""Noise on questions: other openers, synonyms, typos, lost words, case, punctuation.

The noise never depends on the topic, so that style says nothing about the answer.
"""

import json
import random
import re
import string
from pathlib import Path
from typing import Any

__all__ = ["augment"]

HOW_DO_I = re.compile(r"^how (do|can|would|should) (i|you|we|one) ", re.IGNORECASE)
WHAT_IS = re.compile(r"^(what is|what's|explain|what are|describe) ", re.IGNORECASE)
NOISE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "noise.json").read_text("utf-8")
)
OPENERS = ((HOW_DO_I, NOISE["how_openers"]), (WHAT_IS, NOISE["what_openers"]))
SYNONYMS_OF = {word: group for group in NOISE["synonyms"] for word in group}
SMALL_WORDS = frozenset(NOISE["small_words"])


def augment(question: str, rng: random.Random) -> str:
    """Return a noisy version of a question.

    Parameters
    ----------
    question
        The question as it was written.
    rng
        Source of all choices.
    """
    text = _opener(question, rng) if rng.random() < 0.4 else question
    words = text.split()
    if rng.random() < 0.4:
        words = [_synonym(word, rng) for word in words]
    if rng.random() < 0.35:
        words = _drop(words, rng)
    if rng.random() < 0.2:
        at = rng.randrange(len(words))
        words[at] = _typo(words[at], rng)
    if rng.random() < 0.1:
        words.insert(0, rng.choice(NOISE["prefixes"]))
    if rng.random() < 0.08:
        words.append(rng.choice(NOISE["suffixes"]))
    return _case(_punctuation(" ".join(words), rng), rng)


def _opener(text: str, rng: random.Random) -> str:
    """Begin a how or what question in another way."""
    for pattern, openers in OPENERS:
        match = pattern.match(text)
        if match:
            rest = text[match.end() :]
            return rest if rng.random() < 0.15 else f"{rng.choice(openers)} {rest}"
    return text


def _synonym(word: str, rng: random.Random) -> str:
    group = SYNONYMS_OF.get(word.lower())
    return rng.choice(group) if group and rng.random() < 0.4 else word


def _drop(words: list[str], rng: random.Random) -> list[str]:
    """Lose some words: small ones often, others seldom."""
    kept = [
        word
        for word in words
        if rng.random() > (0.3 if word.lower() in SMALL_WORDS else 0.08)
    ]
    return kept or words


def _typo(word: str, rng: random.Random) -> str:
    """Swap, lose, double or replace one letter of a word of four or more."""
    if len(word) < 4 or not word.isalpha():
        return word
    at = rng.randrange(len(word) - 1)
    return rng.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + rng.choice(string.ascii_lowercase) + word[at + 1 :],
        )
    )


def _punctuation(text: str, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.25:
        return text.rstrip("?.! ") + "?"
    if draw < 0.5:
        return text.rstrip("?.! ")
    if draw < 0.58:
        return text.rstrip("?.! ") + rng.choice((".", "!", "??", " ?", "...", "?!"))
    if draw < 0.63:
        return text.replace(",", "").replace("'", "").replace("`", "")
    return text


def _case(text: str, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.35:
        return text[:1].upper() + text[1:]
    if draw < 0.5:
        return text.lower()
    if draw < 0.52:
        return text.upper()
    return text
