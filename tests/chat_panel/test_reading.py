"""What views can ask for that read an answer: its text, and more of it."""

from __future__ import annotations

from tests.chat_panel.test_controller import Page, page  # noqa: F401 - a fixture
from tests.stand_in import StandIn


def test_an_answer_is_given_as_text_without_marks(
    page: Page,  # noqa: F811
    server: StandIn,
) -> None:
    server.script = ["Some *text*:\n\n- `a`\n\n$x_1$"]
    page.send("ask", text="What?")
    row = page.ended_row()
    page.send("plain", id=row["id"])
    assert page.wait_for("plain", to="here")["text"] == "Some text:\n\n- a\n\n$x_1$"


def test_an_answer_that_was_cut_off_goes_on_in_its_turn(
    page: Page,  # noqa: F811
    server: StandIn,
) -> None:
    server.script, server.details = ["It was cut"], {"finish_reason": "length"}
    page.send("ask", text="What?")
    row = page.ended_row()
    assert row["cut"]
    server.script, server.details = ["here."], {"finish_reason": "eos_token"}
    page.send("continue", id=row["id"])
    grown = page.ended_row()
    assert (grown["number"], grown["cut"]) == (row["number"], False)
    assert grown["answer"] == "It was cut here."
    assert grown["versions"] == [2, 2]
    assert "continued" in grown["facts"]
