"""A prompt: what was typed, the values that it names, and what is sent of them.

Values are read when the prompt is made, and written when it is known how much the model
holds: a `Described` value is a snapshot that can be written in fewer tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from h2o_magic.chat.images import Image


class Described(Protocol):
    """A value as it was when the prompt was made, as text of any length."""

    @property
    def inline(self) -> str:
        """The whole value if it is short enough to stand in a sentence; else empty."""

    @property
    def least(self) -> int:
        """Tokens of its text without example rows; of the whole text if it has none."""

    def text(self, tokens: int) -> str:
        """Return its text in at most `tokens` tokens, or the shortest there is.

        Example rows are left out first, then the middle or the end of what is long; the
        text says how much is.
        """


@dataclass(frozen=True, slots=True)
class Appended:
    """A value that is written below the question, under its name."""

    name: str
    value: Described


@dataclass(frozen=True, slots=True)
class Attached:
    """An image; one that is not `required` is left out for a model without eyes."""

    image: Image
    required: bool = True


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question with the values that it names.

    `typed` is what the user wrote. `parts` are the question itself: text, and values
    that stand in it. Then come the `appended` values, and the `images`. `notes` say
    what was left as it stands, one line each.
    """

    typed: str
    parts: tuple[str | Described, ...]
    appended: tuple[Appended, ...] = ()
    images: tuple[Attached, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str) -> Prompt:
        """Return the prompt of a text that names nothing."""
        return cls(text, (text,))

    @property
    def values(self) -> tuple[Described, ...]:
        """All that can be written in fewer tokens, in order."""
        inside = [part for part in self.parts if not isinstance(part, str)]
        return (*inside, *(each.value for each in self.appended))

    def written(self, tokens: Callable[[Described], int]) -> str:
        """Return what is sent; `tokens` says how many each value may have."""
        question = "".join(
            part if isinstance(part, str) else part.text(tokens(part))
            for part in self.parts
        )
        values = [
            f"`{each.name}`:\n\n{each.value.text(tokens(each.value))}"
            for each in self.appended
        ]
        return "\n\n".join([question, *values])
