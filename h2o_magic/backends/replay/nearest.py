"""Which stored request is most like another one; a stored summary may hold anything."""

from __future__ import annotations

import difflib
import heapq
import re
from collections.abc import Iterable
from itertools import takewhile

from h2o_magic.backends.replay.summary import KEPT, Summary

#: How many are compared word by word, of those that seem most alike.
_CLOSEST = 12
#: What tells questions apart, and how much more it tells than the other fields do.
_TEXT, _WEIGHT = "question", 2
_SHORT = 200  # characters
_WORD = re.compile(r"\w+|[^\w\s]")


def nearest(wanted: Summary, stored: Iterable[Summary]) -> Summary | None:
    """Return the stored summary that is most like one; None if there is none."""
    likeness = _Likeness(wanted)
    closest = heapq.nlargest(_CLOSEST, stored, key=likeness.quick)
    return max(closest, key=likeness.exact, default=None)


def is_near(stored: Summary, wanted: Summary) -> bool:
    """Return whether a stored question is probably the same one, asked before."""
    old, new = _text(stored), _text(wanted)
    half = len(new) // 2
    return old == new or (half > 0 and old[:half] == new[:half])


class _Likeness:
    """How much a stored summary is like one, from 0 on."""

    def __init__(self, wanted: Summary) -> None:
        self._wanted = wanted
        self._parts = _parts(_text(wanted))
        self._words = difflib.SequenceMatcher(autojunk=False)
        self._words.set_seq2(_WORD.findall(_text(wanted)))

    def quick(self, stored: Summary) -> float:
        parts = _parts(_text(stored))
        common = len(parts & self._parts)
        return _WEIGHT * _share(2 * common, len(parts) + len(self._parts)) + sum(
            _same(stored.get(name), self._wanted.get(name))
            for name in self._wanted
            if name != _TEXT
        ) / len(self._wanted)

    def exact(self, stored: Summary) -> float:
        self._words.set_seq1(_WORD.findall(_text(stored)))
        return self.quick(stored) + _WEIGHT * self._words.ratio()


def _text(each: Summary) -> str:
    return str(each.get(_TEXT, ""))[:KEPT].casefold()


def _parts(text: str) -> set[str]:
    """Return what a text is made of; in a short one, a letter changes little of it."""
    begins = text[:_SHORT]
    return {*text.split(), *(begins[n : n + 3] for n in range(len(begins) - 2))}


def _same(old: object, new: object) -> float:
    """Return how much of two values is the same; of lists, how much of their start."""
    if old == new or not (isinstance(old, list) and isinstance(new, list)):
        return float(old == new)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))
    return _share(len(list(same)), max(len(old), len(new)))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
