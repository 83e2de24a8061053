"""Which conversation a notebook finds: its own, also after a rename or a copy."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.store import origins

DAY = 86400.0


class Store:
    """A store, and a folder with notebooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "store.db"

    def open(
        self, key: str, cell: str | None = None, file: str | None = None
    ) -> Record:
        place = None if file is None else self.folder / file
        return Record(self.path, key, cell=cell, file=place)

    def ask(self, record: Record, question: str, cell: str | None = None) -> None:
        record.begin("main", Turn(question, "answer", cell=cell))

    def made(self, key: str, cell: str | None = None, asked: str | None = None) -> None:
        """Make a notebook, on disk and in the store, with one turn."""
        (self.folder / key).write_text("{}")
        record = self.open(key, cell, key)
        self.ask(record, f"asked in {key}", asked)
        record.close()

    def found(self, record: Record) -> tuple[object, list[str]]:
        found = record.came_from, [turn.question for turn in record.turns("main")]
        record.close()
        return found

    def keys(self) -> list[str]:
        connection = sqlite3.connect(self.path)
        found = [key for (key,) in connection.execute("SELECT key FROM notebooks")]
        connection.close()
        return sorted(found)

    def used_before(self, key: str, days: float) -> None:
        connection = sqlite3.connect(self.path)
        used = (time.time() - days * DAY, key)
        connection.execute("UPDATE notebooks SET used = ? WHERE key = ?", used)
        connection.commit()
        connection.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_notebook_finds_its_own_conversation(store: Store) -> None:
    store.made("a.ipynb", "loader")
    store.made("b.ipynb", "other loader")
    record = store.open("a.ipynb", "loader", "a.ipynb")
    assert store.found(record) == (None, ["asked in a.ipynb"])


def test_a_notebook_that_is_known_takes_no_other_ones(store: Store) -> None:
    store.made("a.ipynb", "loader")
    store.made("b.ipynb")
    record = store.open("b.ipynb", "loader", "b.ipynb")
    assert store.found(record) == (None, ["asked in b.ipynb"])


def test_a_renamed_notebook_keeps_its_conversation_and_its_history(
    store: Store,
) -> None:
    store.made("a.ipynb", "loader")
    (store.folder / "a.ipynb").rename(store.folder / "b.ipynb")
    record = store.open("b.ipynb", "loader", "b.ipynb")
    assert record.came_from == ("renamed", "a.ipynb")
    assert record.undo("main") is not None
    assert record.redo("main") is not None
    assert store.found(record)[1] == ["asked in a.ipynb"]
    assert store.keys() == ["b.ipynb"]


def test_a_renamed_notebook_is_known_by_its_new_name_then(store: Store) -> None:
    store.made("a.ipynb", "loader")
    (store.folder / "a.ipynb").rename(store.folder / "b.ipynb")
    store.open("b.ipynb", "loader", "b.ipynb").close()
    record = store.open("b.ipynb", "loader", "b.ipynb")
    assert record.came_from is not None
    record.close()
    record = store.open("b.ipynb", "loader", "b.ipynb")
    assert store.found(record) == (None, ["asked in a.ipynb"])


def test_a_copied_notebook_begins_with_a_copy(store: Store) -> None:
    store.made("a.ipynb", "loader")
    record = store.open("a.ipynb", "loader", "a.ipynb")
    again = Turn("a0", "b", "stopped", "c", "s", "m", True, True, 2.5, {"f": [1]})
    before = Turn("a1", "b", cell="d")
    record.add([Thread("second", (before, again)), Thread("empty", (before,))])
    record.reset("empty")
    record.thread = "second"
    expected = record.turns("second")
    record.close()
    copy = store.open("b.ipynb", "loader", "b.ipynb")
    assert copy.came_from == ("copied", "a.ipynb")
    assert copy.thread == "second"
    assert [info.name for info in copy.threads()] == ["main", "second"]
    assert copy.turns("second") == expected
    assert expected[1].outdated
    assert copy.undo("main") is None
    store.ask(copy, "in the copy")
    assert store.found(copy)[1] == ["asked in a.ipynb", "in the copy"]
    record = store.open("a.ipynb")
    assert store.found(record) == (None, ["asked in a.ipynb"])


def test_a_notebook_whose_file_is_not_known_is_copied(store: Store) -> None:
    record = store.open("a name", "loader")
    store.ask(record, "q")
    record.close()
    copy = store.open("b name", "loader")
    assert store.found(copy) == (("copied", "a name"), ["q"])


