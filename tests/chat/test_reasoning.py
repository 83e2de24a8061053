import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat.events import (
    Event,
    Finished,
    ReasoningDelta,
    Replaced,
    TextDelta,
)
from h2o_magic.chat.reasoning import ThinkSplitter, split_reasoning


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("Yes.", "", "Yes."),
        ("<think>hm</think>Yes.", "hm", "Yes."),
        ("\n <think>\nhm\n</think>\n\nYes. ", "\nhm\n", "Yes. "),
        ("<thinking>a < b</thinking>Yes.", "a < b", "Yes."),
        ("<think>hm", "hm", ""),
        ("<think></think>", "", ""),
        (
            "The tag <think>hm</think> is known.",
            "",
            "The tag <think>hm</think> is known.",
        ),
        ("<thin air", "", "<thin air"),
        ("<thi", "", "<thi"),
        ("  ", "", "  "),
        ("", "", ""),
    ],
)
def test_only_reasoning_at_the_beginning_is_set_apart(
    text: str, reasoning: str, answer: str
) -> None:
    assert ThinkSplitter().feed(text, end=True) == (reasoning, answer)


@given(
    st.lists(
        st.sampled_from(
            ["<", "think", "thinking", ">", "</", "a", " ", "\n", "<think>", "</think>"]
        )
        | st.text(max_size=3),
        max_size=15,
    )
)
def test_however_the_stream_is_cut_the_parts_are_the_same(pieces: list[str]) -> None:
    splitter = ThinkSplitter()
    parts = [splitter.feed(piece) for piece in pieces]
    parts.append(splitter.feed("", end=True))
    got = tuple(map("".join, zip(*parts, strict=True)))
    assert got == ThinkSplitter().feed("".join(pieces), end=True)


def parts(*pieces: str) -> tuple[str, str, str]:
    """Return the reasoning, the text as it was shown at last, and the final text."""
    thoughts = text = ""
    deltas = map(TextDelta, pieces)
    events: list[Event] = [*deltas, Finished("".join(pieces))]
    for event in split_reasoning(iter(events)):
        match event:
            case ReasoningDelta(more):
                thoughts += more
            case Replaced(new):
                text = new
            case TextDelta(more):
                text += more
            case Finished(final):
                return thoughts, text, final
    raise AssertionError("no end")


@pytest.mark.parametrize(
    "text",
    [
        "<think>hm</think>Yes.",
        "<THINK>hm</THINK>Yes.",
        "<thinking>hm</think>Yes.",
        "<thought>hm</thought>Yes.",
        "<reasoning>hm</reasoning>\n\nYes.",
        "<seed:think>hm</seed:think>Yes.",
        "[THINK]hm[/THINK]Yes.",
        "◁think▷hm◁/think▷Yes.",
        "<|START_THINKING|>hm<|END_THINKING|>Yes.",
        "<|begin_of_thought|>hm<|end_of_thought|>Yes.",
        (
            "<|channel|>analysis<|message|>hm<|end|>"
            "<|start|>assistant<|channel|>final<|message|>Yes."
        ),
        "hm</think>\n\nYes.",
    ],
)
def test_reasoning_is_known_by_the_tags_of_many_models(text: str) -> None:
    assert parts(text) == parts(*text) == ("hm", "Yes.", "Yes.")
    assert parts(text[:9], text[9:]) == ("hm", "Yes.", "Yes.")


@pytest.mark.parametrize(
    "text", ["Let me see.\n</think>\n\nYes.", "Let me see.\n  </think>\nYes."]
)
def test_reasoning_that_the_template_has_opened_ends_at_its_tag(text: str) -> None:
    for said in (parts(text), parts(*text)):
        assert said[0].strip() == "Let me see."
        assert said[1:] == ("Yes.", "Yes.")


@pytest.mark.parametrize(
    "text",
    [
        "The tag `</think>` ends it.",
        'It is written "</think>".',
        "It ends with </think> and nothing else.",
        "Write <think>hm</think> there.",
        "```\n<think>\nhm\n</think>\n```",
        "(</think>) x</think>y",
    ],
)
def test_an_answer_may_be_about_the_tag(text: str) -> None:
    assert parts(text) == parts(*text) == ("", text, text)


def test_where_the_server_sets_reasoning_apart_a_tag_is_text() -> None:
    events = [ReasoningDelta("hm"), TextDelta("a\n</think>b"), Finished("a\n</think>b")]
    assert list(split_reasoning(iter(events))) == events
