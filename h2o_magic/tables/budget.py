"""A run that costs no more than it may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2o_magic.tables.price import amount
from h2o_magic.tables.progress import Progress

if TYPE_CHECKING:
    from h2o_magic.tables.pace import Pace

#: Rows that are asked before it is known what one costs, and by how much the next ones
#: may cost more than those so far did.
_FIRST, _MARGIN = 4, 1.3


class Budget:
    """A run's pace, without room for rows which the budget has no money for."""

    def __init__(self, pace: Pace, progress: Progress, budget: float) -> None:
        self._pace = pace
        self._progress = progress
        self._budget = budget

    def __getattr__(self, name: str) -> object:
        return getattr(self._pace, name)

    def room(self, in_flight: int) -> int:
        """Return how many more requests may be sent now."""
        room = self._pace.room(in_flight)
        progress, spent = self._progress, self._progress.cost or 0.0
        answered = progress.asked - progress.errors
        if answered <= 0 or not spent:
            return min(room, max(_FIRST - in_flight, 0))
        each = spent / answered * _MARGIN
        affordable = int((self._budget - spent) / each) - in_flight
        if affordable <= 0 and not in_flight:
            progress.end(
                "stopped",
                f"the budget of {amount(self._budget)} is used: the run cost "
                f"{amount(spent)}, and the next row may cost more than is left; raise "
                "`--budget` and run it again to go on",
            )
        return max(min(room, affordable), 0)
