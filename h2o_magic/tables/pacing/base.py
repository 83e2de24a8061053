"""What a run asks of its pace, whatever that follows."""

from __future__ import annotations

from typing import Protocol

from h2o_magic.chat.events import RateLimit


class Pacing(Protocol):
    """How many rows a run may have in flight, and how soon; see `Pace`."""

    @property
    def width(self) -> int: ...

    def room(self, in_flight: int) -> int: ...

    def wait(self) -> float | None: ...

    def sent(self, requests: int) -> None: ...

    def answered(self, seconds: float, limit: RateLimit | None = None) -> None: ...

    def busy(self, wait: float | None) -> None: ...
