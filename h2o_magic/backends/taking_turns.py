"""Whose turn it is in a chat: one answer at a time."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import dataclass, field

from h2o_magic.errors import MisuseError
from h2o_magic.events import Event, Finished
from h2o_magic.transport import Cancellation

__all__ = ["TakingTurns", "in_turn"]

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


def in_turn(
    chat: TakingTurns,
    events: Generator[Event, None, None],
    cancellation: Cancellation,
) -> Generator[Event, None, None]:
    """Yield the events of an answer, when it is its turn in the chat.

    Parameters
    ----------
    chat
        What the answer uses alone.
    events
        The answer; not begun before its turn, and at its end when the next begins.
    cancellation
        Ends the wait, without an event.

    Raises
    ------
    MisuseError
        As :meth:`TakingTurns.enter` does.
    """
    if not chat.enter(cancellation):
        return
    finished: Finished | None = None
    try:
        for event in events:
            if isinstance(event, Finished):
                finished = event
            else:
                yield event
    finally:
        try:
            events.close()
        finally:
            chat.leave()
    # Told when the next turn may begin: who has the end may never ask for more.
    if finished:
        yield finished
