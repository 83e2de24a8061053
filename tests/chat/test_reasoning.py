import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat.reasoning import ThinkSplitter


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
