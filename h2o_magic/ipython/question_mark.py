"""Questions on one line, which IPython would take for requests for its own help.

It reads any line that ends with a word and a question mark as ``word?``.
"""

from __future__ import annotations

import token
from tokenize import TokenInfo

from IPython.core.inputtransformer2 import EscapedCommand, MagicAssign

Lines = list[list[TokenInfo]]


class LineWithQuestionMark(EscapedCommand):
    """``%h2o ask what is this?``; ``%h2o?`` alone still shows the magic's help."""

    priority = 1  # before IPython's own, which has 5

    @classmethod
    def find(cls, tokens_by_line: Lines) -> LineWithQuestionMark | None:
        """Return the place of the first ``%h2o`` line with more than its name."""
        for tokens in tokens_by_line:
            line = [t for t in tokens if t.type not in (token.INDENT, token.DEDENT)]
            if _asks(line[:3]):
                return cls(line[0].start)
        return None


class AssignmentWithQuestionMark(MagicAssign):
    """``x = %h2o ask what is this?``."""

    priority = 1

    def __init__(self, start: tuple[int, int]) -> None:
        # As early as the help, which IPython would take first else.
        super().__init__((start[0], 0))  # type: ignore[no-untyped-call]
        self._column = start[1]

    def transform(self, lines: list[str]) -> list[str]:
        """Return the lines with the question as a call."""
        self.start_col = self._column
        return list(super().transform(lines))

    @classmethod
    def find(cls, tokens_by_line: Lines) -> AssignmentWithQuestionMark | None:
        """Return the place of the first ``%h2o`` that is assigned."""
        for tokens in tokens_by_line:
            for equals, place in zip(tokens, range(1, len(tokens)), strict=False):
                if equals.string == "=" and _asks(tokens[place : place + 3]):
                    return cls(tokens[place].start)
        return None


TRANSFORMERS = (LineWithQuestionMark, AssignmentWithQuestionMark)


def _asks(tokens: list[TokenInfo]) -> bool:
    words = [each.string for each in tokens]
    return words[:2] == ["%", "h2o"] and bool(words[2:] and words[2].strip("?\n"))
