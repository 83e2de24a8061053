"""Chunks of the engine become token events."""

from __future__ import annotations

from h2o_magic.server.engine_stream import Chunk
from h2o_magic.server.tgi import TokenEvent
from h2o_magic.server.transcript import Transcript
from h2o_magic.weights.gguf import Header

END, PROMPT = 0, 1
HEADER = Header(1, 1, None, ("</s>", "<|prompt|>"), frozenset({0, 1}), 0)


def feed(transcript: Transcript, *texts: str, finish: str = "") -> list[TokenEvent]:
    events = []
    for count, text in enumerate(texts, transcript.count + 1):
        ids = {"</s>": END, "<|prompt|>": PROMPT}
        token = ids.get(text, 9)
        shown = "" if text in ids else text
        events += transcript.add(Chunk(shown, token, -0.5, count))
        if transcript.reason:
            return events
    if finish == "length":
        events += transcript.add(Chunk("", -1, None, transcript.count, "length"))
    if finish == "stop":
        events += transcript.add(Chunk("", -1, None, transcript.count, "stop"))
    return events


def test_the_end_token_comes_with_the_end() -> None:
    transcript = Transcript(HEADER, 9)
    assert [e.text for e in feed(transcript, "a", "</s>")] == ["a"]
    (last,) = feed(transcript, finish="stop")
    assert (last.text, last.special, transcript.reason) == ("</s>", True, "eos_token")
    assert transcript.text == "a"


def test_the_last_token_of_a_full_answer_comes_with_the_end() -> None:
    transcript = Transcript(HEADER, 2)
    assert [e.text for e in feed(transcript, "a", "b")] == ["a"]
    (last,) = feed(transcript, finish="length")
    assert (last.text, last.special, transcript.reason) == ("b", False, "length")


def test_a_control_token_in_the_middle_is_shown_and_is_no_text() -> None:
    transcript = Transcript(HEADER, 9)
    events = feed(transcript, "a", "<|prompt|>", "b", finish="stop")
    assert [e.text for e in events] == ["a", "<|prompt|>", "b", ""]
    assert transcript.text == "ab"


def test_an_engine_that_ends_with_nothing_gives_an_empty_last_event() -> None:
    transcript = Transcript(HEADER, 9)
    (last,) = feed(transcript, finish="length")
    assert (last.text, last.token_id, transcript.text) == ("", END, "")


def test_a_stop_over_several_tokens_is_found_and_kept() -> None:
    transcript = Transcript(HEADER, 9, stop=["\n\nUser:"])
    events = feed(transcript, "a\n", "\nUs", "er: b", "c")
    assert [e.text for e in events] == ["a\n", "\nUs", "er:"]
    assert transcript.reason == "stop_sequence"
    assert transcript.text == "a\n\nUser:"
    assert transcript.answer == "a"


def test_a_stop_in_the_last_possible_token_is_a_stop() -> None:
    transcript = Transcript(HEADER, 1, stop=["b"])
    (event,) = feed(transcript, "abc")
    assert (event.text, transcript.reason) == ("ab", "stop_sequence")


def test_the_stop_that_ends_first_counts() -> None:
    transcript = Transcript(HEADER, 9, stop=["bcd", "c"])
    feed(transcript, "abcd")
    assert transcript.text == "abc"


def test_what_only_looks_like_a_stop_is_text() -> None:
    transcript = Transcript(HEADER, 9, stop=["abc"])
    feed(transcript, "ab", "abd", finish="stop")
    assert (transcript.text, transcript.reason) == ("ababd", "eos_token")


def test_somebody_elses_turn_ends_the_answer_and_is_cut_off() -> None:
    transcript = Transcript(HEADER, 9, turn_markers=["<|prompt|>"])
    events = feed(transcript, "a <", "|prompt", "|>b")
    assert (transcript.text, transcript.reason) == ("a ", "eos_token")
    assert events[-1].text == ""
    assert transcript.answer == "a"


def test_a_turn_marker_that_is_a_control_token_ends_the_answer_too() -> None:
    transcript = Transcript(HEADER, 9, turn_markers=["<|prompt|>"])
    events = feed(transcript, "a", "<|prompt|>", "b")
    assert [e.text for e in events] == ["a", "<|prompt|>"]
    assert (transcript.text, transcript.reason) == ("a", "eos_token")
