"""What of a conversation is sent with a question: pure arithmetic on tokens.

Oldest turns give way first, each whole; the system text and the question always go.
Tokens are estimated here, since only a server knows its model's tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from h2o_magic.chat.messages import Message
from h2o_magic.chat.turns import Turn

#: UTF-8 bytes of a token, assumed until a server has told better: English text has
#: about 4, code and other languages fewer.
CAUTIOUS = 3.0

#: What a chat template puts around one message, in tokens.
_TEMPLATE = 8

#: Below this much text the template weighs too much for the rate to mean anything.
_TELLING_BYTES = 1500


@dataclass(frozen=True, slots=True)
class Chosen:
    """The turns that are sent.

    Attributes
    ----------
    turns : tuple of Turn
        Oldest first.
    full : bool
        True if an earlier turn was left out because there was no room.
    unfinished : int
        How many turns were passed over because their answers are not whole.
    """

    turns: tuple[Turn, ...] = ()
    full: bool = False
    unfinished: int = 0


def choose(
    turns: Iterable[Turn],
    *,
    room: int,
    rate: float = CAUTIOUS,
    max_turns: int | None = None,
    partial: bool = False,
) -> Chosen:
    """Choose the turns that go along with a question.

    Parameters
    ----------
    turns
        The turns before the question, newest first; read no further than needed.
    room
        Tokens that they may have together.
    rate
        UTF-8 bytes of a token.
    max_turns
        Most turns to send; None for as many as fit.
    partial
        True sends answers that are not whole, too.
    """
    chosen: list[Turn] = []
    full, unfinished = False, 0
    for turn in turns:
        messages = turn.messages(partial=partial)
        if messages:
            if max_turns is not None and len(chosen) >= max_turns:
                break
            room -= estimate(messages, rate)
            full = room < 0
            if full:
                break
            chosen.append(turn)
        else:
            unfinished += 1
        if turn.begins:
            break
    return Chosen(tuple(reversed(chosen)), full, unfinished)


def estimate(messages: Iterable[Message], rate: float = CAUTIOUS) -> int:
    """Return about how many tokens messages have, at `rate` bytes of UTF-8 a token."""
    return sum(_TEMPLATE + int(_size(m) / rate) + 1 for m in messages)


def bytes_per_token(messages: Iterable[Message], tokens: int) -> float | None:
    """Return the rate that a server's own count shows; None if the text is too short.

    Parameters
    ----------
    messages
        What was sent.
    tokens
        How many tokens the server read, its template's included.
    """
    size = sum(map(_size, messages))
    if size < _TELLING_BYTES or tokens <= 0:
        return None
    return min(max(size / tokens, 0.5), 8.0)


def input_room(context: int, max_new_tokens: int, truncate: int | None) -> int:
    """Return how many tokens the input may have.

    At most half of the context is kept free for the answer, so that a long
    `max_new_tokens` shortens the answer and not the question to nothing.

    Parameters
    ----------
    context
        Tokens of context that input and answer share.
    max_new_tokens
        The longest answer asked for, in tokens.
    truncate
        The longest input asked for, in tokens; None for no such wish.
    """
    room = context - min(max_new_tokens, context // 2)
    return room if truncate is None else min(truncate, room)


def _size(message: Message) -> int:
    return len(message.content.encode("utf-8", "surrogatepass"))
