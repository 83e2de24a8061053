"""What of a question fits: its values shrink first, then the oldest turns are left out.

The user's own words are never cut. What does not fit goes in this order: example rows,
the length of long values, the oldest turns, and at last what is left of the values. Of
all of them, no more goes than has to.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
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

    def message(self) -> Message:
        text = self.prompt.written(lambda value: self.allowed[id(value)], self.images)
        return user(text, tuple(self.images))

    def size(self) -> int:
        return estimate([self.message()], self.rate)

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
            allowed = {key: min(most[key], least[key] + more) for key in least}
            self.allowed = allowed
            text = self.message().content  # numbers have more tokens than words
            return not fits(max(self.size(), tokens_in(text)))

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
    steps: tuple[tuple[str, Callable[[Described], int]], ...] = (
        ("example rows were left out", lambda value: value.least),
        ("long values were shortened", lambda _: budget),
    )
    first = question.message()
    notes: list[str] = []
    before: list[dict[int, int]] = []
    size = estimate([first], rate)
    chosen = choose(room - size)
    for note, limit in steps:
        if not (chosen.full or size > room) or not prompt.values:
            break
        wide = dict(question.allowed)
        if question.shrink(limit) and question.size() < size:
            notes.append(note)
            before.append(wide)
            size = question.size()
            chosen = choose(room - size)
    if size <= room:
        # Turns are sent whole or not at all: the room that is left is the values'.
        sent = len(chosen.turns)
        for most in reversed(before):
            question.grow(
                most, lambda n: n <= room and len(choose(room - n).turns) == sent
            )
        size = question.size()
    elif prompt.values and _cut(question, room):
        notes.append("values were shortened")
        size = question.size()
    missing = tuple(f"{note} to fit the context" for note in notes[-1:])
    return Fitted(question.message(), chosen, missing, max(size - room, 0))


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
