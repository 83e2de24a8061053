"""The end of the server: at once, or when the answers under way have ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from h2o_magic.server.line import Line

__all__ = ["Ending"]

_log = logging.getLogger(__name__)


class Ending:
    """Ends the server once, and lets nothing new begin from then on.

    Parameters
    ----------
    line
        The answers under way.
    grace
        Seconds that they may take to end by themselves; 0 stops them at once.
    end
        Stops what still runs, and ends the server.
    """

    def __init__(self, line: Line, grace: float, end: Callable[[], None]) -> None:
        self._line = line
        self._grace = grace
        self._end = end
        self._waiting: asyncio.Task[None] | None = None
        self.begun = False

    def begin(self) -> None:
        """End when no answer is under way, or when the grace is over."""
        if self._grace and self._line.under_way:
            if not self.begun:
                _log.info("waiting for answers", extra={"fields": self._fields()})
                self._waiting = asyncio.ensure_future(self._end_later())
            self.begun = True
        else:
            self.at_once()

    def at_once(self) -> None:
        """End now; running answers are stopped."""
        self.begun = True
        self._end()

    async def _end_later(self) -> None:
        try:
            await asyncio.wait_for(self._line.until_empty(), self._grace)
        except asyncio.TimeoutError:
            _log.info("stopping answers", extra={"fields": self._fields()})
        self._end()

    def _fields(self) -> dict[str, float]:
        return {"under_way": self._line.under_way, "grace": self._grace}
