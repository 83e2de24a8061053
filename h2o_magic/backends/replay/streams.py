"""The events of an answer: recorded as they come, and given again as they came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from h2o_magic.backends.replay.entry import StoredAnswer
from h2o_magic.chat.events import (
    Event,
    Finished,
    ReasoningDelta,
    Replaced,
    Replay,
    Source,
    TextDelta,
    Usage,
)


@dataclass
class _Text:
    """A text that grows, and when its pieces came."""

    parts: list[str] = field(default_factory=list)
    pieces: list[tuple[int, int]] = field(default_factory=list)

    def add(self, text: str, seconds: float) -> None:
        if text:
            self.parts.append(text)
            self.pieces.append((round(seconds * 1000), len(text)))

    def ended_as(
        self, text: str, seconds: float
    ) -> tuple[str, tuple[tuple[int, int], ...]]:
        """Return its final form with its pieces; one piece if it did not come so."""
        if "".join(self.parts) == text:
            return text, tuple(self.pieces)
        return text, ((round(seconds * 1000), len(text)),) if text else ()


class Recording(Iterator[Event]):
    """The events of an answer that is asked; complete, it is kept before its end.

    `keep` gets the answer, and returns what is told about it, and the text that was
    kept: a later run gives that, and so the same questions follow it.
    """

    def __init__(
        self,
        events: Iterator[Event],
        keep: Callable[[StoredAnswer], tuple[Replay, str]],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._events = events
        self._keep = keep
        self._clock = clock
        self._started = clock()
        self._first: float | None = None
        self._text, self._reasoning = _Text(), _Text()
        self._source: Source | None = None
        self._usage: Usage | None = None
        self._last: Finished | None = None

    def __next__(self) -> Event:
        if self._last is not None:
            last, self._last = self._last, None
            return last
        event = next(self._events)
        self._add(event, self._clock() - self._started)
        if isinstance(event, Finished):
            told, text = self._keep(self._answer(event))
            self._last = replace(event, text=text)
            return told
        return event

    def close(self) -> None:
        """Stop the answer, from any thread."""
        close = getattr(self._events, "close", None)
        if close is not None:
            close()

    def _add(self, event: Event, seconds: float) -> None:
        match event:
            case TextDelta(text) | Replaced(text):
                if text and self._first is None:
                    self._first = seconds
                if isinstance(event, Replaced):
                    self._text = _Text()
                self._text.add(text, seconds)
            case ReasoningDelta(text):
                self._reasoning.add(text, seconds)
            case Source():
                self._source = event
            case Usage():
                self._usage = event

    def _answer(self, end: Finished) -> StoredAnswer:
        seconds = self._clock() - self._started
        text, pieces = self._text.ended_as(end.text, seconds)
        reasoning = "".join(self._reasoning.parts)
        return StoredAnswer(
            request={},
            text=text,
            answered=time.time(),
            pieces=pieces,
            reasoning=reasoning,
            reasoning_pieces=tuple(self._reasoning.pieces),
            finish_reason=end.reason,
            seconds=seconds,
            first_token=self._first,
            source=self._source,
            usage=self._usage,
        )


class Replaying(Iterator[Event]):
    """The events of a stored answer; `speed` 1 as they came, 2 twice as fast, 0 all."""

    def __init__(self, answer: StoredAnswer, told: Replay, speed: float = 0.0) -> None:
        self._closed = threading.Event()
        self._started = time.monotonic()
        self._speed = speed
        self._events = _events(answer if speed > 0 else _in_one_piece(answer), told)

    def __next__(self) -> Event:
        milliseconds, event = next(self._events)
        if self._speed > 0:
            due = self._started + milliseconds / 1000 / self._speed
            left = due - time.monotonic()
            self._closed.wait(min(max(left, 0), threading.TIMEOUT_MAX))
        if self._closed.is_set():
            raise StopIteration
        return event

    def close(self) -> None:
        """Stop the answer, from any thread."""
        self._closed.set()


def _in_one_piece(answer: StoredAnswer) -> StoredAnswer:
    return replace(
        answer,
        pieces=((0, len(answer.text)),) if answer.text else (),
        reasoning_pieces=((0, len(answer.reasoning)),) if answer.reasoning else (),
    )


def _events(answer: StoredAnswer, told: Replay) -> Iterator[tuple[float, Event]]:
    """Yield each event, and when it came, in milliseconds."""
    if answer.source is not None:
        yield 0, answer.source
    deltas = [
        *_deltas(ReasoningDelta, answer.reasoning, answer.reasoning_pieces),
        *_deltas(TextDelta, answer.text, answer.pieces),
    ]
    yield from sorted(deltas, key=lambda delta: delta[0])
    end = answer.seconds * 1000
    if answer.usage is not None:
        yield end, answer.usage
    yield end, told
    yield end, Finished(answer.text, answer.finish_reason)


def _deltas(
    kind: type[TextDelta | ReasoningDelta],
    text: str,
    pieces: tuple[tuple[int, int], ...],
) -> Iterator[tuple[float, Event]]:
    place = 0
    for milliseconds, size in pieces:
        yield milliseconds, kind(text[place : place + size])
        place += size
