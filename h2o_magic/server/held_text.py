"""Holds back the end of a growing text while it may be the beginning of a mark."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["HeldText"]


class HeldText:
    """A text that is passed on in pieces, and never more of it than will stay.

    Parameters
    ----------
    marks
        Texts that end it and are no part of it.
    """

    def __init__(self, marks: Iterable[str]) -> None:
        self._marks = tuple(mark for mark in marks if mark)
        self._longest = max(map(len, self._marks), default=0)
        self._first = {mark[0] for mark in self._marks}
        self._held = ""
        self.passed = 0

    def add(self, piece: str) -> str:
        """Return what of the text is sure to stay, now that `piece` has come.

        >>> held = HeldText(["END"])
        >>> held.add("an E"), held.add("N"), held.add("T")
        ('an ', '', 'ENT')
        """
        text = self._held + piece
        sure = len(text) - self._uncertain(text)
        self._held = text[sure:]
        self.passed += sure
        return text[:sure]

    def rest(self, whole: str) -> str:
        """Return what of the `whole` text, now known, was not passed on."""
        return whole[self.passed :]

    def _uncertain(self, text: str) -> int:
        """Return the length of the longest end of `text` that may begin a mark."""
        if self._first.isdisjoint(text[-self._longest :]):
            return 0
        for length in range(min(self._longest, len(text)), 0, -1):
            end = text[-length:]
            if any(mark.startswith(end) for mark in self._marks):
                return length
        return 0
