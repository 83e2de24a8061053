"""What a backend yields during an answer: one class for each kind of event.

The order is: any number of `TextDelta`, `ReasoningDelta` and `Replaced`, with `Source`,
`Notice`, `Usage` and `RateLimit` anywhere between, then exactly one `Finished`. A
backend that cannot end like this raises a :class:`~h2o_magic.errors.BackendError`
instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

#: Why an answer ended: the model was done, it wrote a stop text, it reached the token
#: limit, the user stopped it, or the server did not say.
FinishReason = Literal["end", "stop_text", "length", "stopped", "unknown"]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text to append to the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Text of the model's reasoning, kept apart from the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """The whole answer so far, which replaces all text before it."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What the server is doing before the answer begins, in its own words.

    An empty text removes the notice. `progress` says how much of it is done, from 0 to
    1; None where that is unknown.
    """

    text: str
    progress: float | None = None

    @property
    def words(self) -> str:
        """The text with the progress: ``Reading 2,048 tokens, 30 %``."""
        done = "" if self.progress is None else f", {self.progress:.0%}"
        return f"{self.text}{done.replace('%', ' %')}"


@dataclass(frozen=True, slots=True)
class Source:
    """What really answers.

    `model` is the server's name for it; `weights` describes its weights for the user,
    and is empty if the server does not say. `demo` means that built-in demo weights
    replace the model's own. With `schema`, the server enforces the JSON schema of the
    request. `stands_in_for` is the requested model if another one answers, else empty.
    """

    model: str
    weights: str = ""
    demo: bool = False
    schema: bool = False
    stands_in_for: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written; None where the server does not say.

    `cached_tokens` of the prompt's were not read again. To fit the model's context,
    `dropped_turns` earlier turns were left out, and `cut_tokens` tokens at the
    question's beginning. `writing_seconds` is how long the engine was writing, by its
    own clock.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    dropped_turns: int = 0
    writing_seconds: float | None = None
    cut_tokens: int = 0
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """How an answer stands to the stored ones, where answers are stored.

    `key` is that of its request. `first_answered` is the day on which a stored answer
    was given, as ``2026-11-28``; empty for one that was asked now, and `why` says why
    it was, if a stored one could have been expected. `seconds` and `first_token` are
    what it took then; the latter may be None.
    """

    key: str
    first_answered: str = ""
    why: str = ""
    seconds: float = 0.0
    first_token: float | None = None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What a server says about its limits; only backends for many questions tell it.

    `remaining` requests are left until `reset` seconds from now, of `limit` in all;
    None where it does not say.
    """

    remaining: int | None = None
    reset: float | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer has ended; `text` is the final version of all of it."""

    text: str
    reason: FinishReason = "end"


Event: TypeAlias = (
    TextDelta
    | ReasoningDelta
    | Replaced
    | Notice
    | Source
    | Usage
    | Replay
    | RateLimit
    | Finished
)
