"""What a gpt-gm backend keeps of one chat."""

from __future__ import annotations

from dataclasses import dataclass, field

from h2o_magic.backends.gptgm.calls import GptGmCalls
from h2o_magic.backends.gptgm.seat import Known, Place
from h2o_magic.backends.taking_turns import TakingTurns

__all__ = ["Chat"]


@dataclass
class Chat(TakingTurns):
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
