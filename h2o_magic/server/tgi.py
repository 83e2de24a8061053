"""The events of text-generation-inference 0.9, the engine of the gpt-gm service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: A comment line that shows on a silent stream that the server is alive.
KEEP_ALIVE = b":\n\n"


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One token, and with the last one the whole answer.

    `special` is a token without text, such as the end token. In the last event `answer`
    is what to remember: without the prompt and without a stop text. With `more` the
    next event follows at once; these two are not sent. `notice` precedes the answer.
    """

    token_id: int
    text: str
    logprob: float | None
    special: bool
    generated_text: str | None = None
    details: Mapping[str, Any] | None = None
    answer: str = ""
    notice: str | None = None
    more: bool = False

    def encode(self) -> bytes:
        """Return the event's bytes; without a space after ``data:``, as it was."""
        token = {"id": self.token_id, "text": self.text}
        event: dict[str, Any] = {
            "token": {**token, "logprob": self.logprob, "special": self.special},
            "generated_text": self.generated_text,
            "details": self.details,
        }
        if self.notice is not None:
            event["h2o_magic"] = {"notice": self.notice}
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        return b"data:" + text.encode("utf-8", errors="replace") + b"\n\n"


def notice(words: str) -> TokenEvent:
    """Say what is being done, in a token that old clients skip; empty withdraws it."""
    return TokenEvent(-1, "", None, special=True, notice=words)
