"""The chat panel, as a person uses it in JupyterLab."""

from __future__ import annotations

import re
import threading
from typing import Any

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from nbconvert import HTMLExporter
from playwright.sync_api import Locator, Page, Request, Route, expect

from tests.browser.conftest import LabNotebook, Opener, expect_soon
from tests.browser.test_conversation import questions
from tests.browser.test_injections import Watch, canary
from tests.browser.test_lab import chat_notebook
from tests.injections import INJECTIONS, injection
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser

ANSWER = [
    "Here is **some** text, and $a^2$.\n\n",
    "```python\nprint('from the panel')\n```\n\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
]

#: 2,000 messages, put into the record as a file's would be.
MANY = """
import h2o_magic
from h2o_magic.chat.turns import Thread, Turn
answer = "Some **words**, and\\n\\n```python\\nprint(1)\\n```\\n"
many = [Turn(f"Question {n}?", f"Answer {n}. " + answer) for n in range(1000)]
h2o_magic.session().record.add([Thread("main", tuple(many))])
"""

#: A double click whose second click meets the next turn's button.
TWICE_DELETED = """first => {
  for (const turn of [first, first.nextElementSibling])
    turn.querySelector('[aria-label^="Delete"]').click();
}"""

#: Types and presses Tab at once, before the kernel can reply.
TYPED_AND_TAKEN = """(area, text) => {
  area.setRangeText(text, area.selectionStart, area.selectionStart, "end");
  area.dispatchEvent(new Event("input", {bubbles: true}));
  area.dispatchEvent(new KeyboardEvent("keydown", {key: "Tab", bubbles: true}));
}"""

#: Whether widgets say that they are disconnected, and none shows so by an icon.
BROKEN_LINKS = """panel => {
  const all = [panel, ...panel.querySelectorAll('*')];
  const found = all.filter(e => e.classList.contains('jupyter-widgets-disconnected'));
  const shown = found.filter(e => getComputedStyle(e, '::before').content !== 'none');
  return found.length && !shown.length ? "all are hidden"
    : `${shown.length} of ${found.length} are shown`;
}"""

#: Saves the notebook; `window.saving` is settled when that has ended.
BEGIN_SAVING = """() => {
  window.saving = jupyterapp.commands.execute('docmanager:save');
}"""


class Panel:
    """A panel that is open in a page."""

    def __init__(self, place: Locator) -> None:
        self.place = place
        self.composer = place.get_by_label("Message")
        self.turns = place.get_by_role("article")
        self.status = place.get_by_role("status")
        self.stop = place.get_by_role("button", name="Stop the answer (Esc)")

    def ask(self, question: str) -> None:
        self.composer.fill(question)
        self.composer.press("Enter")

    def turn(self, number: int) -> Locator:
        return self.place.get_by_role("article", name=f"Turn {number}", exact=True)

    def wait_for_end(self, number: int, text: str) -> None:
        """Wait until a turn's answer has this text, and its end, and none goes on."""
        expect(self.turn(number)).to_contain_text(text)
        expect(self.turn(number).locator(".h2o-facts")).to_be_visible()
        expect(self.stop).to_be_hidden()

    def wait_until_open(self) -> None:
        """Wait until the kernel has told the view what there is."""
        expect(self.place.locator(".h2o-about")).not_to_be_empty()

    def press(self, name: str) -> None:
        """Press a button that may only be seen with the pointer near."""
        button = self.place.get_by_role("button", name=name, exact=True)
        button.focus()
        button.press("Enter")


def opened(
    open_notebook: Opener, server: StandIn, name: str, *cells: str
) -> tuple[LabNotebook, Panel]:
    """Open a notebook, run its cells in order, and return the panel of the last."""
    source = chat_notebook(server, *cells, "%h2o panel")
    notebook = open_notebook(name, source)
    last = len(cells) + 1
    for index in range(last + 1):
        notebook.run_to_end(index)
    panel = Panel(notebook.output(last).locator(".h2o-panel"))
    panel.wait_until_open()
    return notebook, panel


