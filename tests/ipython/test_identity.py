import os
from pathlib import Path

import pytest

from h2o_magic.ipython.identity import Identity, cell_key, identify

HERE = os.path.abspath("work")
NOTEBOOK = os.path.join(HERE, "chat.ipynb")
LAB = {"JPY_SESSION_NAME": NOTEBOOK}
KERNEL = os.path.join(HERE, "kernel-0a1b.json")


def found(**given: object) -> Identity | None:
    facts: dict[str, object] = {"environ": {}, "namespace": {}, "cell": "c1"}
    return identify(**facts | given)  # type: ignore[arg-type]


def test_jupyter_names_the_notebook_by_its_path() -> None:
    assert found(environ=LAB) == Identity(f"file:{NOTEBOOK}", Path(NOTEBOOK), "c1")


def test_a_path_is_the_same_however_it_is_spelt() -> None:
    odd = os.path.join(HERE, "sub", "..", "chat.ipynb")
    assert found(environ={"JPY_SESSION_NAME": odd}) == found(environ=LAB)


def test_a_relative_path_is_a_key_but_no_file() -> None:
    environ = {"JPY_SESSION_NAME": "chat.ipynb"}
    assert found(environ=environ) == Identity("file:chat.ipynb", cell="c1")


def test_vs_code_names_the_notebook_in_a_variable() -> None:
    namespace = {"__vsc_ipynb_file__": NOTEBOOK}
    assert found(namespace=namespace, cell=None) == Identity(
        f"file:{NOTEBOOK}", Path(NOTEBOOK)
    )


def test_vs_codes_numbers_of_cells_are_nothing_to_know_a_notebook_by() -> None:
    cell = "vscode-notebook-cell:/home/ann/chat.ipynb#W0sZmlsZQ%3D%3D"
    identity = found(namespace={"__vsc_ipynb_file__": NOTEBOOK}, cell=cell)
    assert identity == Identity(f"file:{NOTEBOOK}", Path(NOTEBOOK))


def test_a_program_that_runs_notebooks_inside_one_is_not_taken_for_it() -> None:
    # Its kernels inherit the variable; what they lack is the id of a cell.
    nested = found(environ=LAB, cell=None, connection_file=KERNEL)
    assert nested == Identity("kernel:kernel-0a1b")


def test_a_console_has_a_title_and_no_notebook() -> None:
    environ = {"JPY_SESSION_NAME": os.path.join(HERE, "Console 1")}
    assert found(environ=environ, connection_file=KERNEL) == Identity(
        "kernel:kernel-0a1b"
    )


def test_a_name_that_the_user_gave_goes_before_all_others() -> None:
    assert found(name="my chat", environ=LAB) == Identity("name:my chat")


def test_a_terminal_has_no_notebook() -> None:
    assert found(cell=None) is None


@pytest.mark.parametrize("cell", [None, "0a1b2c", "c1#2"])
def test_a_cell_is_known_by_its_id(cell: str | None) -> None:
    assert cell_key(cell, "run") == cell


def test_vs_codes_ids_mean_a_cell_only_within_one_run() -> None:
    cell = "vscode-notebook-cell:/home/ann/chat.ipynb#W0sZmlsZQ%3D%3D"
    assert cell_key(cell, "one") == cell_key(cell, "one")
    assert cell_key(cell, "one") != cell_key(cell, "two")
