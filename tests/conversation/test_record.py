"""What a record promises; its trouble and its store have tests of their own."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from h2o_magic.chat.turns import Change, Thread, Turn, TurnStatus
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.store import undo
from h2o_magic.errors import ConfigurationError


@pytest.fixture(params=["file", "memory"])
def record(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Record]:
    path = tmp_path / "store.db" if request.param == "file" else None
    record = Record(path, "notebook")
    yield record
    assert record.trouble == ""
    record.close()


def ask(record: Record, *questions: str, thread: str = "main") -> None:
    for question in questions:
        record.begin(thread, Turn(question, f"{question}!", cell=question))


def questions(record: Record, thread: str = "main") -> str:
    return " ".join(turn.question for turn in record.turns(thread))


def marks(record: Record) -> str:
    return "".join("o" if turn.outdated else "." for turn in record.turns("main"))


def outdated_by(record: Record, cells: str) -> list[int]:
    return [record.counts_around("main", cell)[1] for cell in cells]


def test_a_turn_gets_its_keys(record: Record) -> None:
    first = record.begin("main", Turn("a"))
    second = record.begin("other", Turn("b"))
    third = record.begin("main", Turn("c"))
    assert [t.number for t in (first, second, third)] == [1, 1, 2]
    assert first.sequence < second.sequence < third.sequence
    assert len({first.id, second.id, third.id}) == 3
    assert record.turns("main") == (first, third)


def test_what_came_of_a_question_is_written_into_its_turn(record: Record) -> None:
    begun = record.begin("main", Turn("a", status="incomplete", model="asked"))
    record.update(begun.id, answer="half", status="incomplete", facts={})
    assert record.turn("main", 1) == Turn("a", "half", "incomplete", model="asked")
    record.update(begun.id, answer="all", status="complete", facts={"n": 1})
    assert record.turn("main", 1) == Turn("a", "all", model="asked", facts={"n": 1})


def test_an_answer_reaches_its_turn_after_a_reset_and_an_undo(record: Record) -> None:
    begun = record.begin("main", Turn("a", status="incomplete"))
    record.reset("main")
    record.update(begun.id, answer="all", status="complete", facts={})
    assert record.count("main") == 0
    record.undo("main")
    assert record.turn("main", 1).answer == "all"


def test_an_answer_never_reaches_a_turn_of_another_question(record: Record) -> None:
    begun = record.begin("main", Turn("a", status="incomplete"))
    record.undo("main")
    record.begin("main", Turn("b", "b!"))  # the first one is gone for good
    record.update(begun.id, answer="a!", status="complete", facts={})
    assert [turn.answer for turn in record.turns("main")] == ["b!"]


def test_asking_again_takes_the_place_and_marks_what_follows(record: Record) -> None:
    ask(record, "a", "b", "c", "d")
    again = record.begin("main", Turn("b2", cell="b"))
    assert (again.number, again.outdated) == (2, False)
    assert questions(record) == "a b2 c d"
    marks = [turn.outdated for turn in record.turns("main")]
    assert marks == [False, False, True, True]
    record.begin("main", Turn("c2", cell="c"))
    assert [t.outdated for t in record.turns("main", last=2)] == [False, True]
    assert record.turn("main", 4).outdated
    assert [t.outdated for t in record.before("main", None)] == [True, *[False] * 3]


def test_marks_and_numbers_of_the_last_turns_are_those_of_all(record: Record) -> None:
    dice = random.Random(3)
    for i in range(120):
        cell = dice.choice([f"new {i}", f"new {dice.randrange(i + 1)}"])
        record.begin("main", Turn(f"q{i}", cell=cell))
    all_turns = [(t.number, t.question, t.outdated) for t in record.turns("main")]
    assert {outdated for _, _, outdated in all_turns} == {True, False}
    for last in (0, 1, 20, 33, 500):
        found = record.turns("main", last=last)
        expected = all_turns[-last:] if last else []
        assert [(t.number, t.question, t.outdated) for t in found] == expected
    ids = record.ids("main")
    assert ids == tuple(turn.id for turn in record.turns("main"))
    some = dice.sample(ids, 20)
    expected_turns = tuple(t for t in record.turns("main") if t.id in some)
    assert record.with_ids("main", [*some, max(ids) + 1]) == expected_turns
    assert record.with_ids("other", some) == ()
    newest_first = [
        (t.number, t.question, t.outdated) for t in record.before("main", "")
    ]
    assert newest_first == all_turns[::-1]


def test_turns_are_read_as_they_are_needed(record: Record) -> None:
    record.add([Thread("main", tuple(Turn(f"q{i}") for i in range(100)))])
    before = record.before("main", None)
    assert [t.question for t in islice(before, 2)] == ["q99", "q98"]
    for _ in range(90):
        record.drop("main", 1)
    # The page that was begun comes to its end; then there is nothing left.
    assert [t.number for t in before] == [*range(98, 68, -1)]


@pytest.mark.parametrize("number", [0, -1, 4, 2**70])
def test_a_turn_that_is_not_there(record: Record, number: int) -> None:
    ask(record, "a", "b", "c")
    for method in (record.turn, record.drop):
        with pytest.raises(ConfigurationError) as caught:
            method("main", number)
        said = f"thread main has 3 turns, there is no turn {number}"
        assert str(caught.value) == said
    assert record.undo("main") == Change("ask", ("main",), 1)


def test_how_many_turns_there_are_is_said_in_words(record: Record) -> None:
    with pytest.raises(ConfigurationError, match="main has no turns, there"):
        record.turn("main", 1)
    ask(record, "a")
    with pytest.raises(ConfigurationError, match="main has 1 turn, there"):
        record.turn("main", 2)


def test_counts_are_taken_around_a_cells_turn(record: Record) -> None:
    ask(record, "a", "b")
    record.begin("main", Turn("c", cell="c", begins=True))
    ask(record, "d", "e")
    assert record.count("main") == 5
    assert outdated_by(record, "abcdex") == [4, 3, 2, 1, 0, 0]
    since = [record.counts_around("main", c)[0] for c in "abcdex"]
    assert since == [0, 1, 2, 1, 2, 3]
    assert record.counts_around("main", None)[1] == 0
    assert [t.question for t in record.before("main", "c")] == ["b", "a"]


def test_a_turn_becomes_outdated_once(record: Record) -> None:
    ask(record, "a", "b", "c")
    ask(record, "b")
    assert marks(record) == "..o"
    assert outdated_by(record, "abc") == [1, 0, 0]  # c is outdated already
    ask(record, "a")
    assert marks(record) == ".oo"
    assert outdated_by(record, "abc") == [0, 0, 0]
    ask(record, "c")  # on the new answers of a, and the old one of b
    assert marks(record) == ".o."
    assert outdated_by(record, "abc") == [1, 1, 0]
    record.undo("main")
    assert outdated_by(record, "abc") == [0, 0, 0]


def test_turns_are_counted_by_how_they_ended(record: Record) -> None:
    none = {"complete": 0, "stopped": 0, "failed": 0, "incomplete": 0}
    assert record.counts("main") == none
    ask(record, "a", "b", "c")
    ask(record, "x", thread="other")
    record.begin("main", Turn("d", "Half", status="stopped"))
    running = record.begin("main", Turn("e", status="incomplete"))
    record.drop("main", 1)
    expected = {**none, "complete": 2, "stopped": 1, "incomplete": 1}
    assert record.counts("main") == expected
    record.update(running.id, answer="Some", status="failed", facts={})
    assert record.counts("main") == {**expected, "incomplete": 0, "failed": 1}


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_a_question_without_any_answer_is_listed_and_not_counted(
    record: Record, status: TurnStatus
) -> None:
    ask(record, "a")
    record.begin("main", Turn("b", status=status))
    ask(record, "c")
    assert [turn.question for turn in record.turns("main")] == ["a", "b", "c"]
    assert sum(record.counts("main").values()) == 2
    assert record.counts_around("main", None) == (2, 0)
    assert [info.turns for info in record.threads()] == [2]


def test_a_number_that_is_none_is_the_programs_fault(record: Record) -> None:
    ask(record, "a", "b")
    for wrong in (1.5, "1", None):
        for method in (record.turn, record.drop):
            with pytest.raises(TypeError):
                method("main", wrong)
    for wrong in (1.5, "1"):
        with pytest.raises(TypeError):
            record.turns("main", last=wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            record.fork("main", "new", wrong)  # type: ignore[arg-type]
    assert len(record.turns("main", last=2**70)) == 2
    assert questions(record) == "a b"


def test_a_turn_that_sqlite_refuses_is_the_programs_fault(tmp_path: Path) -> None:
    record = Record(tmp_path / "store.db", "notebook")
    for status in (None, object()):
        with pytest.raises(sqlite3.Error):
            record.begin("main", Turn("q", status=status))  # type: ignore[arg-type]
    record.begin("main", Turn("q"))
    assert (record.path, record.trouble) == (tmp_path / "store.db", "")
    record.close()


def test_the_turns_of_a_cell_are_found_in_all_threads(record: Record) -> None:
    ask(record, "a", "b", "a#2", "a#10", "a2", "a$")
    ask(record, "x", "a#3", "a", thread="other")
    assert record.keys_of_cell("a") == (
        ("main", "a"),
        ("main", "a#2"),
        ("main", "a#10"),
        ("other", "a#3"),
        ("other", "a"),
    )
    assert record.keys_of_cell("x") == (("other", "x"),)
    assert record.keys_of_cell("none") == ()
    record.drop_cell("other", "a#3")
    assert record.keys_of_cell("a")[3:] == (("other", "a"),)


def test_a_cells_turns_are_of_its_notebook_only(tmp_path: Path) -> None:
    record = Record(tmp_path / "store.db", "notebook")
    other = Record(tmp_path / "store.db", "another")
    for one in (record, other):
        ask(one, "a")
    assert other.drop_cell("main", "a")
    assert (record.keys_of_cell("a"), other.keys_of_cell("a")) == ((("main", "a"),), ())
    record.close()
    other.close()


def test_a_turn_is_found_by_its_id_too(record: Record) -> None:
    a, b, c = (record.begin("main", Turn(q)) for q in "abc")
    again = record.begin("main", Turn("b2"), b.id)
    assert (again.number, questions(record)) == (2, "a b2 c")
    assert [t.question for t in record.before("main", c.id)] == ["b2", "a"]
    assert record.counts_around("main", a.id)[1] == 1  # c is outdated already
    assert record.counts_around("main", c.id)[0] == 2
    record.undo("main")
    assert record.counts_around("main", again.id)[1] == 1  # what is in its place now
    assert record.begin("main", Turn("b3"), b.id).number == 2
    record.drop("main", 2)
    assert record.counts_around("main", b.id)[1] == 0
    assert record.begin("main", Turn("d"), b.id).number == 3
    record.begin("other", Turn("x"), a.id)  # a turn of another thread is none here
    assert (questions(record), questions(record, "other")) == ("a c d", "x")


# Threads


def test_a_fork_has_the_first_turns_and_goes_its_own_way(record: Record) -> None:
    ask(record, "a", "b", "c")
    record.begin("main", Turn("a2", cell="a"))
    assert record.fork("main", "new", 2) == 2
    assert record.turns("new") == record.turns("main")[:2]
    ask(record, "b", thread="new")
    assert [t.outdated for t in record.turns("new")] == [False, False]
    assert [t.outdated for t in record.turns("main")] == [False, True, True]
    assert record.fork("main", "all", None) == 3
    assert [(t.name, t.turns) for t in record.threads()] == [
        ("main", 3),
        ("new", 2),
        ("all", 3),
    ]


def test_forks_that_cannot_be_made(record: Record) -> None:
    ask(record, "a", "b")
    ask(record, "x", thread="other")
    for new, at, said in [
        ("other", 1, "expected a new thread's name, got other, which has 1 turns"),
        ("main", None, "expected a new thread's name, got main, which has 2 turns"),
        ("new", 3, "thread main has 2 turns, there is no turn 3"),
        ("new", 0, "thread main has 2 turns, there is no turn 0"),
    ]:
        with pytest.raises(ConfigurationError, match=said):
            record.fork("main", new, at)
    with pytest.raises(ConfigurationError, match="thread new has no turns to copy"):
        record.fork("new", "newer", None)
    assert [info.name for info in record.threads()] == ["main", "other"]


def test_a_list_of_threads_tells_how_they_began(record: Record) -> None:
    record.begin("main", Turn("a", asked_at=5.0))
    record.begin("main", Turn("b", asked_at=9.0, cell="b"))
    record.begin("main", Turn("c", asked_at=7.0))
    (info,) = record.threads()
    assert (info.first_question, info.last_asked, info.turns) == ("a", 9.0, 3)


def test_the_current_thread_is_kept_with_the_notebook(tmp_path: Path) -> None:
    record = Record(tmp_path / "store.db", "notebook")
    other = Record(tmp_path / "store.db", "another")
    assert record.thread is None
    record.thread = "experiment"
    record.close()
    assert record.thread == "experiment"  # a use after closing opens it again
    assert other.thread is None
    record.thread = None
    assert record.thread is None
    record.close()
    other.close()


def test_threads_of_other_notebooks_are_not_seen(tmp_path: Path) -> None:
    record = Record(tmp_path / "store.db", "notebook")
    other = Record(tmp_path / "store.db", "another")
    ask(record, "a")
    ask(other, "b")
    assert record.reset(None) == 1
    assert questions(other) == "b"
    assert other.undo("main") == Change("ask", ("main",), 1)
    assert record.undo("main") == Change("reset", ("main",), 1)
    record.close()
    other.close()


# Taking back


def test_every_kind_of_change_can_be_taken_back_and_made_again(record: Record) -> None:
    ask(record, "a", "b")
    record.begin("main", Turn("a2", cell="a"))
    record.drop("main", 2)
    record.drop_cell("main", "a")
    record.add([Thread("main", (Turn("i"), Turn("j")))])
    record.reset("main")
    states = ["", "i j", "", "a2", "a2 b", "a b", "a", ""]
    kinds = ["reset", "import", "drop", "drop", "replace", "ask", "ask"]
    counts = [2, 2, 1, 1, 1, 1, 1]
    done = [
        Change(k, ("main",), n)  # type: ignore[arg-type]
        for k, n in zip(kinds, counts, strict=True)
    ]
    for change, state in zip(done, states[1:], strict=True):
        assert record.undo("main") == change
        assert questions(record) == state
    assert record.undo("main") is None
    for change, state in zip(done[::-1], states[-2::-1], strict=True):
        assert record.redo("main") == change
        assert questions(record) == state
    assert record.redo("main") is None


def test_a_new_change_ends_what_could_be_made_again(record: Record) -> None:
    ask(record, "a", "b")
    ask(record, "x", thread="other")
    record.undo("main")
    record.undo("other")
    ask(record, "c")
    assert record.redo("main") is None
    assert questions(record) == "a c"
    assert record.redo("other") == Change("ask", ("other",), 1)


def test_a_reset_of_all_threads_is_one_change_of_each(record: Record) -> None:
    ask(record, "a", "b")
    ask(record, "x", thread="other")
    assert record.reset(None) == 3
    assert record.threads() == ()
    assert record.undo("a thread without turns") == Change(
        "reset", ("main", "other"), 3
    )
    assert (questions(record), questions(record, "other")) == ("a b", "x")
    assert record.redo("other") == Change("reset", ("main", "other"), 3)
    assert record.undo("main") == Change("reset", ("main", "other"), 3)
    assert record.undo("other") == Change("ask", ("other",), 1)


def test_what_was_taken_back_elsewhere_stays_so_with_a_reset_of_all(
    record: Record,
) -> None:
    ask(record, "a")
    ask(record, "x", thread="other")
    record.reset(None)
    record.undo("main")  # the reset
    record.undo("other")  # the question
    record.redo("main")  # the reset
    record.undo("main")
    assert (questions(record), questions(record, "other")) == ("a", "")


def test_what_was_taken_back_last_is_made_again_first(record: Record) -> None:
    ask(record, "x", thread="other")
    record.reset(None)
    ask(record, "y", thread="other")
    assert record.undo("main") == Change("reset", ("other",), 1)
    assert questions(record, "other") == "x y"
    assert record.undo("other") == Change("ask", ("other",), 1)
    assert record.redo("other") == Change("ask", ("other",), 1)
    assert record.redo("other") == Change("reset", ("other",), 1)
    assert questions(record, "other") == "y"


def test_what_can_no_longer_be_made_again_is_not_kept(record: Record) -> None:
    ask(record, "a", "b")
    record.drop("main", 1)
    record.undo("main")
    record.undo("main")
    ask(record, "c")
    assert record._database is not None
    kept = record._database.execute("SELECT question, live, removed FROM turns")
    assert [*kept] == [("a", 1, None), ("c", 1, None)]


def test_nothing_done_is_no_change(record: Record) -> None:
    assert record.reset("main") == record.reset(None) == 0
    record.add([])
    record.add([Thread("empty")])
    assert not record.drop_cell("main", "a")
    ask(record, "a")
    record.undo("main")
    record.reset("main")
    assert record.redo("main") is not None


def test_an_import_is_all_or_nothing_and_one_change(record: Record) -> None:
    ask(record, "a")
    turns = (Turn("i", "1"), Turn("j", "2", outdated=True), Turn("k", outdated=False))
    record.add([Thread("main", turns), Thread("new", turns)])
    assert record.turns("main")[1:] == record.turns("new") == turns
    ask(record, "b", thread="new")
    assert [t.outdated for t in record.turns("new")] == [False, True, False, False]
    assert record.undo("new") == Change("ask", ("new",), 1)
    assert record.undo("new") == Change("import", ("main", "new"), 6)
    assert (questions(record), questions(record, "new")) == ("a", "")
    bad = Turn("k", facts={"no": object()})
    with pytest.raises(TypeError):
        record.add([Thread("main", (turns[0], bad))])
    assert questions(record) == "a"


def test_the_last_200_changes_can_be_taken_back(record: Record) -> None:
    assert undo.KEPT == 200
    for i in range(230):
        record.begin("main", Turn(f"q{i}", cell="cell"))
    assert questions(record) == "q229"
    undone = 0
    while record.undo("main"):
        undone += 1
    assert undone == 200
    assert questions(record) == "q29"
    assert record._database is not None
    assert record._database.value("SELECT count(*) FROM turns") == 201
    for _ in range(200):
        record.redo("main")
    assert questions(record) == "q229"


# Erasing


def test_erasing_deletes_turns_and_what_could_bring_them_back(record: Record) -> None:
    ask(record, "a", "b")
    record.drop("main", 1)
    ask(record, "x", thread="other")
    record.fork("main", "fork", None)
    running = record.begin("main", Turn("r", status="incomplete"))
    assert record.reset("main", erase=True) == 2
    assert record.undo("main") is None
    record.update(running.id, answer="late", status="complete", facts={})
    assert [info.name for info in record.threads()] == ["other", "fork"]
    assert record.undo("other") == Change("ask", ("other",), 1)
    assert record.redo("other") == Change("ask", ("other",), 1)
    assert record.reset(None, erase=True) == 2
    assert record.threads() == ()
    assert record.undo("fork") is None


@pytest.mark.parametrize("seed", [3, 58])
def test_nothing_of_what_was_erased_is_left_in_the_files(
    tmp_path: Path, seed: int
) -> None:
    folder = tmp_path / "store"
    record = Record(folder / "store.db", "notebook")
    another = Record(folder / "store.db", "another")
    another.begin("main", Turn("kept"))
    dice = random.Random(seed)
    marks = {"secret": "SECRET ", "other": "public "}
    for i in range(300):
        thread = dice.choice([*marks])
        text = marks[thread] * dice.choice([1, 3, 30, 200, 900])
        turn = Turn(text, cell=f"{i % 20}", system=text, facts={"said": text})
        turn = record.begin(thread, turn)
        for n in range(3):
            facts = {"said": text * n}
            record.update(turn.id, answer=text * n, status="complete", facts=facts)
    kept = record.turns("other")
    assert found_in(folder, b"SECRET")
    assert record.reset("secret", erase=True) == 20
    assert not found_in(folder, b"SECRET")
    assert found_in(folder, b"public")
    assert record.turns("other") == kept
    record.reset(None, erase=True)
    assert not found_in(folder, b"public")
    assert found_in(folder, b"kept")
    record.close()
    another.close()


def found_in(folder: Path, text: bytes) -> bool:
    return any(text in file.read_bytes() for file in folder.iterdir())


def test_a_dropped_turn_comes_back_alone_and_in_its_place(record: Record) -> None:
    first, second = (record.begin("main", Turn(each)) for each in ("1?", "2?"))
    record.drop("main", 1)
    third = record.begin("main", Turn("3?"))
    assert not record.bring_back("other", first.id)
    assert record.is_dropped("main", first.id)
    assert record.bring_back("main", first.id)
    assert record.ids("main") == (first.id, second.id, third.id)
    assert not record.is_dropped("main", first.id)
    assert not record.bring_back("main", first.id)
    # It is as if it had never been dropped.
    assert record.undo("main") == Change("ask", ("main",), 1)
    assert record.redo("main") == Change("ask", ("main",), 1)
    assert record.ids("main") == (first.id, second.id, third.id)


def test_a_dropped_turn_does_not_come_back_where_undo_or_its_cell_has_done_it(
    record: Record,
) -> None:
    first = record.begin("main", Turn("1?", cell="c"))
    record.drop("main", 1)
    record.undo("main")
    record.begin("main", Turn("again?", cell="c"))
    assert not record.bring_back("main", first.id)
    dropped = record.drop("main", 1)
    asked = record.begin("main", Turn("once more?", cell="c"))
    assert not record.bring_back("main", dropped.id)
    assert record.ids("main") == (asked.id,)
