import threading
from types import SimpleNamespace
from typing import Any

import pytest

from h2o_magic.ipython.identity import RunningCell


class Kernel:
    """Serves one request after the other, as ipykernel does."""

    def __init__(self) -> None:
        self.parent: dict[str, Any] = {}

    def get_parent(self) -> dict[str, Any]:
        return self.parent

    def serve(self, request: str, cell: str | None) -> None:
        metadata = {} if cell is None else {"cellId": cell}
        self.parent = {"header": {"msg_id": request}, "metadata": metadata}


def running(*cells: str | None) -> tuple[RunningCell, Kernel]:
    kernel = Kernel()
    cell = RunningCell(SimpleNamespace(kernel=kernel))
    for number, name in enumerate(cells):
        kernel.serve(f"r{number}", name)
    return cell, kernel


def test_the_request_that_is_served_names_the_cell() -> None:
    cell, kernel = running("a")
    assert cell.id == cell.key == "a"
    kernel.serve("r1", "b")
    assert cell.id == "b"
    kernel.serve("r2", None)
    assert cell.id is None


def test_further_questions_of_a_cell_are_numbered_in_each_thread() -> None:
    cell, _ = running("a")
    keys = [cell.next_key(thread) for thread in ("main", "main", "ideas", "main")]
    assert keys == ["a", "a#2", "a", "a#3"]
    assert cell.asked == {
        ("main", "a"),
        ("main", "a#2"),
        ("main", "a#3"),
        ("ideas", "a"),
    }


def test_a_cell_that_runs_again_counts_from_the_beginning() -> None:
    cell, kernel = running("a")
    cell.next_key("main")
    kernel.serve("again", "a")
    assert cell.asked == frozenset()
    assert cell.next_key("main") == "a"


def test_without_an_id_there_is_no_key() -> None:
    cell, _ = running(None)
    assert cell.next_key("main") is None
    assert RunningCell(None).next_key("main") is None


def test_a_question_outside_has_no_key_but_a_thread() -> None:
    cell, kernel = running("a")
    assert cell.threads == frozenset()
    assert cell.next_key("main", history=False) is None
    assert cell.threads == {"main"}
    assert cell.asked == frozenset()
    kernel.serve("again", "a")
    assert cell.threads == frozenset()


def test_a_cell_within_a_cell_is_a_part_of_it() -> None:
    cell, _ = running("a")
    cell.begin("a")
    keys = [cell.next_key("main")]
    for _ in range(2):
        cell.begin(None)
        keys.append(cell.next_key("main"))
        assert not cell.end()
    assert keys == ["a", "a#2", "a#3"]
    assert cell.end()
    cell.begin("a")
    assert cell.next_key("main") == "a"
    assert cell.end()


def test_what_another_thread_of_the_program_asks_belongs_to_no_cell() -> None:
    cell, _ = running("a")
    keys: list[str | None] = []
    asking = threading.Thread(target=lambda: keys.append(cell.next_key("main")))
    asking.start()
    asking.join()
    assert keys == [None]


def test_a_shell_without_a_kernel_names_the_cell_by_its_event() -> None:
    cell = RunningCell(SimpleNamespace())
    cell.begin("a")
    assert cell.next_key("main") == "a"
    cell.begin(None)
    assert cell.next_key("main") is None


def test_the_coming_key_is_the_next_one_and_is_not_counted() -> None:
    cell, kernel = running("a")
    for _ in range(3):
        coming = cell.coming_key("main")
        assert coming == cell.coming_key("main") == cell.next_key("main")
    assert cell.coming_key("ideas") == "a"
    assert cell.asked == {("main", "a"), ("main", "a#2"), ("main", "a#3")}
    kernel.serve("again", "a")
    assert cell.coming_key("main") == "a"
    assert cell.coming_key("main", history=False) is None
    assert cell.threads == frozenset()
    assert RunningCell(None).coming_key("main") is None


@pytest.mark.parametrize(
    ("source", "alone"),
    [
        ("%%h2o\nhi", True),
        ("\n \n  %%h2o --temperature 0\nhi", True),
        ("# a comment\n\n%%h2o\nhi", True),
        ("%%h2o_other\nhi", False),
        ("%h2o ask hi", False),
        ("print(1)\nget_ipython().run_cell('%%h2o\\nhi')", False),
        ("%%capture c\n%h2o ask hi", False),
        ("%%time\n%h2o ask hi", False),
        ("", False),
    ],
)
def test_a_question_is_alone_in_a_cell_that_begins_with_it(
    source: str, *, alone: bool
) -> None:
    cell, _ = running("a")
    cell.begin("a", source)
    assert cell.take() is alone


def test_only_the_first_call_in_a_cell_is_alone() -> None:
    cell, _ = running("a")
    cell.begin("a", "%%h2o\nhi")
    assert [cell.take(), cell.take()] == [True, False]


def test_a_question_within_a_cell_of_another_kind_is_not_alone() -> None:
    cell, kernel = running("a")
    cell.begin("a", "%run notebook.ipynb")
    cell.begin(None, "%%h2o\nhi")
    assert not cell.take()
    kernel.serve("r1", "b")  # a silent request, which begins no cell
    assert not cell.take()
