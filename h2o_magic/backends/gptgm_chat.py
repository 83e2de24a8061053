"""What a backend keeps of one chat, and whose turn it is in it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from h2o_magic.backends.gptgm_calls import GptGmCalls
from h2o_magic.backends.gptgm_seat import Known, Place
from h2o_magic.errors import MisuseError
from h2o_magic.transport import Cancellation

__all__ = ["Chat"]

_POLL = 0.1  # seconds between two looks whether waiting for a chat was cancelled


@dataclass
class Chat:
    """What is kept of one chat between its turns.

    Attributes
    ----------
    known : Known or None
        The server conversation that has the chat so far.
    leftovers : list of Place
        Server conversations that are no more used and not yet deleted.
    forgotten : bool
        True once the chat has ended; a turn that still runs cleans up after itself.
    """

    known: Known | None = None
    leftovers: list[Place] = field(default_factory=list)
    forgotten: bool = False
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _reader: int | None = None

    def enter(self, cancellation: Cancellation) -> bool:
        """Wait for the turn before; return False if cancelled meanwhile."""
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

    def tidy(self, places: list[Place]) -> None:
        """Delete the conversations that this chat has left behind on its server."""
        leftovers, self.leftovers = [*self.leftovers, *places], []
        for place in leftovers:
            if self.known and place.calls is self.known.calls:
                place.calls.delete(place.conversation)

    def clear(self, calls: GptGmCalls | None) -> None:
        """Delete all conversations of this chat on the server of the session `calls`.

        Those of other sessions have gone with them.
        """
        known, self.known = self.known, None
        places, self.leftovers = self.leftovers, []
        if known is not None:
            places = [*places, Place(known.calls, known.conversation, "")]
        for place in places:
            if place.calls is calls:
                place.calls.delete(place.conversation)