@pytest.mark.parametrize("asked", ["cell", "cell#2", "cell#17"])
def test_a_cell_that_has_asked_tells_where_a_notebook_comes_from(
    store: Store, asked: str
) -> None:
    store.made("a.ipynb", "loader", asked)
    record = store.open("b.ipynb", "cell", "b.ipynb")
    assert store.found(record) == (("copied", "a.ipynb"), ["asked in a.ipynb"])


OTHERS = ["cel", "cell2", "cell#", "other", None]


@pytest.mark.parametrize("cell", OTHERS)
def test_other_cells_tell_nothing(store: Store, cell: str | None) -> None:
    store.made("a.ipynb", "loader", "cell")
    with_cells(store, "b.ipynb", *filter(None, OTHERS))
    record = store.open("b.ipynb", cell, "b.ipynb")
    assert store.found(record) == (None, [])


@pytest.mark.parametrize("asked", ["cell", "cell#2"])
@pytest.mark.parametrize("cell", ["new", "loader", None])
def test_any_cell_that_asked_tells_where_a_notebook_comes_from(
    store: Store, asked: str, cell: str | None
) -> None:
    store.made("a.ipynb", "loader", asked)
    with_cells(store, "b.ipynb", "first", "cell", "last")
    record = store.open("b.ipynb", cell, "b.ipynb")
    assert store.found(record) == (("copied", "a.ipynb"), ["asked in a.ipynb"])


def test_a_cell_of_the_same_name_that_asks_something_else_tells_nothing(
    store: Store,
) -> None:
    store.made("a.ipynb", "cell-1", "cell-2")
    with_cells(store, "b.ipynb", "cell-1", "cell-2", source="%%h2o\nsomething else")
    record = store.open("b.ipynb", "cell-1", "b.ipynb")
    assert store.found(record) == (None, [])


def test_the_cell_that_loads_the_extension_alone_tells_nothing(store: Store) -> None:
    store.made("a.ipynb", "loader", "asked")
    with_cells(store, "b.ipynb", "loader", "another")
    record = store.open("b.ipynb", "loader", "b.ipynb")
    assert store.found(record) == (None, [])


def test_the_notebook_with_most_cells_that_ask_the_same_is_the_origin(
    store: Store,
) -> None:
    for key, cells in (("a.ipynb", "123"), ("b.ipynb", "1")):
        record = store.open(key)
        for cell in cells:
            store.ask(record, f"asked in {cell}", cell)
        record.close()
    source = "asked in 1, asked in 2, asked in 3"
    with_cells(store, "c.ipynb", "1", "2", "3", source=source)
    record = store.open("c.ipynb", "new", "c.ipynb")
    assert record.came_from == ("copied", "a.ipynb")  # though b was used last
    record.close()


def test_a_cell_in_a_long_file_tells_too(store: Store) -> None:
    store.made("a.ipynb", "loader", "cell")
    with_cells(store, "b.ipynb", *(f"cell {i}" for i in range(1000)), "cell")
    record = store.open("b.ipynb", "new", "b.ipynb")
    assert store.found(record) == (("copied", "a.ipynb"), ["asked in a.ipynb"])


def test_a_copy_is_found_whichever_cell_loads_the_extension(store: Store) -> None:
    # Loaded in "loader", but opened only by the question in "asks".
    store.made("a.ipynb", "asks", "asks")
    with_cells(store, "b.ipynb", "loader", "asks")
    record = store.open("b.ipynb", "loader", "b.ipynb")
    assert store.found(record) == (("copied", "a.ipynb"), ["asked in a.ipynb"])


def test_a_renamed_notebook_is_found_from_a_new_cell(store: Store) -> None:
    store.made("a.ipynb", "loader", "asked")
    (store.folder / "a.ipynb").unlink()
    with_cells(store, "b.ipynb", "new", "asked")
    record = store.open("b.ipynb", "new", "b.ipynb")
    assert record.came_from == ("renamed", "a.ipynb")
    assert record.undo("main") is not None
    record.close()
    assert store.keys() == ["b.ipynb"]


