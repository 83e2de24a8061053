"""What a backend yields while an answer comes: one class for each kind of event.

The order is: any number of `TextDelta`, `ReasoningDelta` and `Replaced`, with `Source`,
`Notice` and `Usage` anywhere between, then exactly one `Finished`. A backend that
cannot end like this raises a :class:`~h2o_magic.errors.BackendError` instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

#: Why an answer ended: the model was done, a stop text came, the token limit was
#: reached, somebody stopped it, or the server did not say.
FinishReason = Literal["end", "stop_text", "length", "stopped", "unknown"]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Answer text to append to what is shown."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Text of the model's reasoning, kept apart from the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """The whole answer so far: what was shown before it is void."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What the server is doing before the answer begins; no part of the answer.

    The text is the server's, for a reader; empty if there is nothing to say any more.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """What really answers.

    Attributes
    ----------
    model : str
        The model's name as the server knows it.
    weights : str
        The weights that produce the text, in words fit for a reader; empty if the
        server does not say.
    demo : bool
        True if built-in demo weights stand in for the model's own.
    schema : bool
        True if the server holds the answer to the JSON schema of the request.
    stands_in_for : str
        The model that was asked for, where another answers; else empty.
    """

    model: str
    weights: str = ""
    demo: bool = False
    schema: bool = False
    stands_in_for: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """How much was read and written, in tokens; None where the server does not say.

    `dropped_turns` counts earlier turns that the server left out to fit its context.
    `writing_seconds` is how long the engine was writing, by its own clock.
    `cut_tokens` counts tokens at the question's beginning that were left out, too.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    dropped_turns: int = 0
    writing_seconds: float | None = None
    cut_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer has ended.

    Attributes
    ----------
    text : str
        The answer of record.
    reason : FinishReason
        Why it ended.
    """

    text: str
    reason: FinishReason = "end"


Event: TypeAlias = (
    TextDelta | ReasoningDelta | Replaced | Notice | Source | Usage | Finished
)
