"""What a run would ask: its counts and estimates, as Markdown and as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from h2o_magic.config.units import counted, time_in_words
from h2o_magic.rendering.excess import cut_fences
from h2o_magic.rendering.fences import fenced
from h2o_magic.tables.pacing.price import Price, amount
from h2o_magic.tables.running.usage import RunUsage
from h2o_magic.tables.view import MARKDOWN, PLAIN, Form

#: Characters of a prompt that are shown of its beginning, and of its end.
_SHOWN = 1000


class Estimate(NamedTuple):
    """About how much something will be, and between what it lies most likely."""

    value: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would ask.

    Attributes
    ----------
    prompts : tuple of str
        The first ones that differ, filled.
    rows, distinct, known : int
        The rows; how many different prompts they have, and how many of those had an
        answer before.
    unusable : int
        Rows that cannot be asked.
    left : int
        Different prompts that a run would ask now.
    sampled, failed : int
        How many rows were asked for this; those of them that got an error.
    keeps : bool
        Whether a run takes the answers of the sampled rows, and asks them no more.
    used : RunUsage
        What the sampled rows took.
    read, written : Estimate or None
        Tokens of the rows that are left; None where the server counts none.
    seconds : Estimate or None
        How long they take with `width` rows at once.
    cost : Estimate or None
        What they cost, in the currency of the price; None without one.
    price : Price or None
        What a million tokens cost.
    budget : float or None
        What the run may cost.
    trouble : str
        Why no row was asked to its end; empty if one was.
    notes : tuple of str
        What was not put into the prompt as it was typed, and advice.
    """

    prompts: tuple[str, ...]
    rows: int
    distinct: int
    known: int
    unusable: int = 0
    left: int = 0
    sampled: int = 0
    failed: int = 0
    keeps: bool = True
    used: RunUsage = field(default_factory=RunUsage)
    read: Estimate | None = None
    written: Estimate | None = None
    seconds: Estimate | None = None
    cost: Estimate | None = None
    width: int = 0
    price: Price | None = None
    budget: float | None = None
    trouble: str = ""
    notes: tuple[str, ...] = ()

    def _repr_markdown_(self) -> str:
        prompts = [
            f"**Prompt {number}**\n\n{fenced(cut_fences(_short(text)), 'text')}"
            for number, text in enumerate(self.prompts, 1)
        ]
        return self._shown(prompts, MARKDOWN)

    def __repr__(self) -> str:
        return self._shown(map(_short, self.prompts), PLAIN)

    def _shown(self, prompts: Iterable[str], form: Form) -> str:
        words = form.words
        parts = [*prompts, words(self._counts())]
        if rows := self._estimates():
            head = [f"{counted(self.left, 'row')} to ask", "estimate", "range"]
            parts.append(form.table(head, rows))
        if self.sampled:
            parts.append(words(self._sample()))
        if self.budget is not None and self.cost is not None:
            parts += [words(told)] if (told := self._enough(self.budget)) else []
        if self.trouble:
            parts.append(f"No row was answered: {form.foreign(self.trouble)}")
        parts += [words(f"Note: {note}.") for note in self.notes]
        return "\n\n".join(parts)

    def _counts(self) -> str:
        parts = [counted(self.rows, "row")]
        if self.distinct < self.rows - self.unusable:
            parts.append(f"{self.distinct:,} different")
        parts.append(f"{self.known:,} known")
        if self.unusable:
            parts.append(f"{self.unusable:,} cannot be asked")
        if self.sampled:
            parts.append(f"{self.sampled:,} asked for this preview")
        return " · ".join([*parts, f"{self.left:,} to ask"])

    def _estimates(self) -> list[list[str]]:
        rows = []
        for name, found, in_words in (
            ("tokens read", self.read, _number),
            ("tokens written", self.written, _number),
            ("time", self.seconds, time_in_words),
            ("cost", self.cost, amount),
        ):
            if found is not None:
                about, least, most = map(in_words, found)
                range_ = [] if least == most else [f"{least} to {most}"]
                if found is self.seconds:
                    range_.append(f"{counted(self.width, 'row')} at once")
                rows.append([name, about, ", ".join(range_)])
        return rows

    def _enough(self, budget: float) -> str:
        """Return for how many rows a budget is enough; nothing if it is for all."""
        cost = self.cost.value if self.cost is not None else 0.0
        if cost <= budget:
            return ""
        rows = counted(int(self.left * budget / cost), "row")
        return (
            f"The budget of {amount(budget)} is enough for about {rows}: the run stops "
            "there."
        )

    def _sample(self) -> str:
        """Return what the rows took that were asked for this."""
        used, parts = self.used, []
        if self.failed:
            parts.append(counted(self.failed, "error"))
        if used.tokens:
            read, written = used.prompt_tokens, used.completion_tokens
            parts.append(f"{read:,} tokens read and {written:,} written")
            if self.price is not None:
                parts.append(f"cost {amount(self.price.cost(read, written))}")
        asked = f"The preview asked {counted(self.sampled, 'row')}"
        told = f"{asked}: {', '.join(parts)}." if parts else f"{asked}."
        if self.trouble:
            return told
        if not self.keeps:
            return f"{told} The run asks them again."
        if not self.left:
            return f"{told} Their answers are kept: no row is left to ask."
        return f"{told} Their answers are kept, so the run does not ask them again."


def _short(prompt: str) -> str:
    """Return a prompt without its middle, if it is long."""
    more = len(prompt) - 2 * _SHOWN
    if more <= 0:
        return prompt
    left_out = f"[{counted(more, 'character')} not shown]"
    return f"{prompt[:_SHOWN]}\n{left_out}\n{prompt[-_SHOWN:]}"


def _number(value: float) -> str:
    """Return a count with two digits that mean something: an estimate has no more."""
    digits = max(len(str(int(value))) - 3, 0)
    return f"{round(value, -digits):,.0f}"