def test_a_reset_conversation_is_found_for_what_can_be_taken_back(
    store: Store,
) -> None:
    store.made("a.ipynb", "loader", "asked")
    record = store.open("a.ipynb", "another loader")
    record.reset(None)
    record.close()
    (store.folder / "a.ipynb").unlink()
    with_cells(store, "b.ipynb", "asked")
    record = store.open("b.ipynb", "new", "b.ipynb")
    assert record.undo("main") is not None
    assert store.found(record) == (("renamed", "a.ipynb"), ["asked in a.ipynb"])


@pytest.mark.parametrize("renamed", [True, False])
def test_a_notebook_that_is_known_but_empty_still_finds_its_conversation(
    store: Store, renamed: bool
) -> None:
    store.made("a.ipynb", "loader", "asked")
    store.open("b.ipynb", "new", "b.ipynb").count("main")  # not yet saved
    if renamed:
        (store.folder / "a.ipynb").unlink()
    with_cells(store, "b.ipynb", "new", "asked")
    record = store.open("b.ipynb", "new", "b.ipynb")
    how = "renamed" if renamed else "copied"
    assert store.found(record) == ((how, "a.ipynb"), ["asked in a.ipynb"])
    assert store.keys() == ["b.ipynb"] if renamed else ["a.ipynb", "b.ipynb"]


def test_an_empty_notebook_is_nobodys_origin(store: Store) -> None:
    store.made("a.ipynb", "loader", "asked")
    store.open("b.ipynb", "new", "b.ipynb").count("main")
    with_cells(store, "c.ipynb", "new", "asked")  # "b" was used last
    record = store.open("c.ipynb", "new", "c.ipynb")
    assert store.found(record) == (("copied", "a.ipynb"), ["asked in a.ipynb"])


@pytest.mark.parametrize("everything", [True, False])
def test_what_was_erased_does_not_come_back_from_a_copy(
    store: Store, everything: bool
) -> None:
    store.made("a.ipynb", "loader", "asked")
    store.open("b.ipynb", "loader", "b.ipynb").count("main")
    record = store.open("a.ipynb", "loader", "a.ipynb")
    assert record.reset(None if everything else "main", erase=True) == 1
    assert record.undo("main") is None
    record.close()
    with_cells(store, "a.ipynb", "loader", "asked")
    record = store.open("a.ipynb", "loader", "a.ipynb")
    assert store.found(record) == (None, [])


def test_a_kernel_goes_on_where_another_has_found_its_conversation(
    store: Store,
) -> None:
    store.made("a.ipynb", "loader", "asked")
    one = store.open("b.ipynb", "new", "b.ipynb")
    assert one.count("main") == 0
    (store.folder / "a.ipynb").unlink()
    with_cells(store, "b.ipynb", "new", "asked")
    two = store.open("b.ipynb", "new", "b.ipynb")
    assert two.count("main") == 1
    store.ask(one, "one")
    assert (one.came_from, one.trouble) == (None, "")
    assert store.found(two)[1] == ["asked in a.ipynb", "one"]
    one.close()


def test_a_notebook_with_turns_is_opened_without_reading_its_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(origins, "cell_sources", read.append)
    store.made("a.ipynb", "loader", "asked")
    assert read == [store.folder / "a.ipynb"]
    for cell in ("loader", "asked", None):
        store.open("a.ipynb", cell, "a.ipynb").count("main")
    assert len(read) == 1


def test_of_several_notebooks_the_one_used_last_counts(store: Store) -> None:
    for key in ("a.ipynb", "b.ipynb", "c.ipynb"):
        store.made(key, "loader")
    store.used_before("a.ipynb", 3)
    store.used_before("b.ipynb", 1)
    store.used_before("c.ipynb", 2)
    record = store.open("d.ipynb", "loader", "d.ipynb")
    assert record.came_from == ("copied", "b.ipynb")
    record.close()


def test_asking_is_using(store: Store) -> None:
    store.made("a.ipynb", "loader")
    record = store.open("a.ipynb", "loader")
    record.count("main")
    store.made("b.ipynb", "loader")
    store.used_before("b.ipynb", 1)
    store.used_before("a.ipynb", 2)
    store.ask(record, "again")
    record.close()
    record = store.open("d.ipynb", "loader")
    assert record.came_from == ("copied", "a.ipynb")
    record.close()


def test_an_opening_without_cell_and_file_keeps_those_that_are_known(
    store: Store,
) -> None:
    store.made("a.ipynb", "loader")
    store.open("a.ipynb").count("main")
    (store.folder / "a.ipynb").unlink()
    record = store.open("b.ipynb", "loader")
    assert store.found(record) == (("renamed", "a.ipynb"), ["asked in a.ipynb"])


