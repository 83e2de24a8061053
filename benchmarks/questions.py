"""Plain questions with short answers, and what counts as a right one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Question", "questions"]

_FILE = Path(__file__).with_suffix(".json")
#: Without "one", which mostly is no number.
_WORDS = (
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve"),
)
_NUMBERS = {"zero": "0"} | {word: str(n) for n, word in enumerate(_WORDS, 2)}
_NUMBER = re.compile(rf"\d+(?:[.,]\d+)*|\b(?:{'|'.join(_NUMBERS)})\b")


@dataclass(frozen=True)
class Question:
    """A question, and its answers.

    Attributes
    ----------
    category : str
        Of what kind it is.
    text : str
        The question.
    accepted : tuple of str
        Right answers; one is enough.
    contradicting : tuple of str
        Wrong answers that may come instead, or beside a right one.
    """

    category: str
    text: str
    accepted: tuple[str, ...]
    contradicting: tuple[str, ...]

    def is_right(self, answer: str) -> bool:
        """Whether an answer has an accepted word, and none that contradicts it.

        Case does not count, and only whole words do. Where the accepted answer is a
        number, it may be written as a word, and any other number contradicts it, but
        for those of the question.
        """
        if any(_has(answer, word) for word in self.contradicting):
            return False
        if not self.accepted[0].isdecimal():
            return any(_has(answer, word) for word in self.accepted)
        accepted, said = set(self.accepted), _numbers(answer)
        return bool(said & accepted) and said <= accepted | _numbers(self.text)


@cache
def questions() -> tuple[Question, ...]:
    """Return the questions, those of a category together."""
    return tuple(
        Question(
            each["category"],
            each["question"],
            tuple(each["accepted"]),
            tuple(each.get("contradicting", ())),
        )
        for each in json.loads(_FILE.read_text(encoding="utf-8"))
    )


def _has(text: str, words: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE))


def _numbers(text: str) -> set[str]:
    """Return the numbers in a text, in digits."""
    return {_NUMBERS.get(said, said) for said in _NUMBER.findall(text.lower())}
