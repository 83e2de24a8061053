"""The history that a client brings along when it begins a conversation."""

from __future__ import annotations

from dataclasses import dataclass

from h2o_magic.errors import MessagesError
from h2o_magic.messages import Message, parse_messages, user

__all__ = ["History", "parse_history"]


@dataclass(frozen=True, slots=True)
class History:
    """System text and earlier messages.

    Attributes
    ----------
    system : str
        Empty if there is none.
    messages : tuple of Message
        The user's and the model's, oldest first.
    """

    system: str
    messages: tuple[Message, ...]


def parse_history(items: object) -> History:
    """Check the ``messages`` of ``POST /conversation``.

    An empty list is a history without messages. System messages come first, if any.

    Raises
    ------
    MessagesError
        If an item is no message, or a system message comes after the others.
    """
    if not isinstance(items, list):
        raise MessagesError(
            f"expected `messages` to be a list, got {type(items).__name__}"
        )
    # What is checked there is a list to be answered; the question comes later here.
    *messages, _ = parse_messages([*items, user("?")])
    system = [message.content for message in messages if message.role == "system"]
    return History("\n\n".join(system), tuple(messages[len(system) :]))
