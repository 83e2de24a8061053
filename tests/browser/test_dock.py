"""The chat beside the notebook, by JupyterLab's extension."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OPEN, LabNotebook, Opener, expect_soon
from tests.browser.test_lab import chat_notebook
from tests.browser.test_panel import ANSWER, Panel, opened
from tests.browser.test_queue import ask_endless, queued
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser

RUN = "command => jupyterapp.commands.execute(command).then(() => {})"
RESTART = """
() => jupyterapp.shell.currentWidget.context.sessionContext.restartKernel()
  .then(() => {})
"""
REPLACE = """() => {
  const panel = jupyterapp.shell.currentWidget;
  return h2oMagic.replace(panel.context, 'replaced = 1');
}"""
CLOSE_DOCK = "h2oMagic.undock()"
CLOSE = "() => jupyterapp.shell.currentWidget.dispose()"
#: How much of an element is seen in the page, from 0 to 1.
SEEN = """element => new Promise(resolve => {
  const observer = new IntersectionObserver(([entry]) => {
    observer.disconnect();
    resolve(entry.intersectionRatio);
  });
  observer.observe(element);
})"""


class Dock:
    """The chat on the right, or in a tab of its own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.box = page.locator(".h2o-dock")
        self.panel = Panel(self.box.locator(".h2o-panel"))
        self.notice = self.box.locator(".h2o-dock-notice")

    def run(self, command: str) -> None:
        self.page.evaluate(RUN, f"h2o-magic:{command}")

    def press(self, name: str) -> None:
        self.box.get_by_role("button", name=name, exact=True).click()


@pytest.fixture
def dock(page: Page) -> Iterator[Dock]:
    """The dock, which is closed again: other tests use the page."""
    dock = Dock(page)
    yield dock
    page.evaluate(CLOSE_DOCK)


def expect_whole(*elements: Locator) -> None:
    """Expect elements to be in sight, whole, as soon as the page is laid out."""
    for element in elements:
        expect_soon(element.page, lambda: element.evaluate(SEEN), 1)  # noqa: B023


def line_of(notebook: LabNotebook, index: int) -> Locator:
    """The one line that a cell shows whose chat is docked."""
    return notebook.output(index).locator(".h2o-elsewhere")


def test_the_chat_docks_stays_in_sight_and_works_on_the_notebooks_active_cell(
    open_notebook: Opener, server: StandIn, dock: Dock
) -> None:
    page = dock.page
    page.set_viewport_size({"width": 1400, "height": 900})
    cells = ("first = 1", "second = 2")
    notebook, panel = opened(open_notebook, server, "dock.ipynb", *cells)
    server.script = ANSWER
    panel.ask("Some code?")
    panel.wait_for_end(1, "from the panel")
    panel.composer.fill("A draft")
    panel.press("Dock on the right")
    expect(dock.panel.turn(1)).to_contain_text("from the panel")
    expect(dock.panel.composer).to_have_value("A draft")
    expect(dock.panel.composer).to_be_focused()
    expect(dock.box).to_contain_text("Chat: dock.ipynb")
    expect(line_of(notebook, 3)).to_have_text("The chat is on the right.Show it here")
    expect(panel.place.locator(".h2o-chat")).to_have_count(0)
    wide = "box => 395 <= box.clientWidth && box.clientWidth <= 400"
    expect_soon(page, lambda: dock.box.evaluate(wide), True)
    expect_whole(dock.panel.composer)
    dock.panel.composer.fill("")
    notebook.cell(1).locator(".jp-InputArea-editor").click()
    dock.panel.press("Insert below the active cell")
    expect(notebook.cell(2)).to_contain_text("print('from the panel')")
    expect(notebook.cell(3)).to_contain_text("second = 2")
    notebook.cell(3).locator(".jp-InputArea-editor").click()
    page.evaluate(REPLACE)
    expect(notebook.cell(3)).to_contain_text("replaced = 1")
    page.evaluate(RUN, "notebook:undo-cell-action")
    expect(notebook.cell(3)).to_contain_text("second = 2")
    # In a tab of its own, and back into the cell.
    dock.press("Open in a tab of its own")
    tabs = page.locator(".lm-DockPanel-tabBar")
    expect(tabs.get_by_text("Chat: dock.ipynb")).to_be_visible()
    expect(dock.panel.turn(1)).to_contain_text("from the panel")
    expect(line_of(notebook, 4)).to_contain_text("in a tab of its own")
    dock.run("show-in-cell")
    panel = Panel(notebook.output(4).locator(".h2o-panel"))
    expect(panel.turn(1)).to_contain_text("from the panel")
    expect(dock.box).to_be_hidden()
    dock.run("dock")
    line_of(notebook, 4).get_by_role("button", name="Show it here").click()
    expect(panel.composer).to_be_focused()
    expect_whole(panel.place.get_by_role("button", name="Send (Enter)"))


