"""Searching the turns of a notebook, whatever the case and the accents of letters.

There is no index, which could be out of date: the texts are read, those asked last
first, until enough are found.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice

from h2o_magic.chat.turns import Hit
from h2o_magic.conversation.record import Record
from h2o_magic.rendering.literal import one_line

#: How many turns are read at a time; others may use the record in between.
_PAGE = 200

#: Characters of a snippet: before what is found, and in all.
_BEFORE, _WIDTH = 40, 160

#: Marks over and under letters: accents, and the vowels of Hebrew and Arabic.
_MARKS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u064b-\u065f\u0670"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)


def search(record: Record, text: str, most: int) -> tuple[Hit, ...]:
    """Return up to `most` turns that hold all words of a text, newest first."""
    words = _folded(text).split()
    return tuple(islice(_hits(record, words), most)) if words else ()


def _hits(record: Record, words: Sequence[str]) -> Iterator[Hit]:
    newest = record.newest()
    for start in range(0, len(newest), _PAGE):
        for id_, thread, text in record.texts(newest[start : start + _PAGE]):
            if _holds(text, words):
                for turn in record.with_ids(thread, [id_]):
                    shown = _best(turn.question, turn.answer, words)
                    snippet = _snippet(shown, words)
                    yield Hit(thread, record.title(thread), turn, snippet)


def _folded(text: str) -> str:
    """Return a text without what does not count; equal to that of its parts, joined."""
    if text.isascii():
        return text.lower()
    return _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold()))


def _holds(text: str, words: Sequence[str]) -> bool:
    folded = _folded(text)
    return all(word in folded for word in words)


def _best(question: str, answer: str, words: Sequence[str]) -> str:
    """Return the text that has more of the words."""
    found = [
        sum(word in folded for word in words)
        for folded in map(_folded, (question, answer))
    ]
    return answer if found[1] > found[0] else question


def _snippet(text: str, words: Sequence[str]) -> tuple[str, ...]:
    """Return what is around the first word in a text, and beside it the words."""
    folded = _folded(text)
    at = min(place for word in words if (place := folded.find(word)) >= 0)
    start = max(_place(text, at) - _BEFORE, 0)
    if start:  # with a whole word
        start = text.find(" ", start, start + _BEFORE // 2) + 1 or start
    line = one_line(text[start : start + _WIDTH])
    line = (
        f"{'…' if start else ''}{line}{'…' if text[start + _WIDTH :].strip() else ''}"
    )
    return tuple(_parts(line, words))


def _place(text: str, folded: int) -> int:
    """Return where the character is of which a place in the folded text came."""
    if text.isascii():
        return folded
    return bisect_left(
        range(len(text)), folded + 1, key=lambda end: len(_folded(text[: end + 1]))
    )


def _parts(line: str, words: Sequence[str]) -> Iterator[str]:
    """Yield the texts around the words and the words, by turns."""
    pattern = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    end = 0
    for found in re.finditer(pattern, _folded(line)):
        start = _place(line, found.start())
        if start >= end:
            yield line[end:start]
            last = _place(line, found.end() - 1)
            end = max(_place(line, found.end()), last + 1)
            yield line[start:end]
    yield line[end:]
