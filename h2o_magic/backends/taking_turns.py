"""Whose turn it is in a chat: one answer at a time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from h2o_magic.errors import MisuseError
from h2o_magic.transport import Cancellation

__all__ = ["TakingTurns"]

_POLL = 0.1  # seconds between two looks whether waiting for a chat was cancelled


@dataclass
class TakingTurns:
    """Something that one answer after the other uses."""

    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)
    _reader: int | None = field(default=None, init=False)

    def enter(self, cancellation: Cancellation) -> bool:
        """Wait for the turn before; return False if cancelled meanwhile.

        Raises
        ------
        MisuseError
            If this thread is reading the answer that it would wait for.
        """
        if self._reader == threading.get_ident():
            raise MisuseError(
                "an answer of this chat is still being read: read it to its end or "
                "close it before the next question"
            )
        while not self._turn.acquire(timeout=_POLL):
            if cancellation.cancelled:
                return False
        self._reader = threading.get_ident()
        return True

    def leave(self) -> None:
        """Let the next turn begin."""
        self._reader = None
        self._turn.release()
