"""The threads of the panel: search, branches, titles, deletion, drafts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener, expect_soon
from tests.browser.test_panel import opened, violations
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser

#: A thread with 2,000 turns, of which one is about a café, and one of yesterday.
THREADS = """
import h2o_magic, time
from h2o_magic.chat.turns import Thread, Turn
now = time.time()
many = [Turn(f"Question {n}?", "Some **words**.\\n\\n" * (n % 9), asked_at=n + 1.0)
        for n in range(2000)]
many[700] = Turn("Where is the café?", "There. " * 300, asked_at=701.0)
ideas = Turn("Ideas for <b>plots</b>?", "Bars.", asked_at=now - 86400)
threads = [Thread("main", tuple(many)), Thread("ideas", (ideas,))]
h2o_magic.session().record.add(threads)
"""

#: Pixels from the upper edge of the conversation to what has the focus.
PLACE = """() => {
  const focused = document.activeElement;
  const log = focused.closest('.h2o-log').getBoundingClientRect();
  return focused.getBoundingClientRect().top - log.top;
}"""


def test_chats_are_searched_branched_renamed_deleted_and_come_back(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook, panel = opened(open_notebook, server, "threads.ipynb", THREADS)
    page, keyboard = notebook.page, notebook.page.keyboard
    title = panel.place.locator(".h2o-title")
    history = panel.place.get_by_role("dialog", name="History")
    items = history.get_by_role("option")
    expect(title).to_have_text("Question 0?")
    expect(panel.turn(2000)).to_be_visible()

    # A search leads to a turn that is far away, and holds it in its place.
    title.focus()
    keyboard.press("Enter")
    expect(items).to_have_count(2)
    # shot: list
    keyboard.type("CAFE where")
    expect(items).to_have_count(1)
    expect(items.locator("mark")).to_have_text(["Where", "café"])
    # shot: hits
    keyboard.press("Enter")
    found = panel.turn(701)
    expect(found).to_be_focused()
    # shot: found
    expect(panel.turn(699)).to_contain_text("Question 698?")
    expect(panel.turn(702)).to_contain_text("Question 701?")
    expect_soon(page, lambda: abs(page.evaluate(PLACE) - 12) < 2, True)
    # shot: found2

    # A branch from there has the turns up to it.
    for _ in range(12):
        keyboard.press("ArrowRight")
        if "Branch" in page.evaluate("() => document.activeElement.ariaLabel ?? ''"):
            break
    # shot: branch
    keyboard.press("Enter")
    expect(title).to_have_text("Question 0? (branch)")
    expect(panel.composer).to_be_focused()
    expect(panel.turn(701)).to_be_visible()
    expect(panel.turn(702)).to_have_count(0)
    # shot: branched

    title.focus()
    keyboard.press("F2")
    keyboard.type("About <i>cafés</i>")
    # shot: rename
    keyboard.press("Enter")
    expect(title).to_have_text("About <i>cafés</i>")
    expect(title).to_be_focused()

    # What is typed in a new chat stays with it.
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(title).to_have_text("New chat")
    expect(panel.composer).to_be_focused()
    keyboard.type("half a thought")
    title.focus()
    keyboard.press("Enter")
    expect(items).to_have_text(
        [
            re.compile("^New chatDraft"),
            re.compile("^Ideas for <b>plots</b>"),
            re.compile("^Question 0"),
            re.compile("^About <i>caf"),
        ]
    )
    labels = history.locator(".h2o-menu-label")
    expect(labels).to_have_text(["Today", "Yesterday", "Earlier"])
    assert violations(page) == []
    # shot: list2

    # Renamed in place, deleted, and brought back.
    keyboard.press("ArrowDown")
    keyboard.press("F2")
    keyboard.type("Plots")
    # shot: renaming
    keyboard.press("Enter")
    expect(items.nth(1)).to_have_text(re.compile("^Plots"))
    keyboard.press("Delete")
    expect(items).to_have_count(3)
    expect(history).to_contain_text("Chat deleted.")
    # shot: deleted
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(items.nth(1)).to_have_text(re.compile("^Plots"))

    # Another chat is opened, and then the one with the draft again.
    keyboard.press("Enter")
    expect(title).to_have_text("Plots")
    expect(panel.composer).to_have_value("")
    title.focus()
    keyboard.press("Enter")
    keyboard.type("new chat")
    expect(items.first).to_have_text(re.compile("^New chat"))
    keyboard.press("Enter")
    expect(title).to_have_text("New chat")
    expect(panel.composer).to_have_value("half a thought")

    # By pointer: renamed, and deleted while it is shown.
    title.dblclick()
    keyboard.type("Mine")
    keyboard.press("Enter")
    expect(title).to_have_text("Mine")
    title.dblclick()
    keyboard.type("Nothing")
    keyboard.press("Escape")
    expect(title).to_have_text("Mine")
    expect(history).to_be_hidden()
    title.click()
    items.first.hover()
    items.first.get_by_title("Delete").click()
    expect(title).to_have_text("Plots")
    expect(panel.composer).to_have_value("")
    keyboard.press("Escape")
    panel.place.get_by_role("button", name="Undo", exact=True).click()
    expect(title).to_have_text("Mine")
    expect(panel.composer).to_have_value("half a thought")
