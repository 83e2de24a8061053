"""What of a question fits: its values shrink first, then the oldest turns are left out.

The user's own words are never cut. What does not fit goes in this order: example rows,
the length of long values, the oldest turns, and at last what is left of the values. Of
all of them, no more goes than has to.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from h2o_magic.chat.context import Chosen, estimate
from h2o_magic.chat.images import Image
from h2o_magic.chat.messages import Message, user
from h2o_magic.chat.tokens import tokens_in
from h2o_magic.prompts.prompt import Described, Prompt

#: Tokens of each value without a choice of the user: of a description, and of the value
#: itself, such as a text, where the model holds as much.
BUDGET, SLOW_BUDGET, WHOLE = 1000, 400, 8000
#: Fewer tokens say nothing of a value.
_LEAST = 40

#: Returns the turns that have room in so many tokens.
Choose = Callable[[int], Chosen]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The question as it is sent, and the turns before it; `notes` say what is missing.

    `excess` is by how many tokens, about, it is too long all the same.
    """

    message: Message
    chosen: Chosen
    notes: tuple[str, ...] = ()
    excess: int = 0


@dataclass
class _Question:
    """A prompt, with how many tokens each of its values may have."""

    prompt: Prompt
    images: Sequence[Image]
    rate: float
    allowed: dict[int, int] = field(default_factory=dict)
    _written: dict[tuple[int, ...], Message] = field(default_factory=dict)

    def message(self) -> Message:
        """Return the question as it is with these tokens; it is written once."""
        key = tuple(self.allowed.values())
        if key not in self._written:
            text = self.prompt.written(lambda v: self.allowed[id(v)], self.images)
            self._written[key] = user(text, tuple(self.images))
        return self._written[key]

    def size(self) -> int:
        message = self.message()  # numbers have more tokens than words
        return max(estimate([message], self.rate), tokens_in(message.content))

    def shrink(self, limit: Callable[[Described], int]) -> bool:
        """Let each value have `limit` tokens at most; return whether any has fewer."""
        before = dict(self.allowed)
        for value in self.prompt.values:
            key = id(value)
            self.allowed[key] = min(self.allowed[key], max(limit(value), _LEAST))
        return self.allowed != before

    def grow(self, most: dict[int, int], fits: Callable[[int], bool]) -> None:
        """Let each value have up to `most` again, as far as a question so long fits."""
        least = self.allowed

        def is_too_long(more: int) -> bool:
            self.allowed = {key: min(most[key], n + more) for key, n in least.items()}
            return not fits(self.size())

        longest = max(most[key] - least[key] for key in least)
        is_too_long(bisect_left(range(1, longest + 1), True, key=is_too_long))


def fit(
    prompt: Prompt,
    images: Sequence[Image],
    choose: Choose,
    *,
    room: int,
    budget: int,
    whole: int,
    rate: float,
) -> Fitted:
    """Return the question and the turns before it that fit into `room` tokens.

    Parameters
    ----------
    prompt, images
        The question, and the images that go along.
    choose
        Returns the earlier turns that have room in a number of tokens.
    room
        Tokens for the question and the turns.
    budget, whole
        The most tokens of a value that is described, and of one that is a text itself.
    rate
        UTF-8 bytes per token.
    """
    question = _Question(prompt, images, rate)
    for value in prompt.values:
        question.allowed[id(value)] = budget if value.summarizes else whole
    wide: list[dict[int, int]] = []
    note = ""
    chosen = choose(room - question.size())
    for what, limit in _steps(budget):
        if not chosen.full and question.size() <= room:
            break
        size, before = question.size(), dict(question.allowed)
        if question.shrink(limit) and question.size() < size:
            note = what
            wide.append(before)
            chosen = choose(room - question.size())
    if question.size() <= room:
        # Turns are sent whole or not at all: the room that is left is the values'.
        sent = len(chosen.turns)
        for most in reversed(wide):
            question.grow(
                most, lambda n: n <= room and len(choose(room - n).turns) == sent
            )
    elif prompt.values and _cut(question, room):
        note = "values were shortened"
    notes = (f"{note} to fit the context",) if note else ()
    excess = max(question.size() - room, 0)
    return Fitted(question.message(), chosen, notes, excess)


def _steps(budget: int) -> Iterator[tuple[str, Callable[[Described], int]]]:
    yield "example rows were left out", lambda value: value.least
    yield "long values were shortened", lambda _: budget


def _cut(question: _Question, room: int) -> bool:
    """Shorten the values until the question fits, or they are as short as can be."""
    before = dict(question.allowed)
    values = question.prompt.values
    for _ in range(8):
        excess = question.size() - room
        if excess <= 0:
            break
        each = max(question.allowed[id(value)] for value in values)
        share = -(-excess // len(values))
        if not question.shrink(lambda _, most=each - share: most):  # type: ignore[misc]
            break
    return question.allowed != before
