from h2o_magic.chat.turns import ThreadInfo
from h2o_magic.ipython.sessions import welcome_line

MAIN = ThreadInfo("main", 12)
SIDE = ThreadInfo("ideas", 1)
HOW = "`%h2o history` lists them, `%h2o reset` clears them."


def test_nothing_is_said_when_nothing_was_restored() -> None:
    assert welcome_line([]) == ""
    assert welcome_line([ThreadInfo("main", 0)]) == ""


def test_what_was_restored_is_said_with_how_to_drop_it() -> None:
    line = welcome_line([MAIN])
    assert line == f"Restored 12 turns of this notebook's conversation. {HOW}"


def test_one_turn_is_one_turn() -> None:
    assert welcome_line([SIDE]).startswith("Restored 1 turn of this notebook's")


def test_several_threads_are_counted_and_the_current_one_is_named() -> None:
    line = welcome_line([MAIN, SIDE], current="ideas")
    assert line.startswith("Restored 13 turns ")
    assert " in 2 threads; the current thread is `ideas`. " in line


def test_a_copy_says_whose_turns_it_has() -> None:
    line = welcome_line([MAIN], copied_from="/home/ann/Untitled.ipynb")
    assert line.startswith("Restored 12 turns copied from `Untitled.ipynb`. ")


def test_an_answer_that_was_cut_short_is_named_with_its_cure() -> None:
    line = welcome_line([MAIN], incomplete=True)
    assert (
        "is incomplete, unless another kernel is still writing it: `%h2o retry`" in line
    )


def test_it_is_one_line() -> None:
    line = welcome_line([MAIN, SIDE], current="x", copied_from="a", incomplete=True)
    assert "\n" not in line


def test_who_answers_is_named_also_without_turns() -> None:
    answers = "The next question goes to `m` on `work`. "
    assert welcome_line([], answers=answers) == answers.strip()
    assert answers in welcome_line([MAIN], answers=answers)