def test_what_is_typed_outlives_docking_other_chats_and_the_kernel(
    open_notebook: Opener, server: StandIn, dock: Dock
) -> None:
    page = dock.page
    page.set_viewport_size({"width": 1400, "height": 900})
    _, panel = opened(open_notebook, server, "dock-typed.ipynb")
    server.script = ["Answered."]
    panel.ask("First?")
    panel.wait_for_end(1, "Answered.")
    ask_endless(panel, server, "Endless?")
    panel.ask("Waits?")
    expect(queued(panel)).to_contain_text("Queued")
    file = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"alpha"}
    panel.place.locator("input[type=file]").set_input_files([file])
    chips = ".h2o-composer .h2o-chip"
    expect(panel.place.locator(chips)).to_contain_text("a.txt")
    panel.composer.fill("A draft")
    panel.press("Edit the question of turn 1 and ask again")
    panel.composer.fill("First, better?")
    panel.place.get_by_role("button", name="Edit “Waits?”").click()
    panel.place.get_by_label("Question", exact=True).fill("Waits, better?")
    dock.run("dock")
    docked = dock.panel
    expect(docked.place.locator(".h2o-banner")).to_contain_text("Editing turn 1")
    expect(docked.composer).to_have_value("First, better?")
    expect(docked.place.locator(chips)).to_have_count(0)
    expect(queued(docked)).to_contain_text("Waits, better?")
    docked.composer.press("Escape")
    expect(docked.composer).to_have_value("A draft")
    expect(docked.place.locator(chips)).to_contain_text("a.txt")
    docked.press("Remove a.txt")
    # An edit becomes the draft of the chat that is left.
    docked.press("Edit the question of turn 1 and ask again")
    docked.composer.fill("First, much better?")
    docked.press("New chat")
    expect(docked.place.locator(".h2o-title")).to_have_text("New chat")
    expect(docked.composer).to_have_value("")
    docked.composer.fill("In another chat")
    docked.press("History")
    options = docked.place.get_by_role("option")
    options.filter(has_text=re.compile("^First")).click()
    expect(docked.composer).to_have_value("A draft\n\nFirst, much better?")
    docked.composer.fill("Typed last")
    page.evaluate(RESTART)
    expect(dock.notice).to_contain_text("not connected to the kernel")
    dock.press("Reconnect")
    expect(docked.composer).to_have_value("Typed last")
    expect(queued(docked)).to_contain_text("Waits, better?")
    expect(queued(docked)).to_contain_text("Not sent")
    docked.press("History")
    options.filter(has_text="Draft").filter(has_text="New chat").click()
    expect(docked.composer).to_have_value("In another chat")


