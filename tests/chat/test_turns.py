import pytest

from h2o_magic.chat.messages import assistant, user
from h2o_magic.chat.turns import Turn


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
