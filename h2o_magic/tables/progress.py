"""How far a run is: counts that grow, and what they come to."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

RunState = Literal["running", "done", "stopped", "failed"]


@dataclass
class Progress:
    """The counts of a run.

    Attributes
    ----------
    total : int or None
        The rows; None until all were read.
    done, known, errors : int
        Rows that have their answer or error; those of them that needed no request,
        since their answer was there or an equal row's; those with an error.
    requests, refused : int
        Requests that were sent; those of them that the server had no room for.
    width : int
        How many rows are asked at once.
    prompt_tokens, completion_tokens : int
        As the server counted, of the rows asked in this run.
    seconds : float
        How long the run took, or has taken so far.
    state, reason
        How it stands, and why it ended early.
    """

    total: int | None = None
    done: int = 0
    known: int = 0
    errors: int = 0
    requests: int = 0
    refused: int = 0
    width: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    state: RunState = "running"
    reason: str = ""
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None

    @property
    def seconds(self) -> float:
        return (time.monotonic() if self.ended is None else self.ended) - self.started

    @property
    def asked(self) -> int:
        """Rows that were answered, or failed, by asking."""
        return self.done - self.known

    def end(self, state: RunState, reason: str = "") -> None:
        self.state, self.reason, self.ended = state, reason, time.monotonic()
