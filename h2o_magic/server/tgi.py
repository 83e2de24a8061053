"""The events of text-generation-inference 0.9, the engine of the gpt-gm service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: A comment line; says on a silent stream that the server is alive.
KEEP_ALIVE = b":\n\n"


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One token, and with the last one the whole answer, with its details if asked for.

    `special` is a token that is no text, such as the end token. `answer` is what to
    remember, in the last event: without the prompt and without a stop text. With `more`
    the next event follows at once, so that both may be sent together; these two are no
    part of the wire. `notice` is what is done before the answer begins.
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
        """Return the event's bytes in a stream; no space after ``data:``, as it was."""
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
    """Return the event that tells a client what is being done; empty takes it back.

    Ours: a special token without text, which clients of the old engine skip, also those
    that take a token in each event for granted.
    """
    return TokenEvent(-1, "", None, special=True, notice=words)
