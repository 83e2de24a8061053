"""The requests of a run: one for each row, which differ in the row's text alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from h2o_magic.backends.base import ChatRequest
from h2o_magic.chat.messages import assistant, user
from h2o_magic.tables.template import Place, filled


@dataclass(frozen=True, slots=True)
class RowRequests:
    """What is asked of all rows; it can be pickled.

    `request` is that of a row, but for the text of its last message. `parts` are that
    text: fixed, and places of columns.
    """

    request: ChatRequest
    parts: tuple[str | Place, ...]

    def text(self, row: Sequence[object]) -> str:
        """Return the question of a row; a ConfigurationError says what it lacks."""
        return filled(self.parts, row)

    def of(self, text: str) -> ChatRequest:
        """Return the request of a row's question."""
        *head, last = self.request.messages
        return replace(self.request, messages=(*head, replace(last, content=text)))

    def repair(self, text: str, answer: str, problem: str) -> ChatRequest:
        """Return the request that asks once more for an answer that fits the schema."""
        again = (
            f"This does not fit the JSON schema: {problem}. Answer again, with the "
            "JSON alone."
        )
        asked = self.of(text)
        repair = (assistant(answer), user(again))
        return replace(asked, messages=(*asked.messages, *repair))
