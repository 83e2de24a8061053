"""The chat panel by keyboard alone, and as a screen reader hears it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.backends.behaviours.row import DONE, chunk, said
from tests.backends.scripted import (
    Answer,
    Request,
    ScriptedServer,
    document,
    events,
    serving,
)
from tests.browser.conftest import Opener, expect_soon
from tests.browser.test_panel import ANSWER, opened
from tests.stand_in import StandIn

pytestmark = pytest.mark.browser

#: Thirty turns, put into the record as a file's would be; the last has wide code.
THIRTY = """
import h2o_magic
from h2o_magic.chat.turns import Thread, Turn
answer = "[A link](https://example.org)\\n\\n```python\\nprint(1)\\n```\\n"
wide = "```text\\n" + "wide " * 200 + "\\n```\\n"
many = [Turn(f"Question {n}?", answer) for n in range(29)] + [Turn("Wide?", wide)]
h2o_magic.session().record.add([Thread("main", tuple(many))])
"""

#: What has the focus: a turn's name, or that of a control.
FOCUSED = """() => {
  const focused = document.activeElement;
  return focused.ariaLabel ?? focused.closest("header")?.className ?? focused.nodeName;
}"""


def code(request: Request) -> Answer:
    if request.path.endswith("/models"):
        return document({"object": "list", "data": [{"id": "first"}, {"id": "second"}]})
    if request.path.endswith("/chat/completions"):
        text = said("Code:\n\n```python\nprint(1)\n```\n", model="first")
        return events(text, chunk({}, "stop"), DONE)
    return document({}, status=404)


@pytest.fixture
def work() -> Iterator[ScriptedServer]:
    """An OpenAI-compatible server with two models, which answers with code."""
    with serving(code) as server:
        yield server


def test_a_turn_is_one_stop_and_arrows_reach_all_that_is_in_it(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook, panel = opened(open_notebook, server, "keys-turns.ipynb", THIRTY)
    keyboard, page = notebook.page.keyboard, notebook.page
    expect(panel.turn(30)).to_contain_text("wide")
    panel.composer.focus()
    seen: list[str] = []
    while "h2o-head" not in page.evaluate(
        "() => document.activeElement.closest('header')?.className ?? ''"
    ):
        keyboard.press("Shift+Tab")
        seen.append(page.evaluate(FOCUSED))
        assert len(seen) < 40, seen
    turns = [name for name in seen if name.startswith("Turn ")]
    assert turns == [f"Turn {number}" for number in range(30, 0, -1)]
    assert len(seen) <= 32  # the wide code, which only the focus scrolls, is one

    panel.turn(29).focus()
    inside: list[str] = []
    while not inside or inside[-1] != "Turn 29":
        keyboard.press("ArrowRight")
        inside.append(page.evaluate(FOCUSED))
        assert len(inside) < 20, inside
    for name in ("Edit the question", "Delete turn 29", "Copy the code", "Ask turn 29"):
        assert any(each.startswith(name) for each in inside), inside
    assert "A" in inside  # the link
    keyboard.press("ArrowLeft")
    assert "turn 29" in page.evaluate(FOCUSED)
    keyboard.press("Escape")
    expect(panel.turn(29)).to_be_focused()
    keyboard.press("Escape")
    expect(panel.composer).to_be_focused()


def test_the_focus_stays_when_a_turn_is_drawn_anew_or_deleted(
    open_notebook: Opener, server: StandIn
) -> None:
    notebook, panel = opened(open_notebook, server, "keys-focus.ipynb")
    page = notebook.page
    for number, answer in enumerate(("First.", "Second."), 1):
        server.script = [answer]
        panel.ask(f"Question {number}?")
        panel.wait_for_end(number, answer)
    server.script = ["Another answer."]
    panel.press("Ask turn 1 again")
    panel.wait_for_end(1, "Another answer.")
    ways = ("Ask turn 1 again", "Turn 1")
    expect_soon(page, lambda: page.evaluate(FOCUSED) in ways, True)
    panel.press("Earlier version of turn 1")
    expect(panel.turn(1)).to_contain_text("First.")
    expect_soon(page, lambda: "turn 1" in page.evaluate(FOCUSED).lower(), True)
    panel.press("Delete turn 1")
    expect(panel.turns).to_have_count(1)
    expect(panel.turn(1)).to_be_focused()  # which was the second


def test_answers_are_read_sentence_by_sentence_to_who_is_in_the_chat(
    open_notebook: Opener, server: StandIn
) -> None:
    _, panel = opened(open_notebook, server, "keys-read.ipynb")
    spoken = panel.place.locator(".h2o-spoken")
    goes_on = threading.Event()
    server.script = ["One sentence. And half ", goes_on, "of another.\n\n", ANSWER[1]]
    panel.ask("What is read?")
    expect(spoken).to_have_text("One sentence.")
    goes_on.set()
    panel.wait_for_end(1, "of another.")
    expect(spoken).to_contain_text("And half of another.")
    expect(spoken).to_contain_text("Code, 1 line.")
    assert (spoken.text_content() or "").count("One sentence.") == 1


class Keys:
    """Presses keys, and counts them; each letter is one."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.count = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.count += 1

    def go_to(self, name: str, key: str) -> None:
        """Press a key until what has the focus is called so."""
        seen = [str(self.page.evaluate(FOCUSED))]
        while name not in seen[-1]:
            assert len(seen) < 20, seen
            self.press(key)
            seen.append(str(self.page.evaluate(FOCUSED)))


def test_all_is_done_by_few_keys(
    open_notebook: Opener, server: StandIn, work: ScriptedServer
) -> None:
    connect = f"%h2o connect {work.url}/v1"
    notebook, panel = opened(open_notebook, server, "keys-all.ipynb", connect)
    page, keys = notebook.page, Keys(notebook.page)
    cells = page.locator(".jp-Notebook .jp-Cell")
    before = cells.count()
    panel.composer.focus()
    # Ask, then edit the question, then ask it again.
    keys.press("H", "i", "Enter")
    panel.wait_for_end(1, "print(1)")
    keys.press("ArrowUp", "!", "Enter")
    expect(panel.turn(1)).to_contain_text("2 of 2")
    panel.wait_for_end(1, "print(1)")
    keys.press("Shift+Tab")
    keys.go_to("Ask turn 1 again", "ArrowLeft")
    keys.press("Enter")
    expect(panel.turn(1)).to_contain_text("3 of 3")
    panel.wait_for_end(1, "print(1)")
    # Branch, and insert the code.
    keys.go_to("Branch from turn 1", "ArrowRight")
    keys.press("Enter")
    expect(panel.place.locator(".h2o-title")).to_have_text("Hi! (branch)")
    expect(panel.composer).to_be_focused()
    keys.press("Shift+Tab")
    keys.go_to("Insert below", "ArrowRight")
    keys.press("Enter")
    expect(cells).to_have_count(before + 1)
    # Choose another model, and search all chats.
    panel.turn(1).focus()
    keys.go_to("Model: ", "Shift+Tab")
    keys.press("Enter")
    expect(panel.place.get_by_role("option", name="second")).to_be_visible()
    keys.press("ArrowDown", "Enter")
    expect(panel.place.locator(".h2o-head .h2o-model")).to_contain_text("second")
    keys.go_to("History", "Shift+Tab")
    keys.press("Enter", "p", "r", "i", "n", "t")
    expect(panel.place.locator("mark").first).to_be_visible()
    keys.press("Enter")
    expect(panel.turn(1)).to_be_focused()
    assert keys.count <= 60, keys.count
