import pytest

from h2o_magic.chat.messages import assistant, user
from h2o_magic.chat.turns import Turn, marked


def test_a_whole_turn_gives_its_question_and_answer_to_the_context() -> None:
    assert Turn("1?", "One.").messages() == (user("1?"), assistant("One."))


@pytest.mark.parametrize("status", ["stopped", "failed", "incomplete"])
def test_an_answer_that_is_not_whole_gives_nothing_unless_asked_for(
    status: str,
) -> None:
    turn = Turn("1?", "On", status)  # type: ignore[arg-type]
    assert turn.messages() == ()
    assert turn.messages(partial=True) == (user("1?"), assistant("On"))


@pytest.mark.parametrize("partial", [False, True])
def test_a_turn_without_an_answer_gives_nothing(partial: bool) -> None:
    assert Turn("1?").messages(partial=partial) == ()


def test_turns_are_equal_when_their_content_is() -> None:
    assert Turn("1?", "1", number=1, sequence=3, id=7) == Turn("1?", "1")
    assert Turn("1?", "1", outdated=True) != Turn("1?", "1")


def test_turns_are_numbered_from_one() -> None:
    assert [turn.number for turn in marked([Turn("a"), Turn("b")])] == [1, 2]


@pytest.mark.parametrize(
    ("sequences", "outdated"),
    [
        ([1, 2, 3], []),
        ([4, 2, 3], [2, 3]),  # the first was asked again
        ([1, 4, 3], [3]),  # the second was
        ([4, 5, 3], [3]),  # the first, then the second
        ([1, 2, 4], []),  # the last
        ([2, 2, 2], []),
    ],
)
def test_a_turn_is_outdated_if_one_before_it_was_asked_later(
    sequences: list[int], outdated: list[int]
) -> None:
    turns = marked(Turn("?", sequence=s) for s in sequences)
    assert [turn.number for turn in turns if turn.outdated] == outdated
