"""An answer as it grows, and the facts about it when it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from h2o_magic.chat.continuation import Continued
from h2o_magic.chat.events import (
    Event,
    Finished,
    FinishReason,
    Notice,
    ReasoningDelta,
    Replaced,
    Replay,
    Source,
    TextDelta,
    Usage,
)
from h2o_magic.chat.turns import TurnStatus
from h2o_magic.config.parameter import Value
from h2o_magic.errors import BackendError, StatusError

_OF_FAILURES = ("error", "advice", "http_status")
_OF_STORED = ("replay_key", "first_answered")
_NOT_IN_METADATA = (
    *("demo_told", "writing_seconds", "parameters"),
    *(*_OF_FAILURES, *_OF_STORED),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about an answer beside its text.

    `model` and `weights` are what really answered; `weights` is empty if the server did
    not say. `demo` means that built-in demo weights replaced the model's own, and
    `demo_told` that an earlier answer of the session said so. `stands_in_for` is the
    requested model if another one answered, else empty; `model_chosen` means that the
    user chose that model. `server` is an address.

    `prompt_tokens` and `completion_tokens` are what the server counted, or None;
    `cached_tokens` of the former were not read again. To fit the model's context,
    `dropped_turns` earlier turns were left out, and `cut_tokens` from the question's
    beginning.

    `notes` say what of the question was not sent as meant, one phrase each. `files` are
    the names of the files of text that went along.

    `thread` is empty, and `history` False, for a question outside the conversation. Of
    `earlier_turns`, `sent_turns` were sent; `unfinished_turns` were left out because
    their answers are not complete. `outdated_turns` turns after it were asked before
    this answer replaced another one.

    `seconds_to_first_token` and `seconds` are measured from the question;
    `writing_seconds` by the engine's own clock, where the server reports it.
    `parameters` are the generation parameters that were sent.

    Where answers are stored, `replay_key` is the request's key; `first_answered` is the
    day of a stored answer, empty for one that was asked now.

    Of an answer that failed, `error` says why, mostly in the server's words, `advice`
    what to do about it, and `http_status` is the server's; 0 if it sent none.
    """

    model: str
    weights: str = ""
    demo: bool = False
    stands_in_for: str = ""
    model_chosen: bool = False
    demo_told: bool = False
    server: str = ""
    status: TurnStatus = "complete"
    finish_reason: FinishReason = "end"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    dropped_turns: int = 0
    cut_tokens: int = 0
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
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
    replay_key: str = ""
    first_answered: str = ""
    error: str = ""
    advice: str = ""
    http_status: int = 0

    @property
    def tokens_per_second(self) -> float | None:
        """By the engine's clock if known, else from the first token's arrival."""
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
        facts = {name: getattr(self, name) for name in _IN_METADATA}
        failed = {name: getattr(self, name) for name in _OF_FAILURES if self.error}
        stored = {name: getattr(self, name) for name in _OF_STORED if self.replay_key}
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in (facts | failed | stored).items()
        } | {
            "weights": self.weights or None,
            "demo": self.demo if self.weights else None,
            "stands_in_for": self.stands_in_for or None,
            "notes": list(self.notes),
            "files": list(self.files),
            "parameters": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self.parameters.items()
            },
        }


_IN_METADATA = (
    *(each.name for each in fields(Facts) if each.name not in _NOT_IN_METADATA),
    "tokens_per_second",
    "parameters",
)


def failure_facts(error: BackendError) -> dict[str, Any]:
    """Return the facts about an answer that failed with `error`."""
    words, status, advice = str(error), 0, error.advice
    if advice:
        words = words.removesuffix(f": {advice}")
    if isinstance(error, StatusError):
        said, status = error.server_message, error.status
        words = said if said and (advice or words.endswith(said)) else words
    words = words or type(error).__name__
    return {"error": words, "advice": advice, "http_status": status}


class AnswerRecord:
    """Accumulates the events of one answer.

    `model` is the requested one, until a `Source` event corrects it; `clock` returns
    seconds. `continues` is an earlier answer's text that this one adds to.
    """

    def __init__(
        self,
        model: str,
        *,
        parameters: Mapping[str, Value] | None = None,
        continues: str = "",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clock = clock
        self._started = clock()
        self._first: float | None = None
        self._ended: float | None = None
        self._continued = Continued(continues)
        self._parts: list[str] = []
        self._reasoning: list[str] = []
        self._notice, self._noticed = Notice(""), self._started
        self._source = Source(model)
        self._usage = Usage()
        self._replay = Replay("")
        self._parameters = dict(parameters or {})
        self._reason: FinishReason = "unknown"
        self._status: TurnStatus = "failed"

    @property
    def text(self) -> str:
        """The answer's text so far."""
        return self._continued.with_more(self.added)

    @property
    def added(self) -> str:
        """What the model has added to the text that it continues, or all."""
        return "".join(self._parts)

    @property
    def reasoning(self) -> str:
        """The reasoning so far, which is not part of the answer's text."""
        return "".join(self._reasoning)

    @property
    def notice(self) -> str:
        """What the server is doing before the first text; empty if it did not say."""
        return "" if self._parts or self._reasoning else self._notice.words

    @property
    def waited(self) -> float:
        """Seconds since the server began to do that."""
        return self._clock() - self._noticed

    @property
    def ended(self) -> bool:
        """Whether the end is known: a final event came, or :meth:`end` was called."""
        return self._ended is not None

    def add(self, event: Event) -> None:
        """Add one event of the answer."""
        match event:
            case TextDelta(text) | Replaced(text):
                if text and self._first is None:
                    self._first = self._clock()
                if isinstance(event, Replaced):
                    self._parts.clear()
                self._parts.append(text)
            case Source():
                self._source = event
            case Usage():
                self._usage = event
            case Finished(text, reason):
                self._parts = [text]
                self._reason = reason
                self.end("stopped" if reason == "stopped" else "complete")
            case Replay():
                self._replay = event
            case ReasoningDelta(text):
                self._reasoning.append(text)
            case Notice(text):
                if text != self._notice.text:
                    self._noticed = self._clock()
                self._notice = event

    def end(self, status: TurnStatus) -> None:
        """Record how the answer ended; only the first call counts."""
        if self._ended is None:
            self._ended = self._clock()
            self._status = status
            if status == "stopped":
                self._reason = "stopped"

    @property
    def facts(self) -> Facts:
        """The facts so far; the status is ``failed`` until the answer has ended."""
        ended = self._clock() if self._ended is None else self._ended
        first = None if self._first is None else self._first - self._started
        replay = self._replay
        return Facts(
            model=self._source.model,
            weights=self._source.weights,
            demo=self._source.demo,
            stands_in_for=self._source.stands_in_for,
            status=self._status,
            finish_reason=self._reason,
            prompt_tokens=self._usage.prompt_tokens,
            completion_tokens=self._usage.completion_tokens,
            cached_tokens=self._usage.cached_tokens,
            dropped_turns=self._usage.dropped_turns,
            cut_tokens=self._usage.cut_tokens,
            writing_seconds=self._usage.writing_seconds,
            seconds_to_first_token=replay.first_token if replay.key else first,
            seconds=replay.seconds if replay.key else ended - self._started,
            notes=(replay.why,) if replay.why else (),
            replay_key=replay.key,
            first_answered=replay.first_answered,
            parameters=self._parameters,
        )
