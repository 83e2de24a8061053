"""Texts of the notebook that are cut to a number of tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Protocol

from h2o_magic.chat.tokens import tokens_in
from h2o_magic.config.units import counted
from h2o_magic.prompts.limits import cut_middle
from h2o_magic.rendering.fences import fenced

#: Characters that are kept of a text: most models hold fewer.
LONGEST = 500_000
#: More characters than a token has on average: with fewer a search need not begin.
_CHARACTERS = 10

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Cut(Protocol):
    """A text that can be written with fewer of its parts: characters, lines, values."""

    summarizes: ClassVar[bool] = False

    @property
    def inline(self) -> str:
        return ""

    @property
    def least(self) -> int:
        return tokens_in(self.cut(self.size))

    @property
    def size(self) -> int:
        """How many parts it has."""

    def cut(self, size: int) -> str:
        """Return the text with so many parts, and a note of how many are left out."""

    def text(self, tokens: int) -> str:
        size = min(self.size, tokens * _CHARACTERS)
        text = self.cut(size)
        while size and (needed := tokens_in(text)) > tokens:
            size = min(size * tokens // needed + 1, size - 1)
            text = self.cut(size)
        return text


@dataclass(frozen=True, slots=True)
class LongText(Cut):
    """A text that is cut in its middle; with a `language`, one in a block of code.

    `left_out` characters between the halves of `whole` were not kept.
    """

    whole: str
    inline: str = ""
    language: str | None = None
    title: str = ""
    left_out: int = 0

    @classmethod
    def of(
        cls,
        text: str,
        *,
        longest_inline: int = 0,
        language: str | None = None,
        title: str = "",
    ) -> LongText:
        """Return a text; one line of so many characters stands in a sentence."""
        text = _LONE_SURROGATE.sub("\ufffd", text)  # they cannot be encoded
        short = len(text) <= longest_inline and "\n" not in text
        left_out = max(len(text) - LONGEST, 0)
        if left_out:
            text = text[: LONGEST // 2] + text[-LONGEST // 2 :]
        return cls(text, text if short else "", language, title, left_out)

    @property
    def size(self) -> int:
        return len(self.whole)

    def cut(self, size: int) -> str:
        text = cut_middle(self.whole, size, self.left_out)
        return _framed(text, self.language, self.title)


@dataclass(frozen=True, slots=True)
class Lines(Cut):
    """Lines of which the last are left out first; `left_out` were not kept.

    With a `language` they are the rows of a table, in a block of code.
    """

    lines: tuple[str, ...]
    language: str | None = None
    title: str = ""
    left_out: int = 0

    @property
    def size(self) -> int:
        return len(self.lines)

    @property
    def least(self) -> int:
        return tokens_in(self.cut(self.size if self.language is None else 0))

    def cut(self, size: int) -> str:
        shown = list(self.lines[: max(size, 1)])
        if more := self.left_out + len(self.lines) - len(shown):
            shown.append(f"… {counted(more, 'more line')} left out")
        return _framed("\n".join(shown), self.language, self.title)


def _framed(text: str, language: str | None, title: str) -> str:
    block = text if language is None else fenced(text.rstrip("\n"), language)
    return f"{title}:\n\n{block}" if title else block
