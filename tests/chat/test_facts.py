import json
from collections.abc import Iterable

import pytest

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
from h2o_magic.chat.facts import AnswerRecord, Facts
from h2o_magic.chat.turns import TurnStatus


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def record_of(events: Iterable[Event]) -> AnswerRecord:
    record = AnswerRecord("llama-13b", clock=Clock())
    for event in events:
        record.add(event)
    return record


# Text


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([], ""),
        ([TextDelta("Hel"), TextDelta("lo")], "Hello"),
        ([TextDelta("Hel"), Replaced("Good day"), TextDelta("!")], "Good day!"),
        ([TextDelta("Hello"), Finished("Hello, all.")], "Hello, all."),
        ([TextDelta(" Hello </s>"), Finished("Hello")], "Hello"),
        ([Finished("at once")], "at once"),
        ([TextDelta("a"), Replaced("")], ""),
    ],
)
def test_the_text_is_what_the_events_make_of_it(events: list[Event], text: str) -> None:
    assert record_of(events).text == text


def test_reasoning_is_no_part_of_the_answer() -> None:
    record = record_of([ReasoningDelta("Hm."), TextDelta("Yes."), ReasoningDelta("!")])
    assert record.text == "Yes."


# What is waited for


def test_a_notice_is_told_with_its_progress_until_something_comes() -> None:
    clock = Clock()
    record = AnswerRecord("m", clock=clock)
    record.add(Notice("Reading 2,048 tokens", 0.3))
    assert record.notice == "Reading 2,048 tokens, 30 %"
    clock.now += 5
    record.add(Notice("Reading 2,048 tokens", 0.4))
    assert record.waited == 5  # it is the same that goes on
    record.add(Notice("Loading m"))
    assert (record.notice, record.waited) == ("Loading m", 0)
    record.add(ReasoningDelta("Hm."))
    assert record.notice == ""


# How it ended


def test_an_answer_that_has_not_ended_counts_as_failed() -> None:
    assert record_of([TextDelta("a")]).facts.status == "failed"


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("end", "complete"),
        ("stop_text", "complete"),
        ("length", "complete"),
        ("unknown", "complete"),
        ("stopped", "stopped"),
    ],
)
def test_the_final_event_says_how_it_ended(
    reason: FinishReason, status: TurnStatus
) -> None:
    facts = record_of([TextDelta("a"), Finished("a", reason)]).facts
    assert (facts.status, facts.finish_reason) == (status, reason)


def test_the_first_end_counts() -> None:
    record = record_of([Finished("a", "end")])
    record.end("failed")
    assert (record.facts.status, record.facts.finish_reason) == ("complete", "end")


def test_a_stop_is_also_the_reason() -> None:
    record = record_of([TextDelta("a")])
    record.end("stopped")
    assert (record.facts.status, record.facts.finish_reason) == ("stopped", "stopped")


def test_a_failure_leaves_the_reason_unknown() -> None:
    record = record_of([TextDelta("a")])
    record.end("failed")
    assert (record.facts.status, record.facts.finish_reason) == ("failed", "unknown")


# Who answered, and how much


def test_the_model_that_was_asked_for_stands_until_the_server_says_another() -> None:
    record = record_of([])
    assert record.facts.model == "llama-13b"
    record.add(Source("tiny", "built-in demo weights", demo=True))
    facts = record.facts
    assert (facts.model, facts.weights, facts.demo) == (
        "tiny",
        "built-in demo weights",
        True,
    )


def test_a_model_that_stands_in_for_another_says_for_which() -> None:
    record = record_of([Source("smollm2-135m", "Q4", stands_in_for="llama-13b")])
    assert (record.facts.model, record.facts.stands_in_for) == (
        "smollm2-135m",
        "llama-13b",
    )
    assert record_of([Source("smollm2-135m", "Q4")]).facts.stands_in_for == ""


def test_the_servers_counts_are_kept() -> None:
    facts = record_of([Usage(12, 34, dropped_turns=2)]).facts
    assert (facts.prompt_tokens, facts.completion_tokens) == (12, 34)
    assert facts.dropped_turns == 2


def test_counts_that_no_server_gave_are_unknown() -> None:
    facts = record_of([TextDelta("a"), Finished("a")]).facts
    assert facts.prompt_tokens is facts.completion_tokens is None
    assert facts.dropped_turns == 0


def test_the_parameters_are_kept_apart_from_the_callers() -> None:
    sent = {"temperature": 0.4}
    record = AnswerRecord("m", parameters=sent)
    sent["temperature"] = 1.0
    assert record.facts.parameters == {"temperature": 0.4}


