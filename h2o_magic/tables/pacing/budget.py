"""A run that costs no more than it may."""

from __future__ import annotations

from h2o_magic.chat.events import RateLimit
from h2o_magic.tables.pacing.base import Pacing
from h2o_magic.tables.pacing.price import amount
from h2o_magic.tables.running.progress import Progress

#: Rows that are asked before it is known what one costs, and by how much the next ones
#: may cost more than those so far did.
_FIRST, _MARGIN = 4, 1.3


class Budget(Pacing):
    """A run's pace, without room for rows that cost more than is left of `amount`."""

    def __init__(self, pace: Pacing, progress: Progress, amount: float | None) -> None:
        self._pace = pace
        self._progress = progress
        self._amount = amount
        self._is_used = False

    @property
    def width(self) -> int:
        return self._pace.width

    def wait(self) -> float | None:
        return self._pace.wait()

    def sent(self, requests: int) -> None:
        self._pace.sent(requests)

    def answered(self, seconds: float, limit: RateLimit | None = None) -> None:
        self._pace.answered(seconds, limit)

    def busy(self, wait: float | None) -> None:
        self._pace.busy(wait)

    def room(self, in_flight: int) -> int:
        """Return how many more requests may be sent now."""
        room, left = self._pace.room(in_flight), self._rows_left()
        if left is None:
            return room
        self._is_used = left <= 0 and not in_flight
        return max(min(room, left - in_flight), 0)

    def used(self) -> str:
        """Return why the run cannot go on; nothing while it can."""
        if not self._is_used or self._amount is None:
            return ""
        if not self._progress.cost:
            return (
                "the server does not say how many tokens the rows have, so the budget "
                "cannot be kept: leave `--budget` out, or ask fewer rows with `--first`"
            )
        return (
            f"the budget of {amount(self._amount)} is used: the run cost "
            f"{amount(self._progress.cost or 0.0)}, and the next row may cost more "
            "than is left; raise `--budget` and run it again to go on"
        )

    def _rows_left(self) -> int | None:
        """Return how many rows may be asked, those in flight among them."""
        progress, spent = self._progress, self._progress.cost or 0.0
        answered = progress.asked - progress.errors
        price = progress.price
        if self._amount is None or (price and not (price.read or price.written)):
            return None
        if answered <= 0:
            return _FIRST
        if not spent:
            return 0
        return int((self._amount - spent) / (spent / answered * _MARGIN))
