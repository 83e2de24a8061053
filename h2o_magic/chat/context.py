"""Which turns of a conversation are sent with a question: pure arithmetic on tokens.

The oldest turns are left out first, each as a whole; the system text and the question
are always sent. Tokens are estimated, since only a server knows its model's tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from h2o_magic.chat.images import Image
from h2o_magic.chat.messages import Message
from h2o_magic.chat.turns import Turn

#: UTF-8 bytes per token until a server's count is known: English text has about 4, code
#: and other languages fewer.
CAUTIOUS = 3.0

#: Tokens that a chat template adds to each message.
_TEMPLATE = 8

#: Pixels of an image per token. Models differ much; few read more out of an image.
_PIXELS = 750

#: With less text than this, the template distorts the rate.
_LEAST_BYTES = 1500


@dataclass(frozen=True, slots=True)
class Chosen:
    """The turns that are sent, oldest first.

    `full` is True if there was no room for an earlier one; `unfinished` turns were
    skipped because their answers are not complete.
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
    """Choose the turns that are sent with a question.

    Parameters
    ----------
    turns
        The turns before the question, newest first; read only as far as needed.
    room
        The most tokens that they may have together.
    rate
        UTF-8 bytes per token.
    max_turns
        The most turns to send; None for no limit.
    partial
        True also sends answers that are not complete.
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
        elif turn.answer:
            unfinished += 1
        if turn.begins:
            break
    return Chosen(tuple(reversed(chosen)), full, unfinished)


def estimate(messages: Iterable[Message], rate: float = CAUTIOUS) -> int:
    """Return about how many tokens messages have, at `rate` UTF-8 bytes per token."""
    return sum(
        _TEMPLATE + int(_size(m) / rate) + 1 + sum(map(_image_tokens, m.images))
        for m in messages
    )


def bytes_per_token(messages: Iterable[Message], tokens: int) -> float | None:
    """Return the rate by a server's own count of tokens; None if the text is too short.

    `tokens` is what the server read for these messages, its template included. With
    images among them it says nothing about the text.
    """
    sent = tuple(messages)
    size = sum(map(_size, sent))
    if size < _LEAST_BYTES or tokens <= 0 or any(m.images for m in sent):
        return None
    return min(max(size / tokens, 0.5), 8.0)


def input_room(context: int, max_new_tokens: int, truncate: int | None) -> int:
    """Return how many tokens the input may have, at most `truncate` if that is set.

    Input and answer share `context` tokens. At most half of them are reserved for the
    answer, so that a large `max_new_tokens` shortens the answer, not the question.
    """
    room = context - min(max_new_tokens, context // 2)
    return room if truncate is None else min(truncate, room)


def _image_tokens(image: Image) -> int:
    return 1 + image.width * image.height // _PIXELS


def _size(message: Message) -> int:
    return len(message.content.encode("utf-8", "surrogatepass"))
