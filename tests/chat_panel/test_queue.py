"""The questions that wait, and those that were not sent: nothing typed is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from h2o_magic.errors import ConfigurationError
from tests.chat_panel.test_controller import Page
from tests.stand_in import StandIn


class Queue:
    """A view with an answer that goes on until `gate` is set, and what is listed."""

    def __init__(self, page: Page, server: StandIn) -> None:
        self.page, self.server = page, server
        self.gate = threading.Event()
        server.script = ["Once.", self.gate]
        page.send("ask", text="first")
        page.wait_for("delta")

    def ask(self, *texts: str) -> list[dict[str, Any]]:
        for number, text in enumerate(texts, 1):
            self.page.send("ask", text=text, n=number)
        return self.listed(lambda items: texts_of(items) == list(texts))

    def listed(
        self, holds: Callable[[list[dict[str, Any]]], bool]
    ) -> list[dict[str, Any]]:
        while True:
            items: list[dict[str, Any]] = self.page.wait_for("queue")["items"]
            if holds(items):
                return items

    def finish(self) -> list[str]:
        """Let all be answered; return what was asked."""
        self.gate.set()
        while self.page.session.coming():
            self.page.wait_for("state")
        return [turn.question for turn in self.page.session.turns()]


def texts_of(items: list[dict[str, Any]]) -> list[str]:
    return [item["text"] for item in items]


def unsent(items: list[dict[str, Any]]) -> bool:
    return any(item["unsent"] for item in items)


@pytest.fixture
def queue(server: StandIn) -> Iterator[Queue]:
    page = Page(server.url)
    queue = Queue(page, server)
    yield queue
    queue.gate.set()
    page.controller.close()
    page.session.close()


def test_what_waits_is_asked_next_when_the_answer_is_stopped(queue: Queue) -> None:
    queue.ask("a", "b")
    queue.page.send("stop")
    assert queue.page.ended_row()["mark"] == "Stopped"
    assert queue.finish() == ["first", "a", "b"]


def test_a_waiting_question_is_edited_in_its_place(queue: Queue) -> None:
    a, _ = queue.ask("a", "b")
    queue.page.send("queue_change", item=a["id"], text="What is {x}?", keep=[])
    items = queue.listed(lambda items: texts_of(items) == ["What is {x}?", "b"])
    assert items[0]["id"] == a["id"]
    assert queue.finish() == ["first", "What is {x}?", "b"]
    assert "42" in str(queue.server.asked)


def test_files_of_a_waiting_question_survive_an_edit_and_can_be_removed(
    queue: Queue,
) -> None:
    page = queue.page
    for number, text in enumerate([b"alpha", b"beta"]):
        page.send("piece", text, file=number, at=0)
    page.send("ask", text="Read", files=["a.txt", "b.txt"], n=1)
    (item,) = queue.listed(lambda items: texts_of(items) == ["Read"])
    assert [chip["name"] for chip in item["files"]] == ["a.txt", "b.txt"]
    page.send("queue_change", item=item["id"], text="Read both", keep=[0, 1])
    page.send("queue_change", item=item["id"], text="Read one", keep=[1])
    (item,) = queue.listed(lambda items: texts_of(items) == ["Read one"])
    assert [chip["name"] for chip in item["files"]] == ["b.txt"]
    assert queue.finish() == ["first", "Read one"]
    assert "beta" in str(queue.server.asked)
    assert "alpha" not in str(queue.server.asked)


def test_a_removed_question_is_not_asked_and_undo_puts_it_back_in_its_place(
    queue: Queue,
) -> None:
    a, b, _ = queue.ask("a", "b", "c")
    queue.page.send("queue_remove", item=a["id"])
    queue.page.wait_for("queue_removed", item=a["id"])
    queue.page.send("queue_remove", item=b["id"])
    queue.page.wait_for("queue_removed", item=b["id"])
    queue.listed(lambda items: texts_of(items) == ["c"])
    queue.page.send("queue_restore", item=b["id"])
    queue.listed(lambda items: texts_of(items) == ["b", "c"])
    assert queue.finish() == ["first", "b", "c"]


def test_send_now_stops_the_answer_and_goes_before_the_others(queue: Queue) -> None:
    _, b = queue.ask("a", "b")
    queue.page.send("queue_send", item=b["id"])
    assert queue.page.ended_row()["mark"] == "Stopped"
    assert queue.finish() == ["first", "b", "a"]


def test_an_edit_that_comes_too_late_is_listed_as_not_sent(queue: Queue) -> None:
    (a,) = queue.ask("a")
    assert queue.finish() == ["first", "a"]
    queue.page.send("queue_change", item=a["id"], text="much better", keep=[], was="a")
    (late,) = queue.listed(unsent)
    assert (late["text"], late["why"]) == (
        "much better",
        "“a” had already begun: this is your edit of it.",
    )
    assert late["view"] == "here"
    queue.page.send("queue_remove", item=a["id"])
    assert "being answered already" in queue.page.wait_for("error")["text"]


def test_what_is_taken_out_unasked_is_listed_as_not_sent_and_can_be_sent(
    queue: Queue,
) -> None:
    queue.ask("a", "b")
    queue.page.session.stop()
    items = queue.listed(lambda items: [item["unsent"] for item in items] == [True] * 2)
    assert sorted(texts_of(items)) == ["a", "b"]
    assert {(item["view"], item["why"]) for item in items} == {("here", "")}
    queue.server.script = ["Again."]
    for item in items:
        queue.page.send("queue_send", item=item["id"])
    queue.listed(lambda items: not items)
    assert sorted(queue.finish()) == ["a", "b", "first"]


def test_a_refused_question_is_listed_with_its_reason_and_can_be_mended(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = queue.page

    def refuse(*_: object, **__: object) -> None:
        raise ConfigurationError("not like this")

    with monkeypatch.context() as patch:
        patch.setattr(page.session, "ask_later", refuse)
        page.send("ask", text="x", n=1)
    (item,) = queue.listed(unsent)
    assert (item["text"], item["why"], item["n"]) == ("x", "not like this", 1)
    page.send("queue_change", item=item["id"], text="y", keep=[])
    page.send("queue_send", item=item["id"])
    assert queue.finish() == ["first", "y"]


def test_an_unsent_question_that_a_composer_took_is_forgotten(queue: Queue) -> None:
    queue.ask("a")
    queue.page.session.stop()
    (item,) = queue.listed(unsent)
    queue.page.send("queue_take", item=item["id"])
    queue.listed(lambda items: not items)


def test_a_view_that_is_opened_gets_the_list_and_others_only_its_changes(
    queue: Queue,
) -> None:
    queue.ask("a")
    queue.page.controller.receive({"type": "open", "view": "other"})
    message = queue.page.wait_for("queue")
    assert message["to"] == "other"
    assert texts_of(message["items"]) == ["a"]


def test_questions_of_cells_are_marked(queue: Queue) -> None:
    queue.page.session.ask_later("of a cell", cell="c1")
    (item,) = queue.listed(lambda items: texts_of(items) == ["of a cell"])
    assert item["cell"]


def test_a_stopped_edit_without_text_is_not_lost(queue: Queue) -> None:
    queue.gate.set()
    row = queue.page.ended_row()
    queue.server.script = [threading.Event()]
    queue.page.send("ask", text="edited", id=row["id"], n=3)
    queue.page.wait_for("order")
    queue.page.send("stop")
    (item,) = queue.listed(unsent)
    assert (item["text"], item["turn"]) == ("edited", row["id"])
    assert queue.page.session.turn(1).answer == "Once."


def test_what_a_server_cannot_be_sent_is_listed_with_the_reason(queue: Queue) -> None:
    queue.gate.set()
    queue.page.ended_row()
    queue.page.session.configure(min_p=0.1)  # which gpt-gm does not have
    queue.page.send("ask", text="refused", n=2)
    item = queue.page.unsent()
    assert (item["text"], item["problem"]) == ("refused", None)
    assert "min_p" in item["why"]
    assert len(queue.page.session.turns()) == 1


def test_a_turn_that_is_deleted_while_it_is_answered_does_not_come_back(
    queue: Queue,
) -> None:
    (turn,) = queue.page.session.turns()
    queue.page.send("delete", id=turn.id)
    assert queue.finish() == []
    for thread in threading.enumerate():
        if thread.name == "h2o_magic-asked":
            thread.join(60)
    queue.page.controller.receive({"type": "open", "view": "other"})
    assert queue.page.wait_for("queue", to="other")["items"] == []


def test_a_question_of_another_thread_keeps_its_number_and_takes_edits(
    queue: Queue,
) -> None:
    (a,) = queue.ask("a")
    queue.page.send("new_thread")
    queue.listed(lambda items: not items)
    queue.page.send("queue_change", item=a["id"], text="better", keep=[])
    queue.page.send("thread", name="main")
    (again,) = queue.listed(lambda items: texts_of(items) == ["better"])
    assert again["id"] == a["id"]
    assert queue.finish() == ["first", "better"]


def test_send_now_stops_no_answer_of_another_thread(queue: Queue) -> None:
    (a,) = queue.ask("a")
    queue.page.send("new_thread")
    queue.listed(lambda items: not items)
    queue.page.send("queue_send", item=a["id"])
    queue.page.send("thread", name="main")
    assert queue.finish() == ["first", "a"]
    assert [turn.status for turn in queue.page.session.turns()] == ["complete"] * 2


def test_a_new_kernel_takes_once_what_was_typed_when_the_one_before_ended(
    server: StandIn,
) -> None:
    page = Page(server.url)
    page.session.keep_draft("plans", "typed since")
    kept = {
        "kernel": "the one before",
        "thread": "main",
        "drafts": {"main": "typed", "plans": "typed before", "ideas": "half"},
        "queued": ["a", "b"],
    }
    page.send("recover", **kept)
    page.send("recover", **kept)  # of another view
    page.send("open")
    thread = page.wait_for("thread", draft="typed")
    drafts = {"main": "typed", "plans": "typed since", "ideas": "half"}
    assert thread["drafts"] == drafts
    items = page.wait_for("queue", to="here")["items"]
    assert [(i["text"], i["unsent"], i["why"]) for i in items] == [
        ("a", True, "the kernel was restarted"),
        ("b", True, "the kernel was restarted"),
    ]
    server.script = ["Answered."]
    page.send("queue_send", item=items[0]["id"])
    assert page.ended_row()["question"] == "a"
    # A page that is loaded anew has nothing new for the kernel that goes on.
    page.send("recover", **{**kept, "kernel": thread["kernel"], "queued": ["b"]})
    page.send("open")
    assert texts_of(page.wait_for("queue", to="here")["items"]) == ["b"]
    page.controller.close()
    page.session.close()


def test_a_question_under_edit_lets_those_behind_it_go_first(queue: Queue) -> None:
    a, _ = queue.ask("a", "b")
    queue.page.send("queue_edit", item=a["id"])
    queue.listed(lambda items: items[0]["held"])
    queue.gate.set()
    queue.server.script = ["Yes."]
    (item,) = queue.listed(lambda items: texts_of(items) == ["a"])
    assert item == {**a, "held": True}
    while queue.page.ended_row()["question"] != "b":
        pass
    assert queue.page.session.stop(waiting=False) == 0
    queue.page.send("queue_change", item=a["id"], text="better", keep=[], was="a")
    queue.page.send("queue_edited", item=a["id"])
    assert queue.finish() == ["first", "b", "better"]


@pytest.mark.parametrize("end", ["cancel", "close", "panel", "now"])
def test_no_edit_that_has_ended_holds_a_question(queue: Queue, end: str) -> None:
    (a,) = queue.ask("a")
    queue.page.send("queue_edit", item=a["id"])
    queue.gate.set()
    queue.page.ended_row()
    assert [each.held for each in queue.page.session.coming()] == [True]
    queue.page.controller.receive({"type": "close", "view": "other"})
    assert [each.held for each in queue.page.session.coming()] == [True]
    if end == "cancel":
        queue.page.send("queue_edited", item=a["id"])
    elif end == "close":
        queue.page.send("close")
    elif end == "now":
        queue.page.send("queue_send", item=a["id"])
    else:
        queue.page.controller.close()
    for thread in threading.enumerate():
        if thread.name == "h2o_magic-asked":
            thread.join(60)
    questions = [turn.question for turn in queue.page.session.turns()]
    assert questions == ["first", "a"]


def test_a_question_under_edit_is_stopped_and_removed_as_others(queue: Queue) -> None:
    a, b = queue.ask("a", "b")
    for item in (a, b):
        queue.page.send("queue_edit", item=item["id"])
    queue.gate.set()
    queue.page.ended_row()
    queue.page.send("queue_remove", item=a["id"])
    queue.listed(lambda items: texts_of(items) == ["b"])
    queue.page.session.stop()
    (item,) = queue.listed(unsent)
    assert item["text"] == "b"
    assert queue.finish() == ["first"]