def test_it_follows_notebooks_kernels_and_reloads(
    open_notebook: Opener, server: StandIn, dock: Dock
) -> None:
    page = dock.page
    page.set_viewport_size({"width": 1400, "height": 900})
    source = chat_notebook(server, "%h2o panel --right")
    closing = "import h2o_magic\nh2o_magic.panel().close()"
    source.cells += [new_code_cell(text) for text in (closing, *["\n" * 30] * 4)]
    notebook = open_notebook("dock-kernel.ipynb", source)
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    dock.panel.wait_until_open()
    server.script = ["What is kept."]
    dock.panel.ask("What stays?")
    dock.panel.wait_for_end(1, "What is kept.")
    notebook.cell(6).scroll_into_view_if_needed()
    expect_whole(dock.panel.composer)
    page.evaluate(RUN, "notebook:clear-all-cell-outputs")
    expect(notebook.output(1)).to_have_text("")
    page.wait_for_timeout(1000)  # the dock has looked
    expect(dock.panel.turn(1)).to_contain_text("What is kept.")
    page.evaluate(RESTART)
    expect(dock.notice).to_contain_text("not connected to the kernel")
    expect(dock.panel.place).to_have_count(0)
    dock.press("Reconnect")
    expect(dock.panel.turn(1)).to_contain_text("What is kept.")
    # One that is closed while nothing is docked is not looked for much longer.
    looked: list[str] = []
    page.on("console", lambda message: looked.append(message.text))
    page.evaluate(CLOSE_DOCK)
    notebook.run_to_end(2)
    dock.run("dock")
    expect(dock.notice).to_contain_text("not connected to the kernel")
    assert 0 < sum("model not found" in text for text in looked) < 10
    dock.press("Reconnect")
    expect(dock.panel.turn(1)).to_contain_text("What is kept.")
    notebook.save()
    page.wait_for_timeout(3000)  # JupyterLab has saved its layout
    page.reload()
    expect(dock.panel.turn(1)).to_contain_text("What is kept.")
    page.wait_for_timeout(3000)  # JupyterLab activates the notebook of its address
    # Another notebook has no chat yet.
    other = chat_notebook(server)
    nbformat.write(other, open_notebook.lab.folder / "dock-other.ipynb")
    page.evaluate(OPEN, "dock-other.ipynb")
    expect(dock.box).to_contain_text("Chat: dock-other.ipynb")
    expect(dock.notice).to_contain_text("This notebook has no chat yet.")
    page.keyboard.press("Control+Alt+h")
    dock.panel.wait_until_open()
    expect(dock.panel.turns).to_have_count(0)
    expect(dock.panel.composer).to_be_focused()
    page.evaluate(CLOSE)
    expect(dock.box).to_contain_text("Chat: dock-kernel.ipynb")
    expect(dock.panel.turn(1)).to_contain_text("What is kept.")
    page.evaluate(CLOSE)
    expect(dock.notice).to_have_text("Open a notebook to chat beside it.")


def test_in_a_cell_the_composer_is_in_sight_and_a_lost_kernel_is_reconnected(
    open_notebook: Opener, server: StandIn
) -> None:
    page = open_notebook.page
    notebook, panel = opened(open_notebook, server, "in-cell.ipynb", "1", "2", "3")
    server.script = ["What is kept."]
    panel.ask("What stays?")
    panel.wait_for_end(1, "What is kept.")
    send = panel.place.get_by_role("button", name="Send (Enter)")
    for width, height in ((1400, 900), (800, 600)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(500)  # the panel is laid out anew
        notebook.cell(0).evaluate("cell => cell.scrollIntoView()")
        notebook.cell(4).evaluate("cell => cell.scrollIntoView()")
        head = panel.place.get_by_role("button", name="Dock on the right")
        expect_whole(panel.composer, send, head)
    never = threading.Event()
    server.script = ["A part", never]
    panel.ask("What is cut off?")
    expect(panel.turn(2)).to_contain_text("A part")
    panel.ask("What waits?")
    expect(queued(panel)).to_contain_text("Queued")
    panel.composer.fill("Half a thought")
    page.evaluate(RESTART)
    expect(panel.status).to_contain_text("The kernel was restarted.")
    expect(panel.composer).to_be_disabled()
    panel.press("Reconnect")
    expect(panel.composer).to_be_enabled()
    expect(panel.composer).to_have_value("Half a thought")
    expect(queued(panel)).to_contain_text("What waits?")
    expect(queued(panel)).to_contain_text("Not sent")
    never.set()
    expect(panel.turn(1)).to_contain_text("What is kept.")
    server.script = ["It goes on."]
    panel.ask("And now?")
    panel.wait_for_end(3, "It goes on.")
