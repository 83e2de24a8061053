"""What is known of one server conversation: which message ends which history.

Pure. The notebook's record counts; the tree only says where on the server a history of
the record already is, so that the next question can go under it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from h2o_magic.backends.chatui.messages import Asked
from h2o_magic.messages import Message
from h2o_magic.reasoning import apart

__all__ = ["Tree"]


class Tree:
    """One server conversation.

    Parameters
    ----------
    conversation
        Its id.
    model, preprompt
        What it was made with; they hold for all that is asked in it.
    root
        Id of its root message, which ends the empty history.
    """

    def __init__(
        self, conversation: str, model: str, preprompt: str, root: str
    ) -> None:
        self.conversation = conversation
        self.root = root
        self._made_with = (model, preprompt)
        self._ends: dict[bytes, str | Asked] = {_key(()): root}

    @property
    def bare(self) -> bool:
        """Whether no answer in it is known."""
        return len(self._ends) == 1

    def fits(self, model: str, preprompt: str) -> bool:
        """Return whether a question to this model, under this text, can go into it."""
        return self._made_with == (model, preprompt)

    def end_of(self, history: Sequence[Message]) -> str | Asked | None:
        """Return the id of the message that ends a history.

        Parameters
        ----------
        history
            The messages before a question, without the system text.

        Returns
        -------
        str, Asked or None
            What was asked instead, if the id of its answer is still to be fetched;
            None if no branch is this history.
        """
        return self._ends.get(_key(history))

    def note(self, history: Sequence[Message], end: str | Asked) -> None:
        """Remember what ends a history."""
        self._ends[_key(history)] = end

    def drop(self, history: Sequence[Message]) -> None:
        """Forget that a history is on the server."""
        self._ends.pop(_key(history), None)


def _key(history: Sequence[Message]) -> bytes:
    """Return a digest of messages without what servers and notebooks trim.

    The server keeps the reasoning with an answer, the record apart from it.
    """
    plain = [
        (m.role, (apart(m.content)[1] if m.role == "assistant" else m.content).strip())
        for m in history
    ]
    text = json.dumps(plain)
    return hashlib.sha256(text.encode()).digest()
