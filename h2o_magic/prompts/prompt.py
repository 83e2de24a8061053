"""A prompt: what was typed, the values that it names, and what is sent of them.

Values are read when the prompt is made, and written when it is known how much the model
holds: a `Described` value is a snapshot that can be written in fewer tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from h2o_magic.chat.images import Image

#: More tokens than any text has.
ALL = 10**9


class Described(Protocol):
    """A value as it was when the prompt was made, as text of any length."""

    @property
    def inline(self) -> str:
        """The whole value if it is short enough to stand in a sentence; else empty."""

    @property
    def summarizes(self) -> bool:
        """True for a description, False for the value itself, such as a long text."""

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
    that stand in it. Then come the `appended` values, attached `files` and the
    `images`. `names` are the variables whose values are written out. `notes` say what
    was left as it stands, one line each. A prompt that `was_sent` before already has
    all of that in its only part.
    """

    typed: str
    parts: tuple[str | Described, ...]
    appended: tuple[Appended, ...] = ()
    files: tuple[Appended, ...] = ()
    images: tuple[Attached, ...] = ()
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    was_sent: bool = False

    @classmethod
    def of(cls, text: str) -> Prompt:
        """Return the prompt of a text that names nothing."""
        return cls(text, (text,))

    def with_attached(self, attached: Iterable[Attached | Appended]) -> Prompt:
        """Return the prompt with files and images that its text does not name."""
        attached = tuple(attached)
        files = [each for each in attached if isinstance(each, Appended)]
        images = [each for each in attached if isinstance(each, Attached)]
        return replace(
            self, files=(*self.files, *files), images=(*self.images, *images)
        )

    @property
    def values(self) -> tuple[Described, ...]:
        """All that can be written in fewer tokens, in order."""
        inside = [part for part in self.parts if not isinstance(part, str)]
        return (*inside, *(each.value for each in (*self.appended, *self.files)))

    def written(
        self, tokens: Callable[[Described], int], images: Iterable[Image] = ()
    ) -> str:
        """Return what is sent; `tokens` says how many each value may have.

        `images` are those that go along, which are named in their order.
        """
        question = "".join(
            part if isinstance(part, str) else part.text(tokens(part))
            for part in self.parts
        )
        if self.was_sent:
            return question
        values = [
            f"`{each.name}`:\n\n{each.value.text(tokens(each.value))}"
            for each in (*self.appended, *self.files)
        ]
        names = ", ".join(f"`{image.name}`" for image in images)
        pictures = [f"Images: {names}"] if names else []
        return "\n\n".join(filter(None, [question.strip(), *values, *pictures]))
