"""Where rows are asked: in threads of this process, or on an engine that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from h2o_magic.chat.events import RateLimit
from h2o_magic.errors import MisuseError
from h2o_magic.tables.outcome import Outcome

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


class Nobody(RowExecutor):
    """Asks nobody: of a run whose rows all have their answers, or may have none."""

    def submit(self, tickets: Sequence[Ticket]) -> None:
        raise MisuseError(f"expected no row to be asked, got {len(tickets)}")

    def outcomes(self, timeout: float) -> list[Outcome]:  # noqa: ARG002
        return []

    def stop(self) -> None:
        """Nothing is asked."""


class Pacing(Protocol):
    """How many rows a run may have in flight, and how soon; see `Pace`."""

    @property
    def width(self) -> int: ...

    def room(self, in_flight: int) -> int: ...

    def wait(self) -> float | None: ...

    def sent(self, requests: int) -> None: ...

    def answered(self, seconds: float, limit: RateLimit | None = None) -> None: ...

    def busy(self, wait: float | None) -> None: ...
