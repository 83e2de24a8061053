"""What a chat-ui backend keeps of one chat."""

from __future__ import annotations

from dataclasses import dataclass, field

from h2o_magic.backends.chatui.calls import ChatUICalls
from h2o_magic.backends.chatui.seat import Seat
from h2o_magic.backends.chatui.tree import Tree
from h2o_magic.backends.taking_turns import TakingTurns

__all__ = ["Chat"]


@dataclass
class Chat(TakingTurns):
    """What is kept of one chat between its turns.

    Attributes
    ----------
    tree : Tree or None
        The server conversation that has the chat so far; a turn that runs has it.
    leftovers : list of str
        Ids of conversations that are no more used and not yet deleted.
    forgotten : bool
        True once the chat has ended; a turn that still runs cleans up after itself.
    """

    tree: Tree | None = None
    leftovers: list[str] = field(default_factory=list)
    forgotten: bool = False

    def end_turn(self, seat: Seat, calls: ChatUICalls, *, tidy: bool) -> None:
        """Take back what a turn had, and delete what is no more used.

        Parameters
        ----------
        seat
            Where the turn was.
        calls
            The session of the conversations.
        tidy
            False leaves that for later: the server does not answer as it should.
        """
        self.tree = seat.tree
        self.leftovers += seat.leftovers
        if self.forgotten:
            self.clear(calls)
        elif tidy:
            self._delete_leftovers(calls)

    def clear(self, calls: ChatUICalls) -> None:
        """Delete all conversations of this chat on the server."""
        tree, self.tree = self.tree, None
        if tree is not None:
            self.leftovers.append(tree.conversation)
        self._delete_leftovers(calls)

    def _delete_leftovers(self, calls: ChatUICalls) -> None:
        leftovers, self.leftovers = self.leftovers, []
        for conversation in leftovers:
            calls.delete(conversation)
