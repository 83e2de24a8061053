"""The messages between the kernel and a view, without a page."""

from __future__ import annotations

import json
import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.chat_panel.controller import Controller
from h2o_magic.chat_panel.host import Entry
from h2o_magic.config.settings import Settings
from h2o_magic.conversation.session import Session
from h2o_magic.conversation.store import rows
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.magics import H2OMagics
from h2o_magic.ipython.panel_host import PanelHost
from h2o_magic.prompts.expand import expand
from h2o_magic.prompts.prompt import Prompt
from tests.prompts.reader import Reader
from tests.stand_in import StandIn


class Host:
    """A notebook with three names and one command."""

    VALUES: Mapping[str, object] = {"x": 42, "data": "use {x}\r\nhere", "y": 7}

    def expand(self, question: str) -> Prompt:
        return expand(question, Reader(self.VALUES))

    def notes(self, question: str) -> list[str]:
        return [f"`{question}` was checked"]

    def weigh(self, question: str, most: int) -> int:
        return most * question.count("{")

    def complete(self, before: str, _: str) -> tuple[str, list[Entry]]:
        return before[-1:], [("x", "int", "}")]

    def starters(self, *, sees: bool) -> list[tuple[str, str]]:
        return [("What is in x?", f"What is in {{x}}? {sees}")]

    def on_cell_run(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.run_cell = callback
        return lambda: None

    def is_command(self, line: str) -> bool:
        return line == "status"

    def ask_by_command(self, _: str) -> None:
        return None

    def command(self, line: str) -> str:
        return f"`{line}` was run."


class Page:
    """A view: the messages that it gets and sends."""

    def __init__(self, url: str) -> None:
        settings = Settings()
        settings.set("server", url)
        self.session = Session(settings=settings)
        self.got: queue.Queue[dict[str, Any]] = queue.Queue()
        self.host = Host()
        self.controller = Controller(self.session, self.host, self.got.put)

    def send(self, kind: str, *buffers: bytes, **parts: Any) -> None:
        message = {"type": kind, "view": "here", **parts}
        self.controller.receive(message, [memoryview(each) for each in buffers])

    def wait_for(self, kind: str, **parts: Any) -> dict[str, Any]:
        """Return the next message of a kind that has these parts."""
        while True:
            message = self.got.get(timeout=60)
            if message["type"] == kind and parts.items() <= message.items():
                return message

    def unsent(self) -> dict[str, Any]:
        """Return the next question that is listed as not sent."""
        while True:
            for item in self.wait_for("queue")["items"]:
                if item["unsent"]:
                    return dict(item)

    def ended_row(self) -> dict[str, Any]:
        """Return the next row of an answer that has ended."""
        while True:
            for row in self.wait_for("rows")["rows"]:
                if not row["running"]:
                    return dict(row)


@pytest.fixture
def page(server: StandIn) -> Iterator[Page]:
    page = Page(server.url)
    yield page
    page.controller.close()
    page.session.close()


def test_an_answer_starts_grows_and_ends(page: Page, server: StandIn) -> None:
    go_on = threading.Event()
    server.script = ["Some *text*. ", go_on, "More."]
    page.send("ask", text="What is {x}?")
    (row,) = page.wait_for("started", count=1)["rows"]
    assert (row["question"], row["running"], row["answer_html"]) == (
        "What is {x}?",
        True,
        "",
    )
    grew = page.wait_for("delta", id=row["id"])
    assert "<em>text</em>" in grew["html"][0][2]
    go_on.set()
    row = page.ended_row()
    assert row["answer"] == "Some *text*. More."
    assert row["answer_html"] is None  # the page has it
    page.send("rows", ids=[row["id"]])
    assert page.ended_row()["answer_html"] == "<p>Some <em>text</em>. More.</p>\n"
    assert row["facts"].startswith("llama-13b")


def test_a_turn_at_the_end_is_sent_without_the_others(
    page: Page, server: StandIn
) -> None:
    turns = tuple(Turn(f"Question {n}?", "An answer.") for n in range(1000))
    page.session.record.add([Thread("main", turns)])
    page.send("open")
    ids = page.wait_for("thread", to="here")["ids"]
    assert len(ids) == 1000
    for count in (1001, 1002):
        server.script = ["New."]
        page.send("ask", text="What?")
        began = page.wait_for("started")
        assert (began["count"], began["rows"][0]["number"]) == (count, count)
        assert began["after"] == ids[-1]
        ids.append(began["id"])
        assert len(json.dumps(began)) < 1000
        page.ended_row()


def test_a_turn_that_replaces_another_is_sent_with_the_order(
    page: Page, server: StandIn
) -> None:
    server.script = ["One."]
    page.send("ask", text="What?")
    row = page.ended_row()
    server.script = ["Two."]
    page.send("regenerate", id=row["id"])
    told = page.wait_for("order", refresh=False)
    assert told["ids"] == [told["rows"][0]["id"]] != [row["id"]]
    page.send("order")
    assert page.wait_for("order", to="here", refresh=True)["ids"] == told["ids"]


def test_a_view_that_is_opened_later_gets_all_of_a_growing_answer(
    page: Page, server: StandIn
) -> None:
    go_on = threading.Event()
    server.script = ["Before. ", go_on, "After."]
    page.send("ask", text="What?")
    page.wait_for("delta")
    page.send("open")
    assert page.wait_for("thread", to="here")["rows"][0]["running"]
    grew = page.wait_for("delta", restart=1)
    assert "Before." in grew["html"][0][2]
    go_on.set()
    assert page.ended_row()["answer"] == "Before. After."


def test_an_end_does_not_wait_for_the_next_delta(
    page: Page, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h2o_magic.chat_panel.updater.INTERVAL", 3600)
    go_on = threading.Event()
    server.script = ["Some. ", go_on, "More."]
    page.send("ask", text="What?")
    page.wait_for("delta")
    go_on.set()
    assert page.ended_row()["answer"] == "Some. More."


def test_a_stopped_answer_is_kept_and_marked(page: Page, server: StandIn) -> None:
    never = threading.Event()
    server.script = ["A part", never]
    page.send("ask", text="What?")
    page.wait_for("delta")
    page.send("stop")
    row = page.ended_row()
    assert (row["answer"], row["status"]) == ("A part", "stopped")
    assert row["mark"] == "Stopped"


def test_a_server_that_is_not_there_is_a_problem_of_a_question_not_sent(
    page: Page,
) -> None:
    page.session.configure(server="http://127.0.0.1:9")
    page.send("ask", text="Is anybody there?")
    item = page.unsent()
    assert "127.0.0.1:9" in item["problem"]["words"]
    assert item["problem"]["status"] == 0
    page.send("regenerate", id=12345)
    assert "no longer in the thread" in page.wait_for("error")["text"]
    page.wait_for("received", to="here")


def test_a_stored_answer_is_replayed_until_it_is_asked_again(
    page: Page, server: StandIn, tmp_path: Path
) -> None:
    page.session.configure(replay=str(tmp_path / "answers"), max_turns=0)
    server.script = ["One."]
    page.send("ask", text="What?")
    assert "replayed" not in page.ended_row()["facts"]
    page.send("ask", text="What?")
    row = page.ended_row()
    assert re.match(r"replayed, first answered \d{4}-\d\d-\d\d$", row["facts"])
    server.script = ["Two."]
    page.send("regenerate", id=row["id"])
    again = page.ended_row()
    assert (again["answer"], "replayed" in again["facts"]) == ("Two.", False)
    page.send("ask", text="Another?", id=again["id"])  # an edit, which is asked
    page.send("ask", text="What?", id=page.ended_row()["id"])
    row = page.ended_row()
    assert (row["answer"], "replayed" in row["facts"]) == ("Two.", True)
    assert len(server.asked) == 3


def test_where_nobody_is_asked_a_question_comes_back_and_can_be_sent_later(
    page: Page, server: StandIn, tmp_path: Path
) -> None:
    page.session.configure(replay=f"only {tmp_path / 'answers'}")
    page.send("ask", text="What?", n=1)
    item = page.unsent()
    assert item["problem"]["words"].startswith("No answer to this question is stored")
    assert (item["text"], item["n"]) == ("What?", 1)
    assert (page.session.turns(), server.asked) == ((), [])
    page.session.configure(replay="on")
    page.send("queue_send", item=item["id"])
    row = page.ended_row()
    assert (row["answer"], len(server.asked)) == ("Hello world", 1)
    page.session.configure(replay="only")
    page.send("regenerate", id=row["id"])
    assert "set `replay` to `on`" in page.wait_for("error")["text"]
    assert page.session.turns()[0].answer == "Hello world"


def test_a_slash_runs_a_command_and_a_draft_is_saved(page: Page) -> None:
    page.send("draft", text="begun")
    assert page.session.draft() == "begun"
    page.send("ask", text="/status")
    note = page.wait_for("note", to="here")
    assert note["html"] == "<p><code>status</code> was run.</p>\n"
    assert page.session.draft() == ""


def test_a_check_is_answered_with_its_number_and_asks_nothing(
    page: Page, server: StandIn
) -> None:
    page.session.configure(context=4096)
    page.send("check", text="{dff}", n=3)
    told = page.wait_for("checked", to="here", n=3)
    assert told["notes"] == ["`{dff}` was checked"]
    assert told["use"]["text"] == "1k of 4.1k"  # a value has 1,000 tokens at most
    page.send("check", text="/status {dff}", n=4, bytes=9000)
    told = page.wait_for("checked", to="here", n=4)
    assert told["notes"] == []
    assert told["use"]["text"] == "4k of 4.1k"
    assert told["use"]["level"] == "near"
    assert server.requests == []


def test_what_cannot_be_counted_keeps_no_note_away(page: Page) -> None:
    page.send("check", text="{dff}", id=12345, n=1)
    told = page.wait_for("checked", to="here", n=1)
    assert (told["notes"], told["use"]) == (["`{dff}` was checked"], None)


def test_a_thread_without_a_turn_offers_what_to_ask_also_when_a_cell_has_run(
    page: Page, server: StandIn
) -> None:
    page.send("starters")
    offered = page.wait_for("starters", to="here")["starters"]
    assert offered == [["What is in x?", "What is in {x}? False"]]
    page.host.run_cell()
    assert page.wait_for("starters", to="")["starters"] == offered
    server.script = ["Yes."]
    page.send("ask", text="hello")
    page.ended_row()
    page.host.run_cell()
    page.send("starters")
    page.send("ping")
    received = [page.got.get(timeout=60)["type"]]
    while received[-1] != "received":
        received.append(page.got.get(timeout=60)["type"])
    assert "starters" not in received


def test_braces_of_a_value_stay_when_the_question_is_edited(
    page: Page, server: StandIn
) -> None:
    server.script = ["Yes."]
    typed = "Hi {data}, `{x}`"
    page.send("ask", text=typed)
    row = page.ended_row()
    assert row["question"] == typed
    page.send("ask", text=typed, id=row["id"])
    row = page.ended_row()
    assert (row["question"], row["versions"]) == (typed, [2, 2])
    page.send("ask", text=f"{typed} and {{y}}", id=row["id"])
    row = page.ended_row()
    assert (row["question"], row["versions"]) == (f"{typed} and {{y}}", [3, 3])
    first, again, edited = (each["inputs"] for each in server.asked)
    sent = "Hi `data`, `{x}`\n\n`data`:\n\nuse {x}\r\nhere"
    assert first == again == sent
    assert edited.startswith("Hi `data`, `{x}` and 7\n\n")


@pytest.mark.parametrize("text", ["/usr/bin/python is missing, why?", " /status"])
def test_a_slash_that_begins_no_command_or_has_a_space_before_it_is_asked(
    page: Page, server: StandIn, text: str
) -> None:
    server.script = ["Because."]
    page.send("ask", text=text)
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
        (" is a comment in which languages?", False),
        ("etc/hosts", False),
        ("a.b means what?", False),
        ("^x$/ is a pattern", False),
        ("settings", True),
        ("nosuch", True),
        ("temperature 0.5", True),
        ("no-such_one\nand more", True),
        ("tmp is full, why?", True),
        ("status?", True),
        ("thread 'my ideas'", True),
    ],
)
def test_a_command_begins_with_one_word_known_or_not(
    line: str, is_command: bool
) -> None:
    assert PanelHost(H2OMagics.__new__(H2OMagics)).is_command(line) is is_command


