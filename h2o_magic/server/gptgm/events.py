"""The events of text-generation-inference 0.9, the engine of the gpt-gm service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One token, and with the last one the whole answer.

    `special` is a token without text, such as the end token. In the last event `answer`
    is what to remember: without the prompt and without a stop text; and `counts` are
    the tokens read and written.
    """

    token_id: int
    text: str
    logprob: float | None
    special: bool
    generated_text: str | None = None
    details: Mapping[str, Any] | None = None
    answer: str = ""
    counts: tuple[int, int] = (0, 0)

    def encode(self) -> bytes:
        """Return the event's bytes; without a space after ``data:``, as it was."""
        token = {"id": self.token_id, "text": self.text}
        event: dict[str, Any] = {
            "token": {**token, "logprob": self.logprob, "special": self.special},
            "generated_text": self.generated_text,
            "details": self.details,
        }
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        return b"data:" + text.encode("utf-8", errors="replace") + b"\n\n"
