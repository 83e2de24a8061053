"""How many rows workers are lent that ask several at once.

A lease has more rows than are asked at once, so that no place of a worker waits for the
next. A server with limits is kept to the run's own pace: leases are then of those rows
alone that may be asked now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from h2o_magic.chat.events import RateLimit
from h2o_magic.tables.pacing.base import Pacing

#: Rows of a lease, where the server has no limits.
_FEWEST, _MOST = 64, 256
#: Answers after which a server counts as one without limits.
_CALM = 64


class LeasePace(Pacing):
    """A run's pace, with room for the rows of leases.

    `lent` returns how many rows each worker has at the moment.
    """

    def __init__(self, pace: Pacing, lent: Callable[[], Sequence[int]]) -> None:
        self._pace = pace
        self._lent = lent
        self._calm = 0

    @property
    def width(self) -> int:
        return self._pace.width

    @property
    def is_ahead(self) -> bool:
        """Whether workers are lent more rows than may be asked now."""
        return self._calm >= _CALM

    @property
    def share(self) -> int:
        """How many rows each worker asks at once."""
        return -(-self.width // len(self._lent()))

    @property
    def lease(self) -> int:
        """How many rows a worker is lent at once."""
        return min(max(2 * self.share, _FEWEST), _MOST)

    def room(self, in_flight: int) -> int:
        if not self.is_ahead:
            return self._pace.room(in_flight)
        lent, share = self._lent(), self.share
        # The pace is to know of these alone.
        self._pace.room(sum(min(rows, share) for rows in lent))
        return max(self.width + len(lent) * self.lease - in_flight, 0)

    def wait(self) -> float | None:
        return self._pace.wait()

    def sent(self, requests: int) -> None:
        self._pace.sent(requests)

    def answered(self, seconds: float, limit: RateLimit | None = None) -> None:
        self._calm = 0 if limit else self._calm + 1
        self._pace.answered(seconds, limit)

    def busy(self, wait: float | None) -> None:
        self._calm = 0
        self._pace.busy(wait)
