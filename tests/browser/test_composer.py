"""The panel's composer, and what commands show, in JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Opener, expect_soon
from tests.browser.test_attachments import chips, give
from tests.browser.test_panel import Panel, opened, set_theme, violations
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser

FRAMES = """
import pandas as pd
apply, prices = len, [1, 2, 3]
old, sales = pd.DataFrame({"a": [1]}), pd.DataFrame({"m": range(500), "u": 1.5})
sales
"""

#: Left and right edges of elements, rounded.
EDGES = """elements => elements.map(element => {
  const {left, right} = element.getBoundingClientRect();
  return [Math.round(left), Math.round(right)];
})"""

#: Whether an element is seen whole within another.
WITHIN = """(element, [selector]) => {
  const box = element.closest(selector).getBoundingClientRect();
  const {top, bottom} = element.getBoundingClientRect();
  return top >= box.top - 1 && bottom <= box.bottom + 1;
}"""


def offers(panel: Panel) -> Locator:
    return panel.place.get_by_role("listbox", name="Completions").get_by_role("option")


def entry(panel: Panel, name: str) -> Locator:
    return panel.place.get_by_role("group", name=name, exact=True)


def test_a_question_is_begun_completed_counted_and_previewed(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook, panel = opened(open_notebook, server, "composer.ipynb", FRAMES, "1 / 0")
    page, composer = notebook.page, panel.composer
    starters = panel.place.get_by_role("group", name="Questions to begin with")
    expect(starters.get_by_role("button")).to_have_text(
        ["Explain my last error", "What stands out in sales?", "What can I ask here?"]
    )
    starters.get_by_role("button").first.click()
    expect(composer).to_be_focused()
    expect(composer).to_have_value("Explain my last error, and how to fix it: {Err[3]}")
    composer.press("Control+z")
    expect(composer).to_have_value("")

    composer.press_sequentially("/")
    expect(offers(panel).first).to_contain_text("/retryAsk the last question again")

    def whole_rows() -> list[bool]:
        rows = [offers(panel).nth(place) for place in range(10)]
        return [row.evaluate(WITHIN, ["ul"]) for row in rows]

    expect_soon(page, whole_rows, [True] * 8 + [False] * 2)
    composer.press("ArrowUp")
    expect(offers(panel).last).to_have_attribute("aria-selected", "true")
    expect_soon(page, lambda: offers(panel).last.evaluate(WITHIN, ["ul"]), True)
    composer.press_sequentially("pres")
    expect(offers(panel)).to_have_count(1)
    composer.press("Enter")
    expect(composer).to_have_value("/preset ")
    expect(offers(panel).first).to_have_text("precise")

    composer.fill("")
    composer.press_sequentially("Mail me@home about @")
    expect(offers(panel).first).to_have_text("oldDataFrame · 1 × 1")
    expect(offers(panel).filter(has_text="apply")).to_have_text("applyfunction")
    composer.press_sequentially("sa")
    expect(offers(panel)).to_have_text(["salesDataFrame · 500 × 2"])
    composer.press("Tab")
    composer.press_sequentially("} and ")  # the brace is there already
    expect(composer).to_have_value("Mail me@home about {sales} and ")
    counter = panel.place.locator(".h2o-tokens")
    expect(counter).to_have_text("1k of 4.1k tokens")
    panel.press("Add to the question")
    page.keyboard.press("o")
    page.keyboard.press("Enter")
    expect(offers(panel)).to_have_text(["Out[2]DataFrame · 500 × 2"])
    composer.press("Enter")
    expect(composer).to_have_value("Mail me@home about {sales} and {Out[2]}")
    expect(offers(panel)).to_have_count(0)
    assert server.asked == []

    composer.fill("")
    assert not give(composer, "paste", text_plain="short")
    assert give(composer, "paste", text_plain="long text " * 1001)
    expect(chips(panel)).to_contain_text(["Pasted text.txt10 kB"])
    chips(panel).get_by_role(
        "button", name="Pasted text.txt", exact=False
    ).first.click()
    shown = entry(panel, "Pasted text.txt")
    expect(shown).to_contain_text("long text long text")
    shown.get_by_role("button", name="Show all").press("Escape")
    expect(shown).to_have_count(0)
    expect(composer).to_be_focused()
    panel.press("Put Pasted text.txt into the text")
    expect(composer).to_have_value("long text " * 1001)
    expect(chips(panel)).to_have_count(0)


def test_results_stand_among_the_turns_and_go_with_their_thread(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook, panel = opened(open_notebook, server, "entries.ipynb")
    page = notebook.page
    server.script = ["One. " * 200]
    panel.ask("First?")
    panel.wait_for_end(1, "One.")
    panel.ask("/help")
    expect(entry(panel, "/help")).to_contain_text("Open a chat panel")
    panel.ask("/threads")
    expect(entry(panel, "/threads")).to_contain_text("main")
    server.script = ["Two."]
    panel.ask("Second?")
    panel.wait_for_end(2, "Two.")
    log = panel.place.get_by_role("log")
    places = log.locator("article, .h2o-entry")
    expect(places).to_have_count(4)
    for place, name in enumerate(("Turn 1", "/help", "/threads", "Turn 2")):
        expect(places.nth(place)).to_have_attribute("aria-label", name)

    panel.composer.fill("My own words.")
    panel.press("Preview what would be sent")
    preview = entry(panel, "What would be sent")
    expect(preview).to_contain_text("My own words.")
    own = preview.locator("pre", has_text="My own words.").first
    expect(own).to_be_in_viewport()
    expect_soon(page, lambda: own.evaluate(WITHIN, [".h2o-entry-body"]), True)
    body = preview.locator(".h2o-entry-body")
    expect_soon(page, lambda: body.evaluate("body => body.scrollTop > 0"), True)
    more = preview.get_by_role("button", name="Show all")
    more.click()
    expect(preview.get_by_role("button", name="Show less")).to_be_visible()
    assert len(server.asked) == 2

    turns = panel.place.locator(".h2o-answer, .h2o-entry, .h2o-field")
    for width in (1400, 1000):
        page.set_viewport_size({"width": width, "height": 900})
        expect(turns).to_have_count(6)
        expect_soon(page, lambda: len(set(map(tuple, turns.evaluate_all(EDGES)))), 1)
    set_theme(page, "Dark")
    assert violations(page) == []
    set_theme(page, "Light")
    panel.ask("/thread ideas")
    expect(entry(panel, "/thread ideas")).to_be_visible()
    expect(entry(panel, "/help")).to_have_count(0)
    expect(preview).to_have_count(0)
