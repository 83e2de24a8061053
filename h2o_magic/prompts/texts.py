"""Texts of the notebook that are cut to a number of tokens."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from h2o_magic.chat.tokens import tokens_in
from h2o_magic.config.units import counted
from h2o_magic.prompts.limits import CHARACTERS
from h2o_magic.rendering.fences import fenced

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class LongText:
    """A text that is cut in its middle; with a `language`, one in a block of code.

    `left_out` characters between the halves of `whole` were not kept.
    """

    summarizes: ClassVar[bool] = False
    whole: str
    inline: str = ""
    language: str = ""
    left_out: int = 0

    @classmethod
    def of(cls, text: str, *, longest_inline: int = 0, language: str = "") -> LongText:
        """Return a text; one line of so many characters stands in a sentence."""
        text = _LONE_SURROGATE.sub("\ufffd", text)  # they cannot be encoded
        short = len(text) <= longest_inline and "\n" not in text
        left_out = max(len(text) - CHARACTERS, 0)
        if left_out:
            text = text[: CHARACTERS // 2] + text[-CHARACTERS // 2 :]
        return cls(text, text if short else "", language, left_out)

    @property
    def least(self) -> int:
        return tokens_in(self._cut(len(self.whole)))

    def text(self, tokens: int) -> str:
        return longest(self._cut, len(self.whole), tokens)

    def _cut(self, size: int) -> str:
        left_out = self.left_out + len(self.whole) - size
        tail = size // 2
        text = self.whole
        if left_out:
            note = f"[… {counted(left_out, 'character')} left out …]"
            text = f"{text[: size - tail]}\n{note}\n{text[len(text) - tail :]}"
        return fenced(text.rstrip(), self.language) if self.language else text


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of which the last are left out first."""

    summarizes: ClassVar[bool] = False
    lines: tuple[str, ...]
    inline: str = ""

    @property
    def least(self) -> int:
        return tokens_in(self._cut(len(self.lines)))

    def text(self, tokens: int) -> str:
        return longest(self._cut, len(self.lines), tokens)

    def _cut(self, count: int) -> str:
        shown = list(self.lines[: max(count, 1)])
        if more := len(self.lines) - len(shown):
            shown.append(f"… {counted(more, 'more line')} left out")
        return "\n".join(shown)


def longest(written: Callable[[int], str], size: int, tokens: int) -> str:
    """Return the text of the largest size that fits, of all of them the shortest."""
    if tokens_in(text := written(size)) <= tokens:
        return text
    fits = bisect_right(range(size), tokens, key=lambda n: tokens_in(written(n)))
    return written(max(fits - 1, 0))
