"""Questions that wait, what is waited for, and failures, as a person sees them."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Opener
from tests.browser.test_panel import Panel, opened, violations
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser

#: Whether the caret is at the end of a text that ends so, in an element of this name.
CARET = """([panel, name, end]) => {
  const caret = panel.querySelector(".h2o-caret");
  const around = caret?.closest("code, li, p");
  return around?.matches(name) && caret.previousSibling.data.endsWith(end);
}"""


def notice(words: str, **more: Any) -> dict[str, Any]:
    token = {"id": 1, "text": "", "logprob": 0, "special": True}
    return {"token": token, "h2o_magic": {"notice": words, **more}}


def queued(panel: Panel) -> Locator:
    return panel.place.locator(".h2o-queued")


def bubbles(panel: Panel) -> Locator:
    return panel.place.locator(".h2o-turn .h2o-bubble")


def ask_endless(panel: Panel, server: StandIn, question: str) -> None:
    """Ask what is answered until it is stopped."""
    server.script = ["A part.", threading.Event()]
    panel.ask(question)
    expect(panel.stop).to_be_visible()
    expect(panel.place.locator(".h2o-turn").last).to_contain_text("A part.")


def test_questions_that_wait_outlive_stop_and_are_edited_removed_and_sent_now(
    open_notebook: Opener, server: StandIn
) -> None:
    _, panel = opened(open_notebook, server, "panel-queue.ipynb")
    ask_endless(panel, server, "One?")
    panel.composer.fill("Two?")
    expect(panel.stop).to_be_hidden()  # the one round button sends again
    panel.press("Send after the answer (Enter)")
    expect(panel.stop).to_be_visible()
    for text in ("Three?", "Four?", "Five?"):
        panel.ask(text)
    expect(queued(panel)).to_have_count(4)
    panel.place.get_by_role("button", name="Edit “Three?”").click()
    field = panel.place.get_by_label("Question", exact=True)
    field.fill("Three, better?")
    field.press("Enter")
    expect(queued(panel).nth(1)).to_contain_text("Three, better?")
    panel.place.get_by_role("button", name="Edit “Five?”").click()
    field.fill("Nothing")
    field.press("Escape")
    expect(queued(panel).nth(3)).to_contain_text("Five?")
    panel.place.get_by_role("button", name="Remove “Four?”").click()
    expect(queued(panel)).to_have_count(3)
    panel.place.get_by_role("button", name="Undo").click()
    expect(queued(panel).nth(2)).to_contain_text("Four?")
    panel.place.get_by_role("button", name="Remove “Four?”").click()
    expect(queued(panel)).to_have_count(3)
    assert violations(panel.place.page) == []
    panel.place.get_by_role("button", name="Send “Five?” now").click()
    expect(bubbles(panel)).to_have_text(["One?", "Five?"])
    expect(panel.turn(1)).to_contain_text("Stopped")
    for running in (2, 3):
        expect(panel.turn(running)).to_contain_text("A part.")
        expect(panel.stop).to_be_visible()  # Escape stops only what it is known to
        panel.composer.press("Escape")
        expect(bubbles(panel)).to_have_count(running + 1)
    expect(bubbles(panel).last).to_have_text("Three, better?")
    expect(queued(panel)).to_have_count(0)
    expect(panel.turn(4)).to_contain_text("A part.")
    # One that is being edited when its turn comes waits until that has ended.
    panel.ask("Six?")
    panel.place.get_by_role("button", name="Edit “Six?”").click()
    field.fill("Six, half typ")
    panel.press("Stop the answer (Esc)")
    expect(panel.turn(4)).to_contain_text("Stopped")
    expect(field).to_have_value("Six, half typ")
    field.press_sequentially("ed")
    expect(bubbles(panel)).to_have_count(4)
    field.press("Enter")
    expect(bubbles(panel).last).to_have_text("Six, half typed")
    expect(panel.turn(5)).to_contain_text("A part.")
    expect(panel.stop).to_be_visible()
    panel.composer.press("Escape")
    expect(panel.turn(5)).to_contain_text("Stopped")
    panel.composer.fill("")
    expect(panel.place.get_by_role("button", name="Send (Enter)")).to_be_disabled()


def test_what_is_taken_out_or_refused_comes_back_and_failures_are_cards(
    open_notebook: Opener, server: StandIn
) -> None:
    stop = "import h2o_magic; h2o_magic.session().stop()"
    notebook, panel = opened(open_notebook, server, "panel-cards.ipynb", stop)
    ask_endless(panel, server, "One?")
    panel.ask("Two?")
    panel.ask("Three?")
    expect(queued(panel)).to_have_count(2)
    notebook.run_again(1)
    # One is in the empty composer, the other has no place there.
    expect(queued(panel)).to_have_count(1)
    expect(panel.composer).to_have_value(re.compile("Two|Three"))
    expect(queued(panel)).to_contain_text("Not sent")
    server.script = ["Answered."]
    queued(panel).get_by_role("button", name=re.compile("^Send ")).click()
    expect(queued(panel)).to_have_count(0)
    panel.wait_for_end(2, "Answered.")
    panel.composer.press("Enter")
    panel.wait_for_end(3, "Answered.")

    server.script = 500
    panel.ask("Will it fail?")
    card = panel.turn(4).get_by_role("group", name="The answer failed")
    expect(card).to_contain_text("No such luck.")
    expect(panel.turn(4)).not_to_contain_text("empty answer")
    expect(panel.place.get_by_text("No such luck.")).to_have_count(2)  # one is unseen
    expect(panel.status).to_be_empty()
    expect(card.get_by_text("HTTP 500", exact=True)).to_be_hidden()
    card.get_by_text("Details").click()
    expect(card.get_by_text("HTTP 500", exact=True)).to_be_visible()
    expect(card).to_contain_text(server.url)
    assert violations(panel.place.page) == []
    notebook.run_again(2)  # a view that has seen nothing fail
    panel = Panel(notebook.output(2).locator(".h2o-panel"))
    panel.wait_until_open()
    card = panel.turn(4).get_by_role("group", name="The answer failed")
    expect(card).to_contain_text("No such luck.")
    server.script = ["Now it works."]
    card.get_by_role("button", name="Try again").click()
    panel.wait_for_end(4, "Now it works.")
    expect(card).to_have_count(0)


def test_what_is_waited_for_is_told_and_a_caret_is_at_the_end_of_the_text(
    open_notebook: Opener, server: StandIn
) -> None:
    _, panel = opened(open_notebook, server, "panel-waiting.ipynb")
    steps = [threading.Event() for _ in range(6)]
    told = panel.place.locator(".h2o-notice")
    server.script = [
        *(notice("Loading SmolLM2-135M, 98 MB"), steps[0]),
        *(notice("Reading 2,048 tokens", progress=0.3), steps[1]),
        *("Text", steps[2], "\n\n- one\n- two", steps[3]),
        *("\n\n```python\nx = 1", steps[4], "\n```\n\nEnd.", steps[5]),
    ]
    panel.ask("What comes?")
    loading = re.compile(r"^Loading SmolLM2-135M, 98 MB(, \d+ s)?$")
    expect(told.last).to_have_text(loading)  # it leaves the list as its turn comes
    expect(told).to_have_text(re.compile(r"MB, [1-9]\d* s$"))  # it counts
    expect(panel.place.get_by_role("timer")).to_be_hidden()  # one clock is enough
    steps[0].set()
    expect(told).to_have_text(re.compile("^Reading 2,048 tokens, 30 %"))
    places = [("p", "Text"), ("li", "two"), ("code", "1"), ("p", "End.")]
    for step, place in zip(steps[1:], places, strict=False):
        step.set()
        where = [panel.place.element_handle(), *place]
        panel.place.page.wait_for_function(CARET, arg=where)
        expect(told).to_have_count(0)
        clock = panel.place.get_by_role("timer")
        expect(clock).to_have_text(re.compile(r"^\d+:\d\d$"))
    steps[5].set()
    panel.wait_for_end(1, "End.")
    expect(panel.place.locator(".h2o-caret")).to_have_count(0)
    expect(panel.place.get_by_role("timer")).to_be_hidden()
