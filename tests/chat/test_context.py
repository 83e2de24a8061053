from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat.context import bytes_per_token, choose, estimate
from h2o_magic.chat.images import Image
from h2o_magic.chat.messages import user
from h2o_magic.chat.turns import Turn


def told(*answers: str) -> list[Turn]:
    """Return turns newest first, as the record gives them."""
    return [Turn("?", answer) for answer in reversed(answers)]


def answers(*args: object, **kwargs: object) -> list[str]:
    chosen = choose(*args, **kwargs)  # type: ignore[arg-type]
    return [turn.answer for turn in chosen.turns]


def test_what_fits_is_sent_whole_and_oldest_first() -> None:
    assert answers(told("1", "2", "3"), room=1000) == ["1", "2", "3"]


def test_the_oldest_turns_give_way_first() -> None:
    turns = told("a" * 300, "b" * 300, "c" * 300)
    one = estimate(turns[0].messages())
    assert answers(turns, room=2 * one) == ["b" * 300, "c" * 300]
    assert answers(turns, room=2 * one - 1) == ["c" * 300]
    assert answers(turns, room=one - 1) == []


def test_no_older_turn_is_sent_past_one_that_does_not_fit() -> None:
    turns = told("old", "x" * 3000, "new")
    assert answers(turns, room=200) == ["new"]


def test_a_choice_says_whether_room_was_what_cut_it() -> None:
    turns = told("1", "x" * 3000)
    assert choose(turns, room=100).full
    assert not choose(turns, room=5000).full
    assert not choose(turns, room=5000, max_turns=1).full


@pytest.mark.parametrize(("most", "sent"), [(0, []), (1, ["3"]), (9, ["1", "2", "3"])])
def test_at_most_so_many_turns_are_sent(most: int, sent: list[str]) -> None:
    assert answers(told("1", "2", "3"), room=1000, max_turns=most) == sent


def test_answers_that_are_not_whole_are_passed_over() -> None:
    turns = [Turn("?", "new"), Turn("?", "hal", "stopped"), Turn("?", "old")]
    assert answers(turns, room=1000) == ["old", "new"]
    assert answers(turns, room=1000, max_turns=2) == ["old", "new"]
    assert answers(turns, room=1000, partial=True) == ["old", "hal", "new"]


def test_a_new_conversation_hides_the_turns_before_it() -> None:
    turns = [Turn("?", "3"), Turn("?", "2", begins=True), Turn("?", "1")]
    assert answers(turns, room=1000) == ["2", "3"]


def test_a_stopped_answer_that_begins_a_conversation_hides_them_too() -> None:
    turns = [Turn("?", "3"), Turn("?", "2", "stopped", begins=True), Turn("?", "1")]
    assert answers(turns, room=1000) == ["3"]


def test_no_more_is_read_than_is_needed() -> None:
    def turns() -> Iterator[Turn]:
        for answer in ("3", "2"):
            yield Turn("?", answer)
        raise AssertionError("read too far")

    assert answers(turns(), room=1000, max_turns=1) == ["3"]


@given(
    st.lists(st.text(max_size=400), max_size=8),
    st.integers(0, 2000),
    st.floats(0.5, 8),
)
def test_what_is_sent_never_exceeds_the_room(
    texts: list[str], room: int, rate: float
) -> None:
    chosen = choose(told(*texts), room=room, rate=rate).turns
    assert sum(estimate(turn.messages(), rate) for turn in chosen) <= room


def test_the_estimate_counts_bytes_so_that_other_scripts_count_for_more() -> None:
    assert estimate([user("漢字" * 30)]) > estimate([user("ab" * 30)])


def test_a_servers_count_gives_the_rate() -> None:
    assert bytes_per_token([user("x" * 4000)], 1000) == 4.0


@pytest.mark.parametrize(("size", "tokens"), [(100, 50), (4000, 0)])
def test_too_little_text_gives_no_rate(size: int, tokens: int) -> None:
    assert bytes_per_token([user("x" * size)], tokens) is None


def test_a_count_that_cannot_be_true_is_kept_within_bounds() -> None:
    assert bytes_per_token([user("x" * 4000)], 1) == 8.0
    assert bytes_per_token([user("x" * 4000)], 10**9) == 0.5


def test_an_image_counts_by_its_pixels() -> None:
    small, large = (Image("fig", "image/png", n, n, "0") for n in (30, 1568))
    text = estimate([user("Hi")])
    assert estimate([user("Hi", (small,))]) - text == 2
    assert 3000 < estimate([user("Hi", (large,))]) - text < 3500


def test_a_count_with_images_gives_no_rate() -> None:
    picture = Image("fig", "image/png", 3, 2, "0")
    assert bytes_per_token([user("x" * 4000, (picture,))], 1000) is None