# Times


def test_times_count_from_the_question_to_the_first_text_and_to_the_end() -> None:
    clock = Clock()
    record = AnswerRecord("m", clock=clock)
    clock.now += 0.5
    record.add(TextDelta("a"))
    clock.now += 2
    record.add(TextDelta("b"))
    record.add(Finished("ab"))
    clock.now += 60
    facts = record.facts
    assert (facts.seconds_to_first_token, facts.seconds) == (0.5, 2.5)


@pytest.mark.parametrize("first", [TextDelta("a"), Replaced("a")])
def test_the_first_text_is_the_first_that_is_not_empty(first: Event) -> None:
    clock = Clock()
    record = AnswerRecord("m", clock=clock)
    for event in (TextDelta(""), ReasoningDelta("Hm."), Replaced(""), Source("m")):
        record.add(event)
    clock.now += 3
    record.add(first)
    assert record.facts.seconds_to_first_token == 3


def test_without_text_there_is_no_time_to_it() -> None:
    assert record_of([Finished("")]).facts.seconds_to_first_token is None


def test_the_seconds_of_a_running_answer_go_on() -> None:
    clock = Clock()
    record = AnswerRecord("m", clock=clock)
    clock.now += 1
    assert record.facts.seconds == 1
    clock.now += 1
    assert record.facts.seconds == 2


@pytest.mark.parametrize(
    ("facts", "speed"),
    [
        (Facts("m", completion_tokens=11, seconds_to_first_token=1, seconds=3), 5.0),
        (Facts("m", completion_tokens=2, seconds_to_first_token=0, seconds=0.5), 2.0),
        (Facts("m", completion_tokens=1, seconds_to_first_token=1, seconds=3), None),
        (Facts("m", completion_tokens=0, seconds_to_first_token=1, seconds=3), None),
        (Facts("m", completion_tokens=None, seconds_to_first_token=1, seconds=3), None),
        (Facts("m", completion_tokens=9, seconds_to_first_token=None, seconds=3), None),
        (Facts("m", completion_tokens=9, seconds_to_first_token=3, seconds=3), None),
        (Facts("m", completion_tokens=9, seconds_to_first_token=4, seconds=3), None),
    ],
)
def test_speed_counts_the_tokens_after_the_first_where_it_can_be_known(
    facts: Facts, speed: float | None
) -> None:
    assert facts.tokens_per_second == speed


# Metadata


def test_the_metadata_is_json() -> None:
    facts = Facts(
        "llama-13b",
        weights="demo",
        demo=True,
        stands_in_for="falcon-7b",
        model_chosen=True,
        server="http://127.0.0.1:1",
        status="stopped",
        finish_reason="stopped",
        prompt_tokens=1,
        completion_tokens=11,
        cached_tokens=20,
        dropped_turns=3,
        notes=("`{dff}` is not a variable",),
        files=("a.csv",),
        thread="ideas",
        sent_turns=2,
        earlier_turns=5,
        outdated_turns=1,
        seconds_to_first_token=1 / 3,
        seconds=4 / 3,
        parameters={"stop": ("a", "b"), "temperature": 0.4, "do_sample": True},
    )
    metadata = facts.as_metadata()
    assert json.loads(json.dumps(metadata, allow_nan=False)) == metadata
    assert metadata == {
        "model": "llama-13b",
        "weights": "demo",
        "demo": True,
        "stands_in_for": "falcon-7b",
        "model_chosen": True,
        "server": "http://127.0.0.1:1",
        "status": "stopped",
        "finish_reason": "stopped",
        "prompt_tokens": 1,
        "completion_tokens": 11,
        "cached_tokens": 20,
        "dropped_turns": 3,
        "cut_tokens": 0,
        "files": ["a.csv"],
        "notes": ["`{dff}` is not a variable"],
        "thread": "ideas",
        "history": True,
        "sent_turns": 2,
        "earlier_turns": 5,
        "unfinished_turns": 0,
        "outdated_turns": 1,
        "seconds_to_first_token": 0.333,
        "seconds": 1.333,
        "tokens_per_second": 10.0,
        "parameters": {"stop": ["a", "b"], "temperature": 0.4, "do_sample": True},
    }


def test_what_is_unknown_is_none_in_the_metadata() -> None:
    metadata = Facts("m").as_metadata()
    assert metadata["tokens_per_second"] is None
    assert metadata["seconds_to_first_token"] is None
    assert metadata["stands_in_for"] is None
    assert metadata["parameters"] == {}
