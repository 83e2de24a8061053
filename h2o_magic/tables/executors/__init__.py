"""Where rows are asked: in threads of this process, or on an engine that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from h2o_magic.tables.running.outcome import Outcome

#: A row to be asked: its number in the run, and its question.
Ticket = tuple[int, str]


class RowExecutor(Protocol):
    """Asks rows; the run says how many at once, and keeps what comes of them."""

    def submit(self, tickets: Sequence[Ticket]) -> None:
        """Ask these rows; it returns at once."""

    def outcomes(self, timeout: float) -> list[Outcome]:
        """Return what has come; wait up to so many seconds if nothing has.

        A row that got lost with its worker comes as a failure of kind ``lost``.
        """

    def stop(self) -> None:
        """End what is being asked; nothing more comes of it."""