def test_a_slash_alone_is_a_command_that_asks_nothing() -> None:
    host = PanelHost(H2OMagics.__new__(H2OMagics))
    assert host.is_command("")
    assert host.ask_by_command("") is None


def test_a_mistyped_command_is_refused_with_the_nearest_and_how_to_ask_it() -> None:
    host = PanelHost(H2OMagics.__new__(H2OMagics))
    with pytest.raises(ConfigurationError, match=r"'history'.*put a space before it"):
        host.command("histroy")
    with pytest.raises(ConfigurationError) as caught:
        host.command("nonsense")
    assert str(caught.value) == (
        "/nonsense: unknown command: `/help` lists them "
        "(to send it as a question, put a space before it)"
    )


def test_a_long_thread_is_opened_with_its_last_turns_only(
    page: Page, server: StandIn
) -> None:
    turns = [Turn(f"Question {number}?", "Yes.") for number in range(50)]
    page.session.record.add([Thread("main", tuple(turns))])
    page.send("open")
    opened = page.wait_for("thread", to="here")
    assert len(opened["ids"]) == 50
    assert [row["number"] for row in opened["rows"]] == list(range(43, 51))
    page.send("rows", ids=opened["ids"][:2])
    assert [row["number"] for row in page.wait_for("rows")["rows"]] == [1, 2]


