"""What comes of rows, from any threads, for the one that takes it."""

from __future__ import annotations

from queue import Empty, SimpleQueue

from h2o_magic.tables.running.outcome import Outcome


class Inbox:
    """Outcomes as they come; several executors may have one in common."""

    def __init__(self) -> None:
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self.put = self._outcomes.put

    def take(self, timeout: float) -> list[Outcome]:
        """Return what is there; wait up to so many seconds if nothing is."""
        found: list[Outcome] = []
        try:
            found.append(self._outcomes.get(timeout > 0, timeout))
            while True:
                found.append(self._outcomes.get_nowait())
        except Empty:
            return found
