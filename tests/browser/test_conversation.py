"""What JupyterLab's own ways with cells and files do to the conversation."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import expect

from h2o_magic.conversation.record import Record
from tests.browser.conftest import CLOSE_ALL, Lab, LabNotebook, Opener
from tests.browser.test_lab import chat_notebook
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "02_conversation.ipynb"


def questions(lab: Lab, name: str, thread: str = "main") -> list[str]:
    """Return what a notebook's conversation has, read from the store as it lies."""
    record = Record(lab.home / "conversations.sqlite3", f"file:{lab.folder / name}")
    found = [turn.question for turn in record.turns(thread)]
    record.close()
    return found


def press(notebook: LabNotebook, index: int, *keys: str) -> None:
    """Select a cell, and press keys of JupyterLab's command mode."""
    notebook.cell(index).locator(".jp-InputArea-prompt").click()
    expect(notebook.cell(index)).to_contain_class("jp-mod-active")
    for key in keys:
        notebook.page.keyboard.press(key)


def call(lab: Lab, verb: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Do something through the interface of JupyterLab's server."""
    request = urllib.request.Request(
        f"{lab.url}api/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"token {lab.token}", "Content-Type": "application/json"},
        method=verb,
    )
    with urllib.request.urlopen(request) as reply:
        return json.loads(reply.read() or b"null")


def shut_down(notebook: LabNotebook) -> None:
    """Save a notebook, and end its kernel as "Close and Shut Down" does."""
    notebook.save()
    notebook.page.evaluate(CLOSE_ALL)


def asked(open_notebook: Opener, server: StandIn, name: str) -> LabNotebook:
    """Return a notebook in which two questions were asked, by cells 1 and 2."""
    cells = chat_notebook(server, "%%h2o\nfirst", "%%h2o\nsecond")
    notebook = open_notebook(name, cells)
    for index in range(3):
        notebook.run_to_end(index)
    assert questions(open_notebook.lab, name) == ["first", "second"]
    return notebook


def open_cleared(open_notebook: Opener, name: str) -> LabNotebook:
    """Open a file without outputs and prompts, so that a run can be seen."""
    path = open_notebook.lab.folder / name
    source = nbformat.read(path, as_version=4)
    for cell in source.cells:
        cell.outputs, cell.execution_count = [], None
    return open_notebook(name, source)


def test_a_copy_of_a_cell_is_a_cell_of_its_own(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook = asked(open_notebook, server, "copied-cell.ipynb")
    press(notebook, 1, "c", "v")
    notebook.run_again(2)
    found = questions(open_notebook.lab, "copied-cell.ipynb")
    assert found == ["first", "second", "first"]


def test_a_cell_that_is_cut_and_pasted_keeps_its_turn(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook = asked(open_notebook, server, "cut-cell.ipynb")
    press(notebook, 1, "x")
    press(notebook, 1, "v")
    expect(notebook.cell(2)).to_contain_text("first")
    notebook.run_again(2)
    assert questions(open_notebook.lab, "cut-cell.ipynb") == ["first", "second"]


def test_a_cell_that_is_moved_keeps_its_turn_and_its_place(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook = asked(open_notebook, server, "moved-cell.ipynb")
    press(notebook, 2, "Control+Shift+ArrowUp")
    expect(notebook.cell(1)).to_contain_text("second")
    notebook.run_again(1)
    assert questions(open_notebook.lab, "moved-cell.ipynb") == ["first", "second"]


def test_the_turn_of_a_deleted_cell_stays_until_it_is_dropped(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook = asked(open_notebook, server, "deleted-cell.ipynb")
    press(notebook, 1, "d", "d")
    expect(notebook.cell(1)).to_contain_text("second")
    notebook.run_again(1)
    found = questions(open_notebook.lab, "deleted-cell.ipynb")
    assert found == ["first", "second"]


def test_a_renamed_notebook_takes_its_conversation_along(
    open_notebook: Opener, server: StandIn
) -> None:
    lab = open_notebook.lab
    notebook = asked(open_notebook, server, "Untitled.ipynb")
    shut_down(notebook)
    call(lab, "PATCH", "contents/Untitled.ipynb", {"path": "analysis.ipynb"})
    notebook = open_cleared(open_notebook, "analysis.ipynb")
    notebook.run_to_end(0)
    expect(notebook.output(0)).to_contain_text("2 turns of this notebook's")
    assert questions(lab, "analysis.ipynb") == ["first", "second"]

    # A new notebook that gets the old name is another one.
    fresh = open_notebook("Untitled.ipynb", chat_notebook(server, "%%h2o\nnew"))
    for index in (0, 1):
        fresh.run_to_end(index)
    assert questions(lab, "Untitled.ipynb") == ["new"]
    assert questions(lab, "analysis.ipynb") == ["first", "second"]


def test_a_new_notebook_under_an_old_name_begins_with_nothing(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook = asked(open_notebook, server, "again.ipynb")
    shut_down(notebook)
    call(open_notebook.lab, "DELETE", "contents/again.ipynb")
    fresh = open_notebook("again.ipynb", chat_notebook(server, "%%h2o\nnew"))
    for index in (0, 1):
        fresh.run_to_end(index)
    assert questions(open_notebook.lab, "again.ipynb") == ["new"]


def test_a_copied_notebook_has_a_copy_of_the_conversation(
    open_notebook: Opener, server: StandIn
) -> None:
    lab = open_notebook.lab
    notebook = asked(open_notebook, server, "template.ipynb")
    shut_down(notebook)
    call(lab, "POST", "contents", {"copy_from": "template.ipynb"})
    notebook = open_cleared(open_notebook, "template-Copy1.ipynb")
    notebook.run_to_end(0)
    expect(notebook.output(0)).to_contain_text("2 turns copied from template.ipynb")
    notebook.screenshot("conversation-copied")
    notebook.run_again(2)
    press(notebook, 2, "b")
    assert questions(lab, "template-Copy1.ipynb") == ["first", "second"]
    assert questions(lab, "template.ipynb") == ["first", "second"]


# By day tests/kernel/test_showroom.py runs it.
@pytest.mark.nightly
def test_the_conversation_notebook_runs_from_top_to_bottom(
    open_notebook: Opener,
) -> None:
    source = nbformat.read(NOTEBOOK, as_version=4)
    notebook = open_notebook("02_conversation.ipynb", source)
    code = [i for i, cell in enumerate(source.cells) if cell.cell_type == "code"]
    notebook.run_all(code)
    for index in code:
        notebook.cell(index).scroll_into_view_if_needed()
        expect(notebook.output(index)).not_to_contain_text("Error")
        notebook.screenshot(f"conversation-{index:02d}")