def test_an_answer_in_a_long_thread_makes_the_panel_read_its_turn_only(
    page: Page, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The transcript, which reads more, would come where this takes over a second.
    monkeypatch.setattr("h2o_magic.chat_panel.updater.SAVE_AFTER", 3600)
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
    page.send("ask", text="One more?")
    ended = page.wait_for("rows")["rows"][0]
    assert (ended["number"], ended["status"]) == (501, "complete")
    assert 0 < len(read) < 50  # a page of them to choose the context from


def test_returning_to_a_thread_shows_all_of_the_growing_answer(
    page: Page, server: StandIn
) -> None:
    gates = [threading.Event(), threading.Event()]
    server.script = ["First part.\n\n", gates[0], "Second part.\n\n", gates[1], "End."]
    page.send("ask", text="hello")
    page.wait_for("delta")
    page.send("thread", name="other")
    page.wait_for("thread", ids=[])
    gates[0].set()
    page.send("thread", name="main")
    opened = page.wait_for("thread")
    assert opened["rows"][0]["running"]
    text = ""
    while "Second part." not in text:
        step = page.wait_for("delta")
        text = "" if step.get("restart") else text
        text += "".join(html for _, _, html in step["html"])
    assert "First part." in text
    gates[1].set()
    assert page.ended_row()["answer"].endswith("End.")


def test_half_a_character_typed_or_generated_does_no_harm(
    page: Page, server: StandIn
) -> None:
    server.script = ["An \\ud800 answer."]
    page.send("ask", text="lone \ud800 surrogate")
    assert page.ended_row()["question"] == "lone \ufffd surrogate"
    page.session.record.add([Thread("odd", (Turn("half \udfff", "of \ud83d"),))])
    page.send("thread", name="odd")
    (row,) = page.wait_for("thread", to="")["rows"]
    assert json.dumps(row, ensure_ascii=False).encode()


def test_a_turn_that_cannot_be_shown_is_an_error_and_the_next_is_shown(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h2o_magic.chat_panel.messages.row_of", lambda *_, **__: 1 // 0)
    page.send("ask", text="hello")
    assert "division" in page.wait_for("error")["text"]
    monkeypatch.undo()
    page.send("ask", text="again")
    while page.ended_row()["question"] != "again":
        pass


def test_a_deletion_can_be_undone_though_another_answer_has_gone_on(
    page: Page, server: StandIn
) -> None:
    page.send("ask", text="First?")
    page.ended_row()
    go_on = threading.Event()
    server.script = ["A part", go_on, " and the rest."]
    page.send("ask", text="Second?")
    page.wait_for("delta")
    first, second = (turn.id for turn in page.session.turns())
    page.send("delete", id=first)
    page.wait_for("deleted", id=first)
    go_on.set()
    page.ended_row()
    assert page.wait_for("state")["state"]["undoable"] == first
    page.send("undo", id=first)
    turns = [(turn.id, turn.answer) for turn in page.session.turns()]
    assert turns[0][0] == first
    assert turns[1] == (second, "A part and the rest.")


def test_undo_restores_the_turn_it_was_offered_for_and_nothing_else(
    page: Page,
) -> None:
    for question in ("First?", "Second?"):
        page.send("ask", text=question)
        page.ended_row()
    first, second = (turn.id for turn in page.session.turns())
    page.send("delete", id=second)
    page.wait_for("deleted", id=second)
    page.send("undo", id=second)
    assert [turn.id for turn in page.session.turns()] == [first, second]

    page.send("delete", id=second)
    page.session.undo()
    page.session.drop(1)
    page.send("undo", id=second)
    assert "has changed since the deletion" in page.wait_for("error")["text"]
    assert [turn.id for turn in page.session.turns()] == [second]


def test_undo_restores_a_turn_in_its_place_though_others_were_asked_since(
    page: Page,
) -> None:
    for question in ("First?", "Second?"):
        page.send("ask", text=question)
        page.ended_row()
    first, second = (turn.id for turn in page.session.turns())
    page.send("delete", id=first)
    page.wait_for("deleted", id=first)
    page.send("ask", text="Third?")
    page.ended_row()
    while page.wait_for("state")["state"]["undoable"] != first:
        pass
    page.send("thread", name="other")
    page.wait_for("thread", name="other")
    assert page.wait_for("state")["state"]["undoable"] == 0
    page.send("thread", name="main")
    page.wait_for("thread", name="main")
    third = page.session.turns()[-1].id
    page.send("undo", id=first)
    assert page.wait_for("order")["ids"] == [first, second, third]
    assert page.wait_for("state")["state"]["undoable"] == 0


def test_an_edit_that_fails_is_sent_back_as_that_edit(page: Page) -> None:
    page.send("ask", text="hello")
    row = page.ended_row()
    page.send("ask", text=" ", id=row["id"])
    refused = page.unsent()
    assert (refused["text"], refused["turn"]) == (" ", row["id"])


@pytest.mark.parametrize(
    "message",
    [
        {"type": "ask"},
        {"type": "rows", "ids": 3},
        {"type": "version", "id": [1], "to": 2},
        {"type": "draft", "text": "\ud83d", "view": None},
        {"type": "queue_change", "item": 1, "text": "x", "keep": "a"},
        {"type": "check", "text": "", "n": 1, "bytes": "many"},
        {"type": "preset", "action": "burn", "name": "x"},
        {"type": "peek", "files": []},
        {"type": "piece", "file": 7, "at": 5},
        {"type": "piece"},
        {"type": ["state"]},
        {"type": "no such"},
        {},
        ["ask"],
        "ask",
        None,
    ],
)
def test_a_message_that_says_nothing_sensible_ends_nothing(
    page: Page, server: StandIn, message: object
) -> None:
    if isinstance(message, dict):
        message = {"view": "here", **message}
    page.controller.receive(message, [memoryview(b"x")])
    page.send("ping")
    page.wait_for("received", to="here")
    server.script = ["Yes."]
    page.send("ask", text="Still there?")
    assert page.ended_row()["answer"] == "Yes."


def test_what_cannot_be_read_is_told_and_confirmed(page: Page) -> None:
    page.send("rows", ids=3)
    assert page.wait_for("error", to="here")["text"]
    page.wait_for("received", to="here")
