"""Answers are stored as they came, and given again: at once, or in their own time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.backends.replay.entry import StoredAnswer
from h2o_magic.backends.replay.streams import Recording, Replaying
from h2o_magic.chat.events import (
    Event,
    Finished,
    Notice,
    ReasoningDelta,
    Replaced,
    Replay,
    Source,
    TextDelta,
    Usage,
)

TOLD = Replay("ab" * 32)


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def recorded(*timed: tuple[float, Event]) -> tuple[StoredAnswer, list[Event]]:
    """Return what is kept of events that come at some seconds, and what is told."""
    clock, kept = Clock(), []

    def events() -> Iterator[Event]:
        for seconds, event in timed:
            clock.now = 100 + seconds
            yield event

    def keep(answer: StoredAnswer) -> tuple[Replay, str]:
        kept.append(answer)
        return TOLD, answer.text

    told = list(Recording(events(), keep, clock))
    (answer,) = kept
    return answer, told


def again(answer: StoredAnswer, speed: float = 0.0) -> list[Event]:
    return list(Replaying(answer, TOLD, speed))


TIMED: tuple[tuple[float, Event], ...] = (
    (0.1, Source("m", "w")),
    (0.2, Notice("Loading")),
    (0.5, ReasoningDelta("Let me ")),
    (0.75, ReasoningDelta("see.")),
    (1.0, TextDelta("I am ")),
    (1.25, TextDelta("")),
    (1.5, TextDelta("a model.")),
    (1.75, Usage(7, 4)),
    (2.0, Finished("I am a model.", "stop_text")),
)


def test_an_answer_is_kept_with_its_pieces_and_their_times() -> None:
    answer, told = recorded(*TIMED)
    events = [event for _, event in TIMED]
    assert told == [*events[:-1], TOLD, events[-1]]
    assert (answer.text, answer.pieces) == ("I am a model.", ((1000, 5), (1500, 8)))
    assert answer.reasoning == "Let me see."
    assert answer.reasoning_pieces == ((500, 7), (750, 4))
    assert (answer.seconds, answer.first_token) == (2.0, 1.0)
    assert (answer.source, answer.usage) == (Source("m", "w"), Usage(7, 4))
    assert answer.finish_reason == "stop_text"


def test_it_is_given_again_at_once() -> None:
    answer, _ = recorded(*TIMED)
    assert again(answer) == [
        Source("m", "w"),
        ReasoningDelta("Let me see."),
        TextDelta("I am a model."),
        Usage(7, 4),
        TOLD,
        Finished("I am a model.", "stop_text"),
    ]


@pytest.mark.parametrize("speed", [1.0, 4.0, 0.5])
def test_it_is_given_again_in_its_own_time(
    speed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, _ = recorded(*TIMED)
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    replaying = Replaying(answer, TOLD, speed)

    class Waits(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            clock.now += timeout or 0
            return self.is_set()

    replaying._closed = Waits()
    at = [(round((clock.now - 100) * speed, 6), event) for event in replaying]
    assert at == [
        (0, Source("m", "w")),
        (0.5, ReasoningDelta("Let me ")),
        (0.75, ReasoningDelta("see.")),
        (1, TextDelta("I am ")),
        (1.5, TextDelta("a model.")),
        *((2, Usage(7, 4)), (2, TOLD), (2, Finished("I am a model.", "stop_text"))),
    ]


def test_text_that_was_replaced_is_kept_in_its_final_form() -> None:
    end = Finished("The end.")
    answer, _ = recorded((1, TextDelta("The bad")), (2, Replaced("The end.")), (3, end))
    assert (answer.text, answer.pieces) == ("The end.", ((2000, 8),))
    assert answer.first_token == 1.0
    answer, _ = recorded((1, TextDelta("Th")), (2, TextDelta("e enp.")), (3, end))
    assert (answer.text, answer.pieces) == ("The end.", ((3000, 8),))
    answer, _ = recorded((1, Replaced("The ")), (2, TextDelta("end.")), (3, end))
    assert answer.pieces == ((1000, 4), (2000, 4))
    assert again(answer, 1e9) == [
        *(TextDelta("The "), TextDelta("end."), TOLD, end),
    ]


def test_an_answer_without_text_or_usage_is_given_again() -> None:
    answer, told = recorded((1, Finished("")))
    assert told == [TOLD, Finished("")]
    assert (answer.pieces, answer.first_token, answer.usage) == ((), None, None)
    assert again(answer) == again(answer, 1e9) == told


TEXT = st.sampled_from(["", "a", "é😀", "\n"])
EVENTS = st.one_of(
    st.builds(kind, TEXT) for kind in (TextDelta, ReasoningDelta, Replaced)
)


@given(st.lists(EVENTS, max_size=8), st.none() | TEXT)
def test_what_is_given_again_ends_as_the_answer_did(
    events: list[Any], final: str | None
) -> None:
    text, reasoning = "", ""
    for event in events:
        if isinstance(event, ReasoningDelta):
            reasoning += event.text
        else:
            text = event.text if isinstance(event, Replaced) else text + event.text
    end = Finished(text if final is None else final)
    answer, _ = recorded(*((n / 10, event) for n, event in enumerate([*events, end])))
    answer = StoredAnswer.of_json(answer.as_json(TOLD.key), TOLD.key)
    for speed in (0.0, 1e9):
        *deltas, told, last = again(answer, speed)
        said = [each.text for each in deltas if isinstance(each, TextDelta)]
        thought = [each.text for each in deltas if isinstance(each, ReasoningDelta)]
        assert ("".join(said), "".join(thought)) == (end.text, reasoning)
        assert (told, last) == (TOLD, end)
        assert all(said + thought)


# Closed from another thread


def test_a_replay_that_waits_is_closed_from_another_thread() -> None:
    pieces = ((0, 1), (10**12, 1))  # the second comes in 31 years
    answer = StoredAnswer({}, "ab", 0.0, pieces, seconds=1e9)
    replaying = Replaying(answer, TOLD, 1.0)
    assert next(replaying) == TextDelta("a")
    rest: list[list[Event]] = []
    waiting = threading.Thread(target=lambda: rest.append(list(replaying)))
    waiting.start()
    replaying.close()
    waiting.join(10)
    assert rest == [[]]


def test_a_recording_that_waits_is_closed_from_another_thread() -> None:
    class Slow(Iterator[Event]):
        closed, reached = threading.Event(), threading.Event()

        def __next__(self) -> Event:
            self.reached.set()
            assert self.closed.wait(10)
            raise StopIteration

        def close(self) -> None:
            self.closed.set()

    def keep(_: StoredAnswer) -> tuple[Replay, str]:
        raise AssertionError("an answer that was stopped is not complete")

    slow = Slow()
    recording = Recording(slow, keep)
    rest: list[list[Event]] = []
    waiting = threading.Thread(target=lambda: rest.append(list(recording)))
    waiting.start()
    assert slow.reached.wait(10)
    recording.close()
    waiting.join(10)
    assert rest == [[]]


@pytest.mark.parametrize("speed", [1e-300, 1e-5, 1e300])
def test_no_speed_is_too_slow_or_too_fast(speed: float) -> None:
    replaying = Replaying(recorded(*TIMED)[0], TOLD, speed)
    assert next(replaying) == Source("m", "w")
    replaying.close()
    assert list(replaying) == []