def set_theme(page: Page, name: str) -> None:
    page.evaluate(
        "name => jupyterapp.commands.execute('apputils:change-theme', {theme: name})",
        f"JupyterLab {name}",
    )
    expect(page.locator("body")).to_have_attribute(
        "data-jp-theme-light", "true" if name == "Light" else "false"
    )


def violations(page: Page) -> list[tuple[str, str]]:
    """Return what axe-core finds wrong in the panel, and still when it looks again.

    What fades in or changes its colour is found wrong midway.
    """
    for _ in range(3):
        found: dict[str, Any] = Axe().run(page, context=".h2o-panel").response
        if not found["violations"]:
            return []
        page.wait_for_timeout(500)
    return [
        (violation["id"], node["failureSummary"])
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def test_cell_and_panel_share_a_conversation_and_text_grows_until_it_is_stopped(
    open_notebook: Opener, server: StandIn
) -> None:
    go_on = threading.Event()
    notebook, panel = opened(
        open_notebook, server, "panel-chat.ipynb", "%%h2o\nAsked by a cell?"
    )
    expect(panel.turn(1)).to_contain_text("Asked by a cell?")
    server.script = [*ANSWER, go_on, "The end."]
    panel.ask("Asked in the panel?")
    expect(panel.turn(2)).to_contain_text("from the panel")
    expect(panel.turn(2).locator("math")).to_be_visible()
    expect(panel.turn(2)).not_to_contain_text("The end.")
    notebook.screenshot("panel-growing")
    go_on.set()
    expect(panel.turn(2)).to_contain_text("The end.")
    expect(panel.turn(2).locator(".h2o-code .nb")).to_have_text("print")
    facts = panel.turn(2).locator(".h2o-facts")
    expect(facts).to_have_attribute("title", re.compile("^llama-13b"))
    asked = questions(open_notebook.lab, "panel-chat.ipynb")
    assert asked == ["Asked by a cell?", "Asked in the panel?"]

    never = threading.Event()
    server.script = ["Only a part", never]
    panel.ask("What will be stopped?")
    expect(panel.turn(3)).to_contain_text("Only a part")
    panel.composer.press("Escape")
    expect(panel.turn(3)).to_contain_text("Stopped")
    expect(panel.turn(3)).to_contain_text("Only a part")
    never.set()


def test_the_panel_answers_while_a_cell_runs_and_an_interrupt_stops_only_the_cell(
    open_notebook: Opener, server: StandIn
) -> None:
    go_on = threading.Event()
    busy = "import time\nprint('busy')\ntime.sleep(120)"
    source = chat_notebook(server, "%h2o panel", busy)
    notebook = open_notebook("panel-busy.ipynb", source)
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    panel = Panel(notebook.output(1).locator(".h2o-panel"))
    panel.wait_until_open()
    notebook.run(2)
    expect(notebook.output(2)).to_contain_text("busy")
    server.script = ["While it runs. ", go_on, "And after it."]
    panel.ask("Are you there?")
    expect(panel.turn(1)).to_contain_text("While it runs.")
    notebook.page.locator("[data-command='notebook:interrupt-kernel'] >> nth=0").click()
    expect(notebook.output(2)).to_contain_text("KeyboardInterrupt")
    go_on.set()
    panel.wait_for_end(1, "And after it.")
    expect(panel.turn(1)).not_to_contain_text("Stopped")


def test_a_question_is_edited_its_answer_asked_again_and_its_versions_are_kept(
    open_notebook: Opener, server: StandIn
) -> None:
    _, panel = opened(open_notebook, server, "panel-versions.ipynb")
    server.script = ["The first answer."]
    panel.ask("Which one?")
    panel.wait_for_end(1, "The first answer.")
    server.script = ["The second answer."]
    panel.composer.press("ArrowUp")
    expect(panel.composer).to_have_value("Which one?")
    panel.ask("Which other one?")
    panel.wait_for_end(1, "The second answer.")
    expect(panel.turn(1)).to_contain_text("2 of 2")
    panel.press("Earlier version of turn 1")
    expect(panel.turn(1)).to_contain_text("The first answer.")
    expect(panel.turn(1)).to_contain_text("1 of 2")
    server.script = ["The third answer."]
    panel.press("Ask turn 1 again")
    panel.wait_for_end(1, "The third answer.")
    expect(panel.turn(1)).to_contain_text("3 of 3")
    server.script = ["The fourth answer."]
    panel.ask("/retry --temperature 0.9")
    panel.wait_for_end(1, "The fourth answer.")
    expect(panel.turn(1)).to_contain_text("4 of 4")
    assert server.asked[-1]["parameters"]["temperature"] == 0.9
    panel.press("Delete turn 1")
    expect(panel.turns).to_have_count(0)
    panel.press("Undo")
    expect(panel.turn(1)).to_contain_text("The fourth answer.")
    panel.press("Delete turn 1")
    expect(panel.place.get_by_role("button", name="Undo")).to_be_visible()
    panel.ask("What is new?")
    expect(panel.turn(1)).to_contain_text("What is new?")
    panel.wait_for_end(1, "The fourth answer.")
    panel.press("Undo")
    expect(panel.turn(2)).to_contain_text("What is new?")
    expect(panel.place.get_by_role("button", name="Undo")).to_be_hidden()
    panel.press("Delete turn 1")
    expect(panel.turns).to_have_count(1)
    panel.ask("What is newer?")
    panel.wait_for_end(2, "The fourth answer.")
    # Sooner, the page would take the first for the second click of the one before.
    panel.place.page.wait_for_timeout(600)
    panel.turn(1).evaluate(TWICE_DELETED)
    expect(panel.turns).to_have_count(1)
    expect(panel.turn(1)).to_contain_text("What is newer?")
    panel.ask("What is newest?")
    panel.wait_for_end(2, "The fourth answer.")
    asked = questions(open_notebook.lab, "panel-versions.ipynb")
    assert asked == ["What is newer?", "What is newest?"]


def test_code_goes_into_a_new_cell_below_or_into_the_clipboard(
    open_notebook: Opener, server: StandIn
) -> None:
    page = open_notebook.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    notebook, panel = opened(open_notebook, server, "panel-code.ipynb")
    server.script = ANSWER
    panel.ask("Some code?")
    panel.wait_for_end(1, "from the panel")
    panel.press("Insert below the active cell")
    expect(panel.status).to_have_text("Inserted a cell below. It was not run.")
    expect(notebook.cell(2)).to_contain_text("print('from the panel')")
    notebook.run_to_end(2)
    expect(notebook.output(2)).to_have_text("from the panel")
    panel.press("Copy the answer of turn 1")
    expect(panel.status).to_have_text("Copied the answer.")
    assert page.evaluate("navigator.clipboard.readText()") == "".join(ANSWER).strip()


def test_the_composer_completes_names_and_commands_previews_and_breaks_lines(
    open_notebook: Opener, server: StandIn
) -> None:
    _, panel = opened(
        open_notebook, server, "panel-composer.ipynb", "measured = [3, 4]"
    )
    offers = panel.place.get_by_role("listbox", name="Completions")
    panel.composer.press_sequentially("What is {measu")
    expect(offers).to_contain_text("measured")
    panel.composer.press("Tab")
    panel.composer.press_sequentially("}?")
    expect(panel.composer).to_have_value("What is {measured}?")
    panel.press("Preview what would be sent")
    note = panel.place.get_by_role("group", name="What would be sent")
    expect(note).to_contain_text("What is [3, 4]?")
    panel.composer.press("Shift+Enter")
    expect(panel.composer).to_have_value("What is {measured}?\n")
    panel.ask("/thread ideas")
    title = panel.place.locator(".h2o-title")
    expect(title).to_have_attribute("title", re.compile("Thread ideas"))
    panel.ask("/thrad")
    expect(panel.status).to_contain_text("did you mean 'thread'?")
    expect(panel.composer).to_have_value("/thrad")
    assert server.asked == []


def test_what_is_typed_before_completions_come_is_not_written_twice(
    open_notebook: Opener, server: StandIn
) -> None:
    _, panel = opened(
        open_notebook, server, "panel-typing.ipynb", "measured = [3, 4]; medium = 1"
    )
    offers = panel.place.get_by_role("listbox", name="Completions")
    panel.composer.press_sequentially("{me")
    expect(offers.get_by_role("option")).to_have_count(2)
    panel.composer.evaluate(TYPED_AND_TAKEN, "as")
    expect(panel.composer).to_have_value("{measured}")
    panel.composer.fill("")
    panel.composer.press_sequentially("{me")
    expect(offers.get_by_role("option")).to_have_count(2)
    panel.composer.press_sequentially("xyz")  # nothing is called so
    expect(offers).to_be_hidden()
    expect(panel.composer).not_to_have_attribute(
        "aria-activedescendant", re.compile("")
    )


def test_settings_change_the_next_question_and_what_cells_see(
    open_notebook: Opener, server: StandIn
) -> None:
    _, panel = opened(open_notebook, server, "panel-settings.ipynb", "1 + 1")
    panel.press("Settings")
    panel.place.get_by_text("Sampling", exact=True).click()
    temperature = panel.place.get_by_role("textbox", name="Creativity (temperature)")
    temperature.fill("0.9")
    temperature.press("Tab")
    panel.ask("How warm?")
    expect(panel.turn(1).locator(".h2o-facts")).to_be_visible()
    assert server.asked[-1]["parameters"]["temperature"] == 0.9
    panel.ask("/status")
    row = panel.place.get_by_role("row", name=re.compile("^temperature"))
    expect(row).to_have_text(re.compile(r"0\.9\s*panel"))
    expect(panel.place.get_by_text("Set in: panel.")).to_be_visible()
    panel.place.get_by_title("Reset Creativity (temperature)").click()
    expect(temperature).to_have_value("")
    expect(temperature).to_have_attribute("placeholder", "the model's own")
    top_k = panel.place.get_by_role("textbox", name="Number of candidates (top_k)")
    top_k.fill("many")
    top_k.press("Tab")
    expect(top_k).to_have_attribute("aria-invalid", "true")
    expect(panel.place).to_contain_text("top_k must be a whole number above 0")
    panel.place.get_by_label("Preset", exact=True).select_option("creative")
    expect(temperature).to_have_value("1.0")
    panel.place.get_by_text("Replay", exact=True).click()
    mode = panel.place.get_by_label("Stored answers (replay)", exact=True)
    folder = panel.place.get_by_label("Stored answers (replay): folder")
    expect(folder).to_be_hidden()
    mode.select_option("only")
    folder.fill("answers/")
    folder.press("Tab")
    panel.ask("/status")
    row = panel.place.get_by_role("row", name=re.compile("^replay only")).last
    expect(row).to_have_text(re.compile(r"only answers/\s*panel"))
    panel.ask("How cold?")
    problem = panel.place.get_by_role("group", name="The answer failed")
    expect(problem).to_contain_text("No answer to this question is stored in answers/")
    mode.select_option("on")
    problem.get_by_role("button", name="Try again").click()
    panel.wait_for_end(2, "Hello world")


def test_a_preset_is_saved_and_removed_and_settings_over_the_chat_are_closed(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook, panel = opened(open_notebook, server, "panel-presets.ipynb")
    notebook.page.set_viewport_size({"width": 900, "height": 1000})
    settings = panel.place.get_by_role("button", name="Settings", exact=True)
    temperature = panel.place.get_by_role("textbox", name="Creativity (temperature)")
    preset = panel.place.get_by_label("Preset", exact=True)
    settings.click()
    panel.place.get_by_text("Sampling", exact=True).click()
    temperature.fill("0.7")
    temperature.press("Tab")
    expect(panel.place.get_by_text("1 changed", exact=True)).to_be_visible()
    panel.place.get_by_role("button", name="Save as …").click()
    name = panel.place.get_by_label("Name of the preset")
    expect(name).to_be_focused()
    name.fill("mine")
    name.press("Enter")
    expect(preset).to_have_value("mine")
    preset.select_option("precise")
    expect(temperature).to_have_value("0.1")
    preset.select_option("mine")
    expect(temperature).to_have_value("0.7")
    panel.place.get_by_role("button", name="Remove", exact=True).click()
    expect(preset).to_have_value("")
    expect(preset.get_by_text("mine", exact=True)).to_have_count(0)

    never = threading.Event()
    server.script = ["Only a part", never]
    panel.ask("What goes on?")
    expect(panel.turn(1)).to_contain_text("Only a part")
    temperature.press("Escape")
    expect(temperature).to_be_hidden()
    expect(settings).to_have_attribute("aria-expanded", "false")
    expect(settings).to_be_focused()
    settings.click()
    expect(temperature).to_be_visible()
    expect(settings).to_have_attribute("aria-expanded", "true")
    panel.place.get_by_role("log").click(position={"x": 20, "y": 300})
    expect(temperature).to_be_hidden()
    expect(settings).to_have_attribute("aria-expanded", "false")
    expect(settings).to_be_focused()
    expect(panel.turn(1)).not_to_contain_text("Stopped")
    settings.click()
    expect(temperature).to_be_visible()
    expect(settings).to_have_attribute("aria-expanded", "true")
    assert not server.stopped.is_set()
    panel.composer.focus()
    panel.composer.press("Escape")
    expect(panel.turn(1)).to_contain_text("Stopped")
    expect(panel.stop).to_be_hidden()
    expect(temperature).to_be_visible()
    panel.composer.press("Escape")
    expect(temperature).to_be_hidden()
    never.set()


def test_two_views_stay_in_step_and_a_reload_brings_all_back(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook, panel = opened(open_notebook, server, "panel-views.ipynb")
    page = notebook.page
    notebook.save()
    panel.ask("In both?")
    expect(panel.turn(1).locator(".h2o-facts")).to_be_visible()
    panel.place.click(button="right", position={"x": 300, "y": 250})
    page.get_by_text("Create New View for Cell Output").click()
    docked = Panel(page.locator(".jp-LinkedOutputView .h2o-panel"))
    expect(docked.turn(1)).to_contain_text("In both?")
    expect(notebook.tab).to_contain_class("jp-mod-dirty")  # by the transcript
    notebook.save()
    server.script = ANSWER
    docked.ask("And this?")
    for view in (panel, docked):
        expect(view.turn(2)).to_contain_text("from the panel")
    panel.composer.fill("A draft that")
    expect(docked.composer).to_have_value("A draft that")
    expect(notebook.tab).to_contain_class("jp-mod-dirty")
    notebook.save()
    notebook = open_notebook.load("panel-views.ipynb")
    panel = Panel(notebook.output(1).locator(".h2o-panel"))
    expect(panel.turn(2)).to_contain_text("from the panel")
    expect(panel.composer).to_have_value("A draft that")


def test_what_comes_while_a_notebook_is_saved_is_still_to_be_saved(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook, panel = opened(open_notebook, server, "panel-slow-save.ipynb")
    page = notebook.page
    notebook.save()
    held: list[Route] = []

    def is_save(request: Request) -> bool:
        return request.method == "PUT" and "panel-slow-save.ipynb" in request.url

    def hold(route: Route) -> None:
        if is_save(route.request) and not held:
            held.append(route)
        else:
            route.continue_()

    page.route("**/api/contents/panel-slow-save.ipynb*", hold)
    with page.expect_request(is_save):
        page.evaluate(BEGIN_SAVING)
    server.script = ANSWER
    panel.ask("While it is saved?")
    expect(panel.turn(1).locator(".h2o-facts")).to_be_visible()
    expect(notebook.tab).to_contain_class("jp-mod-dirty")
    held[0].continue_()
    page.evaluate("() => window.saving")
    path = open_notebook.lab.folder / "panel-slow-save.ipynb"
    assert "While it is" not in path.read_text()
    expect(notebook.tab).to_contain_class("jp-mod-dirty")
    notebook.save()
    assert "While it is" in path.read_text()


def test_two_panels_show_what_a_cell_and_a_panel_ask_at_once_in_order(
    open_notebook: Opener, server: StandIn
) -> None:
    first_goes_on, second_goes_on = threading.Event(), threading.Event()
    source = chat_notebook(
        server,
        "%h2o panel",
        "%h2o panel",
        "%%h2o\nIn the cell?",
        "%config H2OMagics.reasoning = 'show'",
    )
    notebook = open_notebook("panel-order.ipynb", source)
    for index in (0, 1, 2, 4):
        notebook.run_to_end(index)
    first, second = (
        Panel(notebook.output(index).locator(".h2o-panel")) for index in (1, 2)
    )
    server.script = ["<think>Let me see.</think>A part. ", first_goes_on, "The rest."]
    first.ask("In the panel?")
    for panel in (first, second):
        expect(panel.turn(1)).to_contain_text("A part.")
        expect(panel.turn(1).locator("details[open]")).to_contain_text("Let me see.")
    notebook.run(3)
    expect(first.place.locator(".h2o-waiting")).to_contain_text("In the cell?")
    expect(second.place.locator(".h2o-waiting")).to_contain_text("In the cell?")
    assert len(server.asked) == 1
    server.script = ["The cell's ", second_goes_on, "answer."]
    first_goes_on.set()
    for panel in (first, second):
        expect(panel.turn(1)).to_contain_text("The rest.")
        expect(panel.turn(2)).to_contain_text("The cell's")
    second.ask("Last, in the other panel?")
    expect(first.place.locator(".h2o-waiting")).to_contain_text("Last, in the other")
    server.script = ["The last answer."]
    second_goes_on.set()
    notebook.wait_idle(3)
    for panel in (first, second):
        expect(panel.turn(3)).to_contain_text("The last answer.")
        expect(panel.turns).to_have_count(3)
    assert questions(open_notebook.lab, "panel-order.ipynb") == [
        "In the panel?",
        "In the cell?",
        "Last, in the other panel?",
    ]


def test_without_the_extension_a_lost_kernel_is_told_and_the_transcript_is_saved(
    open_notebook: Opener, server: StandIn
) -> None:
    page = open_notebook.page
    open_notebook("panel-withheld.ipynb", chat_notebook(server))
    page.evaluate("window.withheld = window.h2oMagic; delete window.h2oMagic")
    notebook, panel = opened(open_notebook, server, "panel-saved.ipynb")
    expect(panel.place.get_by_label("Dock on the right")).to_be_hidden()
    notebook.save()
    server.script = ANSWER
    panel.ask("What is kept?")
    expect(panel.turn(1).locator(".h2o-facts")).to_be_visible()
    expect(notebook.tab).to_contain_class("jp-mod-dirty")
    notebook.save()
    transcript = notebook.output(1).locator(".jp-RenderedMarkdown")
    expect(transcript).to_contain_text("What is kept?")
    expect(transcript).to_be_hidden()
    saved = nbformat.read(open_notebook.lab.folder / "panel-saved.ipynb", as_version=4)
    assert "widgets" not in saved.metadata
    html, _ = HTMLExporter().from_notebook_node(saved)
    assert "What is kept?" in html
    assert "Run this cell to continue it." in html
    assert "<strong>some</strong>" in html
    never = threading.Event()
    server.script = ["A part", never]
    panel.press("Delete turn 1")
    panel.press("Undo")
    panel.ask("What will be cut off?")
    expect(panel.turn(2)).to_contain_text("A part")
    panel.ask("What waits?")
    panel.press("Delete turn 1")
    expect(panel.place.get_by_role("button", name="Undo")).to_be_visible()
    expect(panel.place.get_by_text("Jump to latest")).to_be_hidden()  # all is seen
    page.evaluate(
        "() => jupyterapp.shell.currentWidget.context.sessionContext.restartKernel()"
    )
    expect(panel.status).to_contain_text("Run this cell again to continue")
    expect(panel.composer).to_be_disabled()
    for name in ("Stop the answer (Esc)", "Undo"):
        expect(panel.place.get_by_role("button", name=name)).to_be_hidden()
    expect(panel.place.locator(".h2o-running, .h2o-waiting > *")).to_have_count(0)
    expect_soon(page, lambda: panel.place.evaluate(BROKEN_LINKS), "all are hidden")
    notebook.screenshot("panel-lost")
    page.evaluate("window.h2oMagic = window.withheld")
    never.set()


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.nightly)])
def test_two_thousand_messages_are_built_only_where_they_are_seen(
    open_notebook: Opener, server: StandIn, step: int
) -> None:
    notebook, panel = opened(open_notebook, server, "panel-many.ipynb", MANY)
    expect(panel.turn(1000)).to_contain_text("Answer 999.")
    built = panel.place.locator(".h2o-question")
    page = notebook.page
    expect_soon(page, lambda: built.count() < 40, True)
    # Each element costs each frame something.
    expect_soon(page, lambda: panel.turns.count() < 150, True)
    log = panel.place.get_by_role("log")
    for place in (*range(20, -1, -step), 5):
        log.evaluate(
            "(box, at) => { box.scrollTop = box.scrollHeight * at }", place / 20
        )
        notebook.page.wait_for_function(
            "() => { const box = document.querySelector('.h2o-log');"
            " const at = box.getBoundingClientRect();"
            " const under = document.elementFromPoint(at.x + 99, at.y + 99);"
            " return under?.closest('.h2o-turn')?.querySelector('.h2o-question') }"
        )
        expect_soon(page, lambda: built.count() < 150, True)
        expect_soon(page, lambda: panel.turns.count() < 600, True)
    panel.place.get_by_text("Jump to latest").click()
    expect(panel.turn(1000)).to_be_visible()
    server.script = ["A new answer."]
    panel.ask("A new question?")
    expect(panel.turn(1001)).to_contain_text("A new answer.")
    expect(panel.turn(1001)).to_be_in_viewport()
    panel.wait_for_end(1001, "A new answer.")
    log.hover()
    notebook.page.mouse.wheel(0, -3000)
    expect(panel.place.get_by_text("Jump to latest")).to_be_visible()


@pytest.mark.parametrize(
    "looks",
    [
        [("Light", 900), ("Dark", 1600)],
        pytest.param([("Light", 1600), ("Dark", 900)], marks=pytest.mark.nightly),
    ],
    ids=["two", "the other two"],
)
def test_it_is_accessible_in_light_and_dark_narrow_and_wide(
    open_notebook: Opener, server: StandIn, looks: list[tuple[str, int]]
) -> None:
    page = open_notebook.page
    notebook, panel = opened(open_notebook, server, "panel-axe.ipynb", "%%h2o\nA cell?")
    server.script = [*ANSWER, "[A link](https://example.org), `code`.\n\n> Quoted."]
    for number, question in enumerate(("One?", "Another, with `code`?"), 2):
        panel.ask(question)
        panel.wait_for_end(number, "Quoted.")
    panel.ask("/status")
    expect(panel.place.get_by_role("group", name="/status")).to_be_visible()
    panel.press("Settings")
    expect(panel.place.get_by_label("Preset", exact=True)).to_be_visible()
    for theme, width in looks:
        set_theme(page, theme)
        page.set_viewport_size({"width": width, "height": 1000})
        panel.composer.fill("")
        panel.composer.press_sequentially("/th")
        offers = panel.place.get_by_role("listbox", name="Completions")
        expect(offers.get_by_role("option")).not_to_have_count(0)
        assert violations(page) == []
        notebook.screenshot(f"panel-{theme.lower()}-{width}")
    set_theme(page, "Light")


def test_nothing_that_a_model_writes_acts_in_the_panel(
    open_notebook: Opener, server: StandIn
) -> None:
    with canary() as (site, asked):
        watch = Watch(open_notebook.page)
        _, panel = opened(open_notebook, server, "panel-injections.ipynb")
        each = [injection(number, site) for number in range(len(INJECTIONS))]
        server.script = ["\n\nNext:\n\n".join(each), "\n\nThe end."]
        panel.ask("What can you do?")
        expect(panel.turn(1)).to_contain_text("The end.")
        expect(panel.turn(1).locator(".h2o-facts")).to_be_visible()
        active = panel.place.locator(".h2o-md").locator(
            "script, iframe, object, embed, form, style, link, base, meta, template, "
            "img:not([src^='data:image/']), a:not([href^='http'], [href^='mailto:'])"
        )
        assert active.evaluate_all("found => found.map(e => e.outerHTML)") == []
        assert (watch.ran, asked, watch.events) == (set(), [], [])
