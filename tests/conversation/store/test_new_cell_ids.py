"""Tools that give cells new ids: same path and same questions are the same notebook."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat.turns import Turn
from h2o_magic.conversation.record import Record
from tests.conversation.worker import Kernel

Cells = dict[str, str]  # what each asks, by its id


class Notebook:
    """A notebook in a folder, and the kernels that it has one after the other."""

    def __init__(self, folder: Path, name: str = "chat.ipynb") -> None:
        self.store = folder / "home" / "conversations.sqlite3"
        self.file = folder / name
        self.kernel: Kernel | None = None

    def save(self, cells: Cells, *, ids: bool = True) -> None:
        listed = [
            {"cell_type": "code", "source": f"%%h2o\n{question}"}
            | ({"id": id_} if ids else {})
            for id_, question in cells.items()
        ]
        self.file.write_text(json.dumps({"cells": listed}))

    def restart(self) -> None:
        if self.kernel is not None:
            self.kernel.session.close()
        self.kernel = None

    def run(self, cells: Cells) -> list[list[tuple[str, str]]]:
        """Run cells, the first of which opens the record; return what was sent."""
        sent = []
        for id_, question in cells.items():
            if self.kernel is None:
                self.kernel = Kernel(str(self.store), str(self.file), id_)
            sent += self.kernel.run_cell(id_, [(question, "Yes.", "main", True)])
        return sent

    def turns(self) -> list[tuple[str, str | None, bool]]:
        assert self.kernel is not None
        turns = self.kernel.session.turns("main")
        return [(turn.question, turn.cell, turn.outdated) for turn in turns]

    @property
    def questions(self) -> list[str]:
        return [question for question, *_ in self.turns()]


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))  # which a kernel sets
    made = Notebook(tmp_path)
    yield made
    made.restart()


OLD = {"a1": "What is it?", "a2": "Why?", "a3": "Is that all?"}
NEW = {"b1": "What is it?", "b2": "Why?", "b3": "Is that all?"}


def temporary(cells: Cells) -> Cells:
    """Return cells as VS Code numbers them."""
    return {f"vscode-notebook-cell:/chat.ipynb#{id_}": q for id_, q in cells.items()}


@pytest.mark.parametrize(
    ("old", "new", "save"),
    [
        pytest.param(OLD, NEW, lambda n, c: n.save(c), id="nbstripout"),
        pytest.param(
            OLD, NEW, lambda n, c: n.save(c, ids=False), id="a file without ids"
        ),
        pytest.param(OLD, NEW, lambda n, _: n.file.write_text("# %%\n"), id="jupytext"),
        pytest.param(OLD, NEW, lambda *_: None, id="a file of another machine"),
        pytest.param(
            temporary(OLD), temporary(OLD), lambda n, _: n.save(OLD), id="VS Code"
        ),
    ],
)
def test_new_ids_of_all_cells_make_no_second_turn_of_any(
    notebook: Notebook,
    old: Cells,
    new: Cells,
    save: Callable[[Notebook, Cells], None],
) -> None:
    save(notebook, old)
    notebook.run(old)
    notebook.restart()
    save(notebook, new)
    for cell, sent in zip(new, notebook.run(new), strict=True):
        before = [*new.values()][: [*new].index(cell)]
        assert [text for role, text in sent if role == "user"] == [*before, new[cell]]
    assert notebook.questions == [*new.values()]
    assert not any(outdated for *_, outdated in notebook.turns())
    assert notebook.kernel is not None
    assert len(notebook.kernel.session.versions(1).turns) == 2


def test_only_the_cell_that_is_run_again_takes_its_turn(notebook: Notebook) -> None:
    notebook.save(OLD)
    notebook.run(OLD)
    notebook.restart()
    notebook.save(NEW)
    notebook.run({"b2": "Why?"})
    assert notebook.turns() == [
        ("What is it?", "a1", False),
        ("Why?", "b2", False),
        ("Is that all?", "a3", True),
    ]


def test_a_cell_that_asks_in_a_loop_keeps_its_turns_in_order(
    notebook: Notebook,
) -> None:
    asked = [("again?", "Yes.", "main", True)] * 3
    for id_ in ("a1", "b1"):
        notebook.save({id_: "again?"})
        kernel = Kernel(str(notebook.store), str(notebook.file), id_)
        notebook.kernel = kernel
        kernel.run_cell(id_, asked)
        assert [cell for _, cell, _ in notebook.turns()] == [
            id_,
            f"{id_}#2",
            f"{id_}#3",
        ]
        notebook.restart()


def test_what_was_edited_is_asked_at_the_end(notebook: Notebook) -> None:
    notebook.save(OLD)
    notebook.run(OLD)
    notebook.restart()
    new = {**NEW, "b2": "Why not?"}
    notebook.save(new)
    notebook.run(new)
    assert notebook.questions == ["What is it?", "Why?", "Is that all?", "Why not?"]


def test_one_question_in_two_cells_is_two_turns(notebook: Notebook) -> None:
    notebook.save({"a1": "Why?", "a2": "Why?"})
    for _ in range(2):
        notebook.run({"a1": "Why?", "a2": "Why?"})
        assert [cell for _, cell, _ in notebook.turns()] == ["a1", "a2"]
        notebook.restart()
    notebook.run({"a3": "Why?"})  # not saved yet; the others are in the file
    assert [cell for _, cell, _ in notebook.turns()] == ["a1", "a2", "a3"]


def test_what_has_asked_in_this_kernel_is_there_though_it_is_not_saved(
    notebook: Notebook,
) -> None:
    notebook.save({"a0": "Who?"})
    notebook.run({"a1": "Why?", "a2": "Why?"})
    assert [cell for _, cell, _ in notebook.turns()] == ["a1", "a2"]


def test_a_named_conversation_has_the_turns_of_all_its_notebooks(
    tmp_path: Path,
) -> None:
    for cell in ("a1", "b1"):
        record = Record(tmp_path / "store.db", "name:our chat", cell=cell)
        assert record.place("main", cell, "Why?") == cell
        record.begin("main", Turn("Why?", cell=cell), record.place("main", cell, "?"))
        record.close()
    assert record.count("main") == 2
    record.close()


# Which notebook is the same


@pytest.mark.parametrize(
    "new",
    [
        {"b1": "What is it?"},  # an earlier version of it
        {**NEW, "b4": "More?", "b5": "And?", "b6": "So?", "b7": "Who?"},
        {"b1": "Who?", "b2": "Why?", "b3": "Is that all?"},
    ],
)
def test_half_of_the_questions_make_it_the_same_notebook(
    notebook: Notebook, new: Cells
) -> None:
    notebook.save(OLD)
    notebook.run(OLD)
    notebook.restart()
    notebook.save(new)
    notebook.run({"loader": "a new one"})
    assert notebook.questions == [*OLD.values(), "a new one"]


@pytest.mark.parametrize(
    "new",
    [
        {"b1": "Who?", "b2": "When?"},
        {"b1": "Why?", "b2": "Who?", "b3": "When?"},  # by chance
        {"b1": "Is that all? No.", "b2": "Why? And what is it? "},
        {"b1": ""},
    ],
)
def test_another_notebook_of_the_same_path_begins_anew(
    notebook: Notebook, new: Cells
) -> None:
    notebook.save(OLD)
    notebook.run(OLD)
    notebook.restart()
    notebook.save(new)
    notebook.run({"loader": "Why?"})
    assert notebook.turns() == [("Why?", "loader", False)]


def test_a_question_with_values_and_one_from_python_are_known_too(
    tmp_path: Path,
) -> None:
    store, file = tmp_path / "store.db", tmp_path / "chat.ipynb"
    record = Record(store, "key", cell="a1", file=file)
    for question in ("Sum {x} and {y}!", "from Python?"):
        record.begin("main", Turn(question, cell=question))
    record.close()
    for source in ("%%h2o --raw\nSum {x} and {y}!\n", 'ask("from Python?")'):
        file.write_text(json.dumps({"cells": [{"id": "b1", "source": source}]}))
        record = Record(store, "key", cell="b1", file=file)
        assert record.count("main") == 2
        record.close()


# One file by several names


def test_a_folder_by_another_name_is_no_second_history(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "chat.ipynb").write_text("{}")
    (tmp_path / "other.ipynb").symlink_to("real/chat.ipynb")
    (tmp_path / "hard.ipynb").hardlink_to(tmp_path / "real" / "chat.ipynb")
    names = [
        "link/chat.ipynb",
        "real/chat.ipynb",
        "other.ipynb",
        "hard.ipynb",
        "real/../link/chat.ipynb",
        "link/chat.ipynb",
    ]
    for number, name in enumerate(names):
        file = tmp_path / name
        record = Record(tmp_path / "store.db", f"file:{file}", cell="c", file=file)
        assert record.count("main") == number
        record.begin("main", Turn(name))
        record.close()


def test_two_histories_that_a_file_has_already_are_both_kept(tmp_path: Path) -> None:
    file, link = tmp_path / "chat.ipynb", tmp_path / "link.ipynb"
    for each in (file, link):
        record = Record(tmp_path / "store.db", f"file:{each}", file=each)
        record.begin("main", Turn(each.name))
        record.close()
    file.write_text("{}")
    link.symlink_to(file)
    for each in (file, link):
        record = Record(tmp_path / "store.db", f"file:{each}", file=each)
        assert [turn.question for turn in record.turns("main")] == [each.name]
        record.close()


def test_another_file_of_the_same_name_is_another_notebook(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "chat.ipynb"
        file.write_text("{}")
        record = Record(tmp_path / "store.db", f"file:{file}", file=file)
        assert record.count("main") == 0
        record.begin("main", Turn("q"))
        record.close()


# Any sequence


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from("abc"), min_size=1, max_size=5), st.booleans()
        ),
        min_size=1,
        max_size=5,
    )
)
def test_run_all_leaves_each_cell_one_turn_whatever_its_id(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[list[str], bool]]
) -> None:
    """Cells are added and edited and get new ids; all are run in each kernel."""
    folder = tmp_path_factory.mktemp("any")
    file = folder / "chat.ipynb"
    questions: list[str] = []
    named = 0
    ids: list[str] = []
    for wanted, anew in runs:
        more = wanted[len(questions) :]
        questions = [*questions, *more]
        if anew:
            ids = []
        ids += [f"id {named + n}" for n in range(len(questions) - len(ids))]
        named += len(questions)
        cells = [
            {"id": id_, "source": f"%%h2o\n{question}"}
            for id_, question in zip(ids, questions, strict=True)
        ]
        file.write_text(json.dumps({"cells": cells}))
        record = Record(folder / "store.db", "key", cell=ids[0], file=file)
        for id_, question in zip(ids, questions, strict=True):
            place = record.place("main", id_, question)
            record.begin("main", Turn(question, "answer", cell=id_), place)
        turns = record.turns("main")
        assert sorted(turn.question for turn in turns) == sorted(questions)
        assert sorted(turn.cell or "" for turn in turns) == sorted(ids)
        record.close()
