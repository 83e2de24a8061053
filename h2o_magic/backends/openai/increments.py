"""What each piece of a text adds, where pieces repeat all that came before them.

Pure. Some gateways send the whole text so far in each chunk. Whether one does shows in
the third piece: that a piece begins with all of the one before may be chance.
"""

from __future__ import annotations

#: Characters, and pieces, that are hardly repeated by chance.
_LONG, _MANY = 8, 4


class Increments:
    """Takes the pieces of one text, and returns what they add to it."""

    def __init__(self) -> None:
        self._last = ""
        self._first = ""
        self._held: list[str] = []  # pieces that may repeat those before
        self._repeats: bool | None = None

    def added(self, piece: str) -> str:
        """Return what a piece adds; nothing while that is not known."""
        if self._repeats is False or not piece:
            return piece
        last, self._last = self._last, piece
        if not last:
            self._first = piece
            return piece
        if not piece.startswith(last) or (piece == last and not self._knows):
            return self._settled(repeats=False) + piece
        if self._repeats:
            return piece[len(last) :]
        self._held.append(piece)
        sure = len(self._held) > 1 and (len(piece) >= _LONG or self._are_many)
        return self._settled(repeats=True) if sure else ""

    def rest(self) -> str:
        """Return what was held back; nothing more comes."""
        likely = self._are_many or len(self._first) >= _LONG
        return self._settled(repeats=likely)

    @property
    def _are_many(self) -> bool:
        return len(self._held) >= _MANY - 1

    @property
    def _knows(self) -> bool:
        return bool(self._held) or self._repeats is True

    def _settled(self, *, repeats: bool) -> str:
        held, self._held, self._repeats = self._held, [], repeats
        if not repeats or not held:
            return "".join(held)
        return held[-1][len(self._first) :]
