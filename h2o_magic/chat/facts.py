"""An answer as it grows, and the facts about it when it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from h2o_magic.chat.events import (
    Event,
    Finished,
    FinishReason,
    Notice,
    ReasoningDelta,
    Replaced,
    Source,
    TextDelta,
    Usage,
)
from h2o_magic.chat.turns import TurnStatus
from h2o_magic.config.parameter import Value


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about an answer beside its text.

    Attributes
    ----------
    model, weights : str
        What really answered; `weights` is empty if the server did not say.
    demo : bool
        True if built-in demo weights stood in for the model's own.
    stands_in_for : str
        The model that was asked for, where another stood in for it; else empty.
    demo_told : bool
        True if an earlier answer of the session said that demo weights answer.
    server : str
        Address of the server.
    status : {"complete", "stopped", "failed", "incomplete"}
        Whether the text is the whole answer.
    finish_reason : FinishReason
        Why it ended.
    prompt_tokens, completion_tokens : int or None
        Tokens read and written, where the server said so.
    dropped_turns, cut_tokens : int
        Earlier turns that the server left out to fit its context, and tokens at the
        question's beginning where that was not enough.
    thread : str
        The thread it belongs to; empty if none.
    history : bool
        False if it was asked outside the conversation.
    sent_turns, earlier_turns : int or None
        How many of the turns before it the model has read, and how many there are.
    unfinished_turns : int
        How many of those were left out since their answers are not whole.
    outdated_turns : int
        How many turns after it were asked on the answer that it replaces.
    seconds_to_first_token, seconds : float or None
        From the question to the first text, and to the end.
    writing_seconds : float or None
        How long the engine was writing, by its own clock, where the server said so.
    parameters : mapping
        The generation parameters that were sent.
    """

    model: str
    weights: str = ""
    demo: bool = False
    stands_in_for: str = ""
    demo_told: bool = False
    server: str = ""
    status: TurnStatus = "complete"
    finish_reason: FinishReason = "end"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    dropped_turns: int = 0
    cut_tokens: int = 0
    thread: str = ""
    history: bool = True
    sent_turns: int | None = None
    earlier_turns: int | None = None
    unfinished_turns: int = 0
    outdated_turns: int = 0
    seconds_to_first_token: float | None = None
    seconds: float = 0.0
    writing_seconds: float | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)

    @property
    def tokens_per_second(self) -> float | None:
        """Speed of writing; None where it cannot be known.

        By the engine's clock if the server tells it, else from the first token's
        arrival to the end.
        """
        if self.completion_tokens and self.writing_seconds:
            return self.completion_tokens / self.writing_seconds
        if self.seconds_to_first_token is None or not self.completion_tokens:
            return None
        writing = self.seconds - self.seconds_to_first_token
        if self.completion_tokens < 2 or writing <= 0:
            return None
        return (self.completion_tokens - 1) / writing

    def as_metadata(self) -> dict[str, Any]:
        """Return the facts as JSON values, for an output's metadata."""

        def rounded(number: float | None) -> float | None:
            return None if number is None else round(number, 3)

        return {
            "model": self.model,
            "weights": self.weights or None,
            "demo": self.demo if self.weights else None,
            "stands_in_for": self.stands_in_for or None,
            "server": self.server,
            "status": self.status,
            "finish_reason": self.finish_reason,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "dropped_turns": self.dropped_turns,
            "cut_tokens": self.cut_tokens,
            "thread": self.thread,
            "history": self.history,
            "sent_turns": self.sent_turns,
            "earlier_turns": self.earlier_turns,
            "unfinished_turns": self.unfinished_turns,
            "outdated_turns": self.outdated_turns,
            "seconds_to_first_token": rounded(self.seconds_to_first_token),
            "seconds": rounded(self.seconds),
            "tokens_per_second": rounded(self.tokens_per_second),
            "parameters": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self.parameters.items()
            },
        }


class AnswerRecord:
    """Accumulates the events of one answer.

    Parameters
    ----------
    model
        The model that was asked for; a `Source` event may correct it.
    parameters
        What was sent, for the facts.
    clock
        Returns seconds; only differences are used.
    """

    def __init__(
        self,
        model: str,
        *,
        parameters: Mapping[str, Value] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clock = clock
        self._started = clock()
        self._first: float | None = None
        self._ended: float | None = None
        self._parts: list[str] = []
        self._reasoning: list[str] = []
        self._notice = ""
        self._source = Source(model)
        self._usage = Usage()
        self._parameters = dict(parameters or {})
        self._reason: FinishReason = "unknown"
        self._status: TurnStatus = "failed"

    @property
    def text(self) -> str:
        """The answer's text so far."""
        return "".join(self._parts)

    @property
    def reasoning(self) -> str:
        """The reasoning's text so far, which is no part of the answer's."""
        return "".join(self._reasoning)

    @property
    def notice(self) -> str:
        """What the server is doing before the first text; empty if it did not say."""
        return "" if self._parts else self._notice

    @property
    def ended(self) -> bool:
        """Whether the end is known: a final event came, or :meth:`end` was called."""
        return self._ended is not None

    def add(self, event: Event) -> None:
        """Take one event of the answer."""
        match event:
            case TextDelta(text):
                self._mark_first(text)
                self._parts.append(text)
            case Replaced(text):
                self._mark_first(text)
                self._parts = [text]
            case Source():
                self._source = event
            case Usage():
                self._usage = event
            case Finished(text, reason):
                self._parts = [text]
                self._reason = reason
                self.end("stopped" if reason == "stopped" else "complete")
            case ReasoningDelta(text):
                self._reasoning.append(text)
            case Notice(text):
                self._notice = text

    def end(self, status: TurnStatus) -> None:
        """Note how the answer ended; the first call counts."""
        if self._ended is None:
            self._ended = self._clock()
            self._status = status
            if status == "stopped":
                self._reason = "stopped"

    @property
    def facts(self) -> Facts:
        """The facts so far; a running answer counts as failed until it has ended."""
        ended = self._clock() if self._ended is None else self._ended
        first = None if self._first is None else self._first - self._started
        return Facts(
            model=self._source.model,
            weights=self._source.weights,
            demo=self._source.demo,
            stands_in_for=self._source.stands_in_for,
            status=self._status,
            finish_reason=self._reason,
            prompt_tokens=self._usage.prompt_tokens,
            completion_tokens=self._usage.completion_tokens,
            dropped_turns=self._usage.dropped_turns,
            cut_tokens=self._usage.cut_tokens,
            writing_seconds=self._usage.writing_seconds,
            seconds_to_first_token=first,
            seconds=ended - self._started,
            parameters=self._parameters,
        )

    def _mark_first(self, text: str) -> None:
        if text and self._first is None:
            self._first = self._clock()
