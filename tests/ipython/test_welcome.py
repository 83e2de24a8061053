from h2o_magic.chat.turns import ThreadInfo
from h2o_magic.ipython.welcome import welcome

MAIN = ThreadInfo("main", 12)
SIDE = ThreadInfo("ideas", 1)
HOW = "`%h2o history` shows them, `%h2o reset` forgets them."


def test_nothing_is_said_when_nothing_is_back() -> None:
    assert welcome([]) == ""
    assert welcome([ThreadInfo("main", 0)]) == ""


def test_what_is_back_is_said_with_how_to_drop_it() -> None:
    line = welcome([MAIN])
    assert line == f"12 turns of this notebook's conversation are back. {HOW}"


def test_one_turn_is_one_turn() -> None:
    assert welcome([SIDE]).startswith("1 turn of this notebook's conversation is back.")


def test_several_threads_are_counted_and_the_current_one_is_named() -> None:
    line = welcome([MAIN, SIDE], current="ideas")
    assert line.startswith("13 turns ")
    assert "are back in 2 threads, thread `ideas` goes on. " in line


def test_a_copy_says_whose_turns_it_has() -> None:
    line = welcome([MAIN], copied_from="/home/ann/Untitled.ipynb")
    assert line.startswith("12 turns came along from `Untitled.ipynb`. ")


def test_an_answer_that_was_cut_short_is_named_with_its_cure() -> None:
    line = welcome([MAIN], incomplete=True)
    assert (
        "is not whole, unless another kernel is still writing it: `%h2o retry`" in line
    )


def test_it_is_one_line() -> None:
    line = welcome([MAIN, SIDE], current="x", copied_from="a", incomplete=True)
    assert "\n" not in line
