"""What views are told, and what they may do, without a page."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.chat_panel.controller import View
from h2o_magic.config.settings import Settings
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.magics import H2OMagics
from h2o_magic.ipython.panel_host import PanelHost
from h2o_magic.prompts.expand import expand
from tests.stand_in import StandIn


class Shell:
    """A notebook with three names and one command."""

    VALUES: Mapping[str, object] = {"x": 42, "data": "use {x}\r\nhere", "y": 7}

    def expand(self, question: str, *, earlier: str = "") -> str:
        value = self.VALUES.__getitem__
        return expand(question, value, lambda v, _: str(v), earlier=earlier).text

    def complete(self, before: str, _: str) -> tuple[str, list[tuple[str, str]]]:
        return before[-1:], [("x", "int")]

    def is_command(self, line: str) -> bool:
        return line == "status"

    def ask_by_command(self, _: str) -> None:
        return None

    def command(self, line: str) -> str:
        return f"`{line}` was run."


class Page:
    """The messages that a page gets, and what it says."""

    def __init__(self, server: StandIn) -> None:
        settings = Settings()
        settings.set("server", server.url)
        self.session = Session(settings=settings)
        self.got: queue.Queue[dict[str, Any]] = queue.Queue()
        self.view = View(self.session, self.got.put, Shell())

    def say(self, what: str, **more: Any) -> None:
        self.view.receive({"do": what, "view": "here", **more})

    def wait_for(self, kind: str, **parts: Any) -> dict[str, Any]:
        """Return the next message of a kind that has these parts."""
        while True:
            message = self.got.get(timeout=60)
            if message["is"] == kind and parts.items() <= message.items():
                return message

    def ended_row(self) -> dict[str, Any]:
        """Return the next row of an answer that has ended."""
        while True:
            for row in self.wait_for("rows")["rows"]:
                if not row["live"]:
                    return dict(row)


@pytest.fixture
def page(server: StandIn) -> Iterator[Page]:
    page = Page(server)
    yield page
    page.view.close()
    page.session.close()


def test_a_question_begins_grows_and_ends(page: Page, server: StandIn) -> None:
    go_on = threading.Event()
    server.script = ["Some *text*. ", go_on, "More."]
    page.say("ask", text="What is {x}?")
    (row,) = page.wait_for("began", count=1)["rows"]
    assert (row["question"], row["live"], row["a"]) == ("What is 42?", True, "")
    grew = page.wait_for("grew", id=row["id"])
    assert "<em>text</em>" in grew["p"][0][1]
    go_on.set()
    row = page.ended_row()
    assert row["answer"] == "Some *text*. More."
    assert row["a"] is None  # the page has it
    page.say("rows", ids=[row["id"]])
    assert page.ended_row()["a"] == "<p>Some <em>text</em>. More.</p>\n"
    assert row["f"].startswith("llama-13b")


def test_a_turn_at_the_end_is_told_without_the_others(
    page: Page, server: StandIn
) -> None:
    turns = tuple(Turn(f"Question {n}?", "An answer.") for n in range(1000))
    page.session.record.add([Thread("main", turns)])
    page.say("open")
    ids = page.wait_for("thread", to="here")["ids"]
    assert len(ids) == 1000
    for count in (1001, 1002):
        server.script = ["New."]
        page.say("ask", text="What?")
        began = page.wait_for("began")
        assert (began["count"], began["rows"][0]["n"]) == (count, count)
        assert began["after"] == ids[-1]
        ids.append(began["id"])
        assert len(json.dumps(began)) < 1000
        page.ended_row()


def test_a_turn_in_the_place_of_another_is_told_with_the_order(
    page: Page, server: StandIn
) -> None:
    server.script = ["One."]
    page.say("ask", text="What?")
    row = page.ended_row()
    server.script = ["Two."]
    page.say("regenerate", id=row["id"])
    told = page.wait_for("thread", refresh=False)
    assert told["ids"] == [told["rows"][0]["id"]] != [row["id"]]
    page.say("order")
    assert page.wait_for("thread", to="here", refresh=True)["ids"] == told["ids"]


def test_a_page_that_comes_later_gets_all_that_has_grown(
    page: Page, server: StandIn
) -> None:
    go_on = threading.Event()
    server.script = ["Before. ", go_on, "After."]
    page.say("ask", text="What?")
    page.wait_for("grew")
    page.say("open")
    assert page.wait_for("thread", to="here")["rows"][0]["live"]
    grew = page.wait_for("grew", x=1)
    assert "Before." in grew["p"][0][1]
    go_on.set()
    assert page.ended_row()["answer"] == "Before. After."


def test_an_end_does_not_wait_for_the_next_step(
    page: Page, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h2o_magic.chat_panel.controller.INTERVAL", 3600)
    go_on = threading.Event()
    server.script = ["Some. ", go_on, "More."]
    page.say("ask", text="What?")
    page.wait_for("grew")
    go_on.set()
    assert page.ended_row()["answer"] == "Some. More."


def test_a_stopped_answer_is_kept_and_marked(page: Page, server: StandIn) -> None:
    never = threading.Event()
    server.script = ["A part", never]
    page.say("ask", text="What?")
    page.wait_for("grew")
    page.say("stop")
    row = page.ended_row()
    assert (row["answer"], row["s"]) == ("A part", "stopped")
    assert row["m"] == "Stopped: the answer is not whole"


def test_a_question_that_waits_is_told_and_not_asked_when_stopped(
    page: Page, server: StandIn
) -> None:
    never = threading.Event()
    server.script = ["A part", never]
    page.say("ask", text="First?")
    page.wait_for("grew")
    page.say("ask", text="Second?")
    while page.wait_for("state")["state"]["waiting"] != ["Second?"]:
        pass
    page.say("stop")
    assert page.ended_row()["question"] == "First?"
    assert [turn.question for turn in page.session.turns()] == ["First?"]


def test_what_is_refused_is_told_to_the_page_that_asked(page: Page) -> None:
    page.session.configure(server="http://127.0.0.1:9")
    page.say("ask", text="Is anybody there?")
    refused = page.wait_for("refused", to="here")
    assert "127.0.0.1:9" in refused["text"]
    page.say("regenerate", id=12345)
    assert "not in the thread any more" in page.wait_for("refused")["text"]
    page.wait_for("taken", to="here")


def test_a_slash_runs_a_command_and_a_draft_is_kept(page: Page) -> None:
    page.say("draft", text="begun")
    assert page.session.draft() == "begun"
    page.say("ask", text="/status")
    note = page.wait_for("note", to="here")
    assert note["html"] == "<p><code>status</code> was run.</p>\n"
    assert page.session.draft() == ""


def test_what_a_value_has_in_braces_stays_when_its_question_is_edited(
    page: Page, server: StandIn
) -> None:
    server.script = ["Yes."]
    page.say("ask", text="Hi {data}, {{x}}")
    sent = "Hi use {x}\r\nhere, {x}"
    row = page.ended_row()
    assert row["question"] == sent
    shown = sent.replace("\r\n", "\n")  # as a page's field gives it back
    page.say("ask", text=shown, id=row["id"])
    row = page.ended_row()
    assert (row["question"], row["v"]) == (sent, [2, 2])
    page.say("ask", text=f"{shown} and {{y}}", id=row["id"])
    row = page.ended_row()
    assert (row["question"], row["v"]) == (f"{shown} and 7", [3, 3])


@pytest.mark.parametrize("text", ["/usr/bin/python is missing, why?", " /status"])
def test_a_slash_that_begins_no_command_or_has_a_space_before_it_is_asked(
    page: Page, server: StandIn, text: str
) -> None:
    server.script = ["Because."]
    page.say("ask", text=text)
    assert page.ended_row()["question"] == text.strip()


@pytest.mark.parametrize(
    ("line", "is_command"),
    [
        ("status", True),
        ("", True),
        ("--version", True),
        ("panel", True),
        ("histroy --last 2", True),
        ("usr/bin/python is missing, why?", False),
        ("status/code is what?", False),
        ("/ is a comment in which languages?", False),
        ("xyzzy", False),
    ],
)
def test_a_command_begins_with_the_name_of_one_or_nearly(
    line: str, is_command: bool
) -> None:
    assert PanelHost(H2OMagics.__new__(H2OMagics)).is_command(line) is is_command


def test_a_mistyped_command_is_told_with_the_nearest_and_the_way_to_ask_it() -> None:
    shell = PanelHost(H2OMagics.__new__(H2OMagics))
    with pytest.raises(ConfigurationError, match=r"'history'.*put a space before it"):
        shell.command("histroy")


def test_a_long_thread_is_opened_with_its_last_turns_only(
    page: Page, server: StandIn
) -> None:
    from h2o_magic.chat.turns import Thread, Turn  # noqa: PLC0415

    turns = [Turn(f"Question {number}?", "Yes.") for number in range(50)]
    page.session.record.add([Thread("main", tuple(turns))])
    page.say("open")
    opened = page.wait_for("thread", to="here")
    assert len(opened["ids"]) == 50
    assert [row["n"] for row in opened["rows"]] == list(range(43, 51))
    page.say("rows", ids=opened["ids"][:2])
    assert [row["n"] for row in page.wait_for("rows")["rows"]] == [1, 2]


def test_an_answer_in_a_long_thread_makes_the_panel_read_its_turn_only(
    page: Page, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from h2o_magic.chat.turns import Thread, Turn  # noqa: PLC0415
    from h2o_magic.conversation.store import rows  # noqa: PLC0415

    # The transcript, which reads more, would come where this takes over a second.
    monkeypatch.setattr("h2o_magic.chat_panel.controller.KEEP_AFTER", 3600)
    turns = [Turn(f"Question {number}?", "Yes.") for number in range(500)]
    page.session.record.add([Thread("main", tuple(turns))])
    page.session.settings.set("max_turns", 0)
    read: list[object] = []
    as_turn = rows.as_turn
    monkeypatch.setattr(
        rows,
        "as_turn",
        lambda *row, **marks: read.append(row) or as_turn(*row, **marks),
    )
    server.script = ["Yes", "."]
    page.say("ask", text="One more?")
    ended = page.wait_for("rows")["rows"][0]
    assert (ended["n"], ended["s"]) == (501, "complete")
    assert 0 < len(read) < 50  # a page of them to choose the context from


def test_who_leaves_a_thread_and_comes_back_has_all_of_the_growing_answer(
    page: Page, server: StandIn
) -> None:
    gates = [threading.Event(), threading.Event()]
    server.script = ["First part.\n\n", gates[0], "Second part.\n\n", gates[1], "End."]
    page.say("ask", text="hello")
    page.wait_for("grew")
    page.say("thread", name="other")
    page.wait_for("thread", ids=[])
    gates[0].set()
    page.say("thread", name="main")
    opened = page.wait_for("thread")
    assert opened["rows"][0]["live"]
    text = ""
    while "Second part." not in text:
        step = page.wait_for("grew")
        text = "" if step.get("x") else text
        text += "".join(html for _, html in step["p"])
    assert "First part." in text
    gates[1].set()
    assert page.ended_row()["answer"].endswith("End.")


def test_half_a_character_that_is_typed_or_written_harms_nothing(
    page: Page, server: StandIn
) -> None:
    server.script = ["An \\ud800 answer."]
    page.say("ask", text="lone \ud800 surrogate")
    assert page.ended_row()["question"] == "lone \ufffd surrogate"
    page.session.record.add([Thread("odd", (Turn("half \udfff", "of \ud83d"),))])
    page.say("thread", name="odd")
    (row,) = page.wait_for("thread", to="")["rows"]
    assert json.dumps(row, ensure_ascii=False).encode()


def test_what_cannot_be_shown_is_told_and_the_next_is_shown(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h2o_magic.chat_panel.messages.row_of", lambda *_, **__: 1 // 0)
    page.say("ask", text="hello")
    assert "division" in page.wait_for("refused")["text"]
    monkeypatch.undo()
    page.say("ask", text="again")
    while page.ended_row()["question"] != "again":
        pass


def test_a_deletion_can_be_undone_though_another_answer_has_gone_on(
    page: Page, server: StandIn
) -> None:
    page.say("ask", text="First?")
    page.ended_row()
    go_on = threading.Event()
    server.script = ["A part", go_on, " and the rest."]
    page.say("ask", text="Second?")
    page.wait_for("grew")
    first, second = (turn.id for turn in page.session.turns())
    page.say("drop", id=first)
    page.wait_for("undoable", id=first)
    go_on.set()
    page.ended_row()
    assert page.wait_for("state")["state"]["undoable"] == first
    page.say("undo", id=first)
    turns = [(turn.id, turn.answer) for turn in page.session.turns()]
    assert turns[0][0] == first
    assert turns[1] == (second, "A part and the rest.")


def test_undo_takes_back_the_deletion_that_it_was_offered_for_and_nothing_else(
    page: Page,
) -> None:
    for question in ("First?", "Second?"):
        page.say("ask", text=question)
        page.ended_row()
    first, second = (turn.id for turn in page.session.turns())
    page.say("drop", id=second)
    page.wait_for("undoable", id=second)
    page.say("undo", id=second)
    assert [turn.id for turn in page.session.turns()] == [first, second]

    page.say("drop", id=second)
    page.say("ask", text="Third?")
    page.ended_row()
    assert page.wait_for("state")["state"]["undoable"] == 0
    page.say("undo", id=second)
    assert "has changed since" in page.wait_for("refused")["text"]
    questions = [turn.question for turn in page.session.turns()]
    assert questions == ["First?", "Third?"]


def test_an_edit_that_is_refused_comes_back_as_that_edit(page: Page) -> None:
    page.say("ask", text="hello")
    row = page.ended_row()
    page.say("ask", text=" ", id=row["id"])
    refused = page.wait_for("refused")
    assert (refused["question"], refused["id"]) == (" ", row["id"])
