"""What a run would ask: its counts and guesses, as Markdown and as plain text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from h2o_magic.config.units import counted, time_in_words
from h2o_magic.rendering import tables
from h2o_magic.rendering.excess import cut_fences
from h2o_magic.rendering.fences import fenced
from h2o_magic.rendering.literal import literal, one_line, phrase, without_marks
from h2o_magic.tables.pacing.price import Price, amount

_HEAD = ["to ask", "about", "most likely"]


class Guess(NamedTuple):
    """About how much something will be, and where it lies most likely."""

    value: float
    least: float
    most: float

    def __add__(self, more: object) -> Guess:
        assert isinstance(more, Guess)  # noqa: S101 - not a tuple's sum
        return Guess(*(a + b for a, b in zip(self, more, strict=True)))

    def times(self, factor: float) -> Guess:
        return Guess(*(each * factor for each in self))


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would ask.

    Attributes
    ----------
    prompts : tuple of str
        The first ones, filled.
    rows, distinct, known : int
        The rows; how many different prompts they have, and how many of those have an
        answer already, without those that were asked for this.
    sampled : int
        How many rows were asked for this; their answers are kept if `keeps`.
    read, written : Guess or None
        Tokens of the rows that have no answer yet; None where the server counts none.
    seconds : Guess or None
        How long they take with `width` rows at once.
    price : Price or None
        What a million tokens cost.
    unusable : int
        Rows that cannot be asked.
    trouble : str
        Why no row was asked to its end; empty if one was.
    notes : tuple of str
        What was not put into the prompt as it was typed, and advice.
    """

    prompts: tuple[str, ...]
    rows: int
    distinct: int
    known: int
    sampled: int = 0
    keeps: bool = True
    read: Guess | None = None
    written: Guess | None = None
    seconds: Guess | None = None
    width: int = 0
    price: Price | None = None
    unusable: int = 0
    trouble: str = ""
    notes: tuple[str, ...] = ()

    @property
    def cost(self) -> Guess | None:
        """What the rows cost that have no answer yet; None without a price."""
        if self.price is None or self.read is None or self.written is None:
            return None
        read = self.read.times(self.price.read / 1e6)
        return read + self.written.times(self.price.written / 1e6)

    def _repr_markdown_(self) -> str:
        return preview_markdown(self)

    def __repr__(self) -> str:
        return preview_plain(self)


def preview_markdown(preview: Preview) -> str:
    """Return it as Markdown: the filled prompts, the rows, the estimate."""
    prompts = [
        f"**Prompt {number}**\n\n{fenced(cut_fences(text), 'text')}"
        for number, text in enumerate(preview.prompts, 1)
    ]
    parts = [*prompts, phrase(_counts(preview))]
    if rows := _rows(preview):
        parts.append(tables.as_markdown(_HEAD, rows))
    if preview.trouble:
        parts.append(f"No row was answered: {literal(preview.trouble)}")
    return "\n\n".join([*parts, *map(phrase, _notes(preview))])


def preview_plain(preview: Preview) -> str:
    """Return it as plain text."""
    parts = [*preview.prompts, _counts(preview)]
    if rows := _rows(preview):
        parts.append(tables.as_text(_HEAD, rows))
    if preview.trouble:
        parts.append(f"No row was answered: {one_line(preview.trouble)}")
    return "\n\n".join([*parts, *map(without_marks, _notes(preview))])


def _counts(preview: Preview) -> str:
    parts = [counted(preview.rows, "row")]
    if preview.distinct < preview.rows - preview.unusable:
        parts.append(f"{preview.distinct:,} different")
    parts.append(f"{preview.known:,} known")
    if preview.unusable:
        parts.append(f"{preview.unusable:,} cannot be asked")
    left = max(preview.distinct - preview.known - preview.sampled, 0)
    return " · ".join([*parts, f"{left:,} to ask"])


def _rows(preview: Preview) -> list[list[str]]:
    rows = []
    for name, guess in (("read", preview.read), ("written", preview.written)):
        if guess is not None:
            rows.append(
                [f"tokens {name}", _number(guess.value), _range(guess, _number)]
            )
    if (seconds := preview.seconds) is not None:
        at_once = f", {counted(preview.width, 'row')} at once"
        range_ = _range(seconds, time_in_words)
        rows.append(["time", time_in_words(seconds.value), range_ + at_once])
    if (cost := preview.cost) is not None:
        rows.append(["cost", amount(cost.value), _range(cost, amount)])
    return rows


def _notes(preview: Preview) -> list[str]:
    notes = [f"Note: {note}." for note in preview.notes]
    if preview.sampled:
        verb = "was" if preview.sampled == 1 else "were"
        asked = f"{counted(preview.sampled, 'row')} {verb} asked for this estimate"
        kept = "the answers are kept, and not asked again"
        notes.append(
            f"{asked}; {kept if preview.keeps else 'the answers are not kept'}."
        )
    return notes


def _range(guess: Guess, form: Callable[[float], str]) -> str:
    least, most = form(guess.least), form(guess.most)
    return least if least == most else f"{least} to {most}"


def _number(value: float) -> str:
    """Return a count with two digits that mean something: an estimate has no more."""
    digits = max(len(str(int(value))) - 3, 0)
    return f"{round(value, -digits):,.0f}"