def test_two_kernels_that_open_a_renamed_notebook_share_it(store: Store) -> None:
    store.made("a.ipynb", "loader")
    (store.folder / "a.ipynb").rename(store.folder / "b.ipynb")
    one = store.open("b.ipynb", "loader", "b.ipynb")
    two = store.open("b.ipynb", "loader", "b.ipynb")
    assert one.came_from == ("renamed", "a.ipynb")
    assert two.came_from is None
    store.ask(one, "one")
    store.ask(two, "two")
    assert store.found(one)[1] == ["asked in a.ipynb", "one", "two"]
    two.close()


def test_a_kernel_that_runs_while_its_notebook_is_renamed_goes_on_in_it(
    store: Store,
) -> None:
    store.made("a.ipynb", "loader")
    running = store.open("a.ipynb", "loader", "a.ipynb")
    running.count("main")
    (store.folder / "a.ipynb").rename(store.folder / "b.ipynb")
    new = store.open("b.ipynb", "loader", "b.ipynb")
    assert new.came_from == ("renamed", "a.ipynb")
    store.ask(running, "still running")
    assert store.found(new)[1] == ["asked in a.ipynb", "still running"]
    running.close()


def with_cells(
    store: Store, file: str, *ids: str, source: str = "%%h2o\nasked in a.ipynb"
) -> None:
    cells = [{"id": id_, "cell_type": "code", "source": source} for id_ in ids]
    (store.folder / file).write_text(json.dumps({"cells": cells}))


def test_a_new_notebook_under_an_old_name_begins_anew(store: Store) -> None:
    store.made("a.ipynb", "loader", "asked#2")
    source = "%%h2o\nsomething else"
    with_cells(store, "a.ipynb", "new loader", "another", source=source)
    record = store.open("a.ipynb", "new loader", "a.ipynb")
    assert store.found(record) == (None, [])
    with_cells(store, "b.ipynb", "loader", "asked")  # the old one turns up again
    record = store.open("b.ipynb", "loader", "b.ipynb")
    assert record.came_from is not None
    assert record.came_from[0] == "renamed"
    assert store.found(record)[1] == ["asked in a.ipynb"]


@pytest.mark.parametrize("cells", [["new loader", "loader"], ["new", "asked"], []])
def test_a_notebook_with_a_cell_of_its_own_is_the_same(
    store: Store, cells: list[str]
) -> None:
    store.made("a.ipynb", "loader", "asked#2")
    with_cells(store, "a.ipynb", *cells)
    for loader in ("new loader", "loader", "asked"):
        record = store.open("a.ipynb", loader, "a.ipynb")
        assert store.found(record) == (None, ["asked in a.ipynb"])


# Kernels without a notebook


def test_a_kernel_without_a_notebook_is_nobodys_origin(store: Store) -> None:
    store.made("kernel:1", "loader")
    record = store.open("b.ipynb", "loader", "b.ipynb")
    assert store.found(record) == (None, [])


def test_a_kernel_without_a_notebook_takes_a_copy_at_most(store: Store) -> None:
    store.made("a.ipynb", "loader")
    (store.folder / "a.ipynb").unlink()
    record = store.open("kernel:1", "loader")
    assert store.found(record) == (("copied", "a.ipynb"), ["asked in a.ipynb"])
    assert store.keys() == ["a.ipynb", "kernel:1"]


def test_kernels_without_a_notebook_are_forgotten_after_30_days(store: Store) -> None:
    for key, days in [("kernel:old", 31), ("kernel:new", 29), ("old.ipynb", 99)]:
        store.made(key)
        store.used_before(key, days)
    store.open("a.ipynb").count("main")
    assert store.keys() == ["a.ipynb", "kernel:new", "old.ipynb"]
    connection = sqlite3.connect(store.path)
    questions = connection.execute("SELECT question FROM turns ORDER BY question")
    assert [*questions] == [("asked in kernel:new",), ("asked in old.ipynb",)]
    connection.close()


def test_a_kernel_that_is_used_again_is_not_forgotten(store: Store) -> None:
    store.made("kernel:old")
    store.used_before("kernel:old", 31)
    assert store.found(store.open("kernel:old"))[1] == ["asked in kernel:old"]
