"""The events and errors of text-generation-inference 0.9, the old service's engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["KEEP_ALIVE", "STATUS", "TokenEvent", "encode", "error", "notice"]

#: A comment line; says on a silent stream that the server is alive.
KEEP_ALIVE = b":\n\n"

#: HTTP status of an error type, where the answer is not a stream.
STATUS: Mapping[str, int] = {
    "validation": 422,
    "generation": 424,
    "overloaded": 429,
}


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One token, and with the last one the whole answer.

    Attributes
    ----------
    token_id : int
        Its place in the vocabulary.
    text : str
        The text it adds.
    logprob : float or None
        Its log probability.
    special : bool
        True for a token that is no text, such as the end token.
    generated_text : str or None
        The whole answer, in the last event.
    details : dict or None
        How the answer came about, in the last event where it was asked for.
    answer : str
        What to remember of the answer, in the last event: without the prompt and
        without a stop text. Not part of the wire.
    notice : str or None
        What is done before the answer begins, for a reader; see :func:`notice`.
    more : bool
        The next event follows at once, so that both may be sent together. Not part of
        the wire.
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

    def as_json(self) -> dict[str, Any]:
        """Return the event's object as it stands in the stream."""
        token = {"id": self.token_id, "text": self.text}
        event: dict[str, Any] = {
            "token": {**token, "logprob": self.logprob, "special": self.special},
            "generated_text": self.generated_text,
            "details": self.details,
        }
        if self.notice is not None:
            event["h2o_magic"] = {"notice": self.notice}
        return event


def notice(words: str) -> TokenEvent:
    """Return the event that tells a client what is being done; empty takes it back.

    Ours: the old engine had none. It is a special token without text, which its
    clients skip, also those that take a token in each event for granted.
    """
    return TokenEvent(-1, "", None, special=True, notice=words)


def error(message: str, error_type: str) -> dict[str, str]:
    """Return an error's object, as it stands in a stream or in a body of its own."""
    return {"error": message, "error_type": error_type}


def encode(event: Mapping[str, Any]) -> bytes:
    """Return an event's bytes in a stream: no space after ``data:``, as in 2023."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return b"data:" + text.encode("utf-8", errors="replace") + b"\n\n"
