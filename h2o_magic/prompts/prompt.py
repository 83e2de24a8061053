"""A prompt: what was typed, the values that it names, and what is sent of them.

Values are read when the prompt is made, and written when it is known how much the model
holds: a `Described` value is a snapshot that can be written in fewer tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
    all of that in its only part; `sent_files` are the names of the files in it.
    """

    typed: str
    parts: tuple[str | Described, ...]
    appended: tuple[Appended, ...] = ()
    files: tuple[Appended, ...] = ()
    images: tuple[Attached, ...] = ()
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    was_sent: bool = False
    sent_files: tuple[str, ...] = ()

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
    def file_names(self) -> tuple[str, ...]:
        """The names of the files of text that go along, in order."""
        return (*self.sent_files, *(each.name for each in self.files))

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
            f"{_heading(each.name)}{each.value.text(tokens(each.value))}"
            for each in (*self.appended, *self.files)
        ]
        pictures = _images_line(image.name for image in images)
        return "\n\n".join(filter(None, [question.strip(), *values, pictures]))


def files_in(sent: str, names: Sequence[str], images: Iterable[Image]) -> list[str]:
    """Return the texts of the files with these names in a prompt that was written.

    Empty if they cannot be told from the rest: a text may hold another's heading.
    """
    text = sent.removesuffix(f"\n\n{_images_line(image.name for image in images)}")
    headings = [f"\n\n{_heading(name)}" for name in names]
    if any(text.count(heading) != 1 for heading in headings):
        return []
    found: list[str] = []
    for heading in reversed(headings):
        text, _, file = text.rpartition(heading)
        found.insert(0, file)
    return found if text else []


def _heading(name: str) -> str:
    return f"`{name}`:\n\n"


def _images_line(names: Iterable[str]) -> str:
    quoted = ", ".join(f"`{name}`" for name in names)
    return f"Images: {quoted}" if quoted else ""
