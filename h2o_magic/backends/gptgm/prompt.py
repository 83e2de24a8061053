"""One text made of several messages, for servers that take no history.

Pure. Chat-ui of June 2023 takes a text and keeps its own history.
"""

from __future__ import annotations

from collections.abc import Sequence

from h2o_magic.messages import Message

__all__ = ["conversation_text", "first_turn_text"]

_INSTRUCTION = (
    "This is a conversation between a user and an AI assistant. Respond to the latest "
    "message, and refer to the earlier ones where needed."
)


def conversation_text(messages: Sequence[Message]) -> str:
    r"""Return all messages as one text, as the original gpt-gm client packed them.

    Parameters
    ----------
    messages
        The whole context; the last one is the question.

    Returns
    -------
    str
        A line of instruction, a line ``role: content`` for each message, and
        ``assistant:``. Nothing is escaped: a content with ``\nassistant: `` in it
        looks like another turn.
    """
    lines = [f"{message.role}: {message.content}" for message in messages]
    return "\n".join([_INSTRUCTION, *lines, "assistant:"])


def first_turn_text(messages: Sequence[Message]) -> str:
    """Return what to send as the first turn of a conversation without history.

    A single question is sent as it is, with the system text, if there is one, before
    it: the protocol has no other place for that. More is packed.
    """
    match list(messages):
        case [Message(content=question)]:
            return question
        case [Message(role="system", content=text), Message(content=question)]:
            return f"{text}\n\n{question}"
        case several:
            return conversation_text(several)
