"""The threads of the panel: their list, titles, search, deletion, branches."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from h2o_magic.chat.turns import Thread, Turn
from tests.chat_panel.test_controller import Page
from tests.stand_in import StandIn


@pytest.fixture
def page(server: StandIn) -> Iterator[Page]:
    page = Page(server.url)
    yield page
    page.controller.close()
    page.session.close()


def fill(page: Page, thread: str, *questions: str, at: float = 0.0) -> None:
    turns = tuple(
        Turn(question, "Yes.", asked_at=at + place)
        for place, question in enumerate(questions, 1)
    )
    page.session.record.add([Thread(thread, turns)])


def state(page: Page, **parts: object) -> dict[str, object]:
    """Return the next state with these parts."""
    while True:
        found = page.wait_for("state")["state"]
        if parts.items() <= found.items():
            return dict(found)


def listed(page: Page) -> list[tuple[str, str]]:
    page.send("threads")
    return [(t["name"], t["title"]) for t in page.wait_for("threads")["threads"]]


def test_the_state_says_which_thread_it_is_and_does_not_grow_with_them(
    page: Page,
) -> None:
    fill(page, "main", "What is SQL?")
    page.send("open")
    shown = state(page)
    assert (shown["thread"], shown["title"]) == ("main", "What is SQL?")
    turn = Turn("What?", "That.")
    many = [Thread(f"thread {n}", (turn,)) for n in range(500)]
    page.session.record.add(many)
    page.send("open")
    assert len(json.dumps(state(page))) < len(json.dumps(shown)) + 10
    assert len(listed(page)) == 501


def test_a_new_chat_is_listed_once_something_is_in_it(page: Page) -> None:
    fill(page, "main", "one")
    page.send("new_thread")
    page.send("new_thread")
    assert page.wait_for("thread")["name"] == "chat-2"
    assert state(page, thread="chat-2")["title"] == "New chat"
    assert listed(page) == [("main", "one")]
    page.send("draft", text="half")
    page.send("thread", name="main")
    page.send("threads")
    assert page.wait_for("threads")["threads"][1] == {
        "name": "chat-2",
        "title": "New chat",
        "at": 0.0,
        "draft": True,
        "running": False,
    }
    page.send("thread", name="chat-2")
    assert page.wait_for("thread", name="chat-2", draft="half")["ids"] == []


def test_renaming_shows_the_title(page: Page) -> None:
    fill(page, "main", "one")
    page.send("rename", name="main", title=" A <b>plan</b>\n")
    assert state(page, title="A <b>plan</b>")
    page.send("rename", name="main", title="x" * 201)
    assert "at most 200" in page.wait_for("error")["text"]
    assert listed(page) == [("main", "A <b>plan</b>")]


def test_a_search_says_where_what_was_found_is(page: Page) -> None:
    fill(page, "main", "Where is the café?", "no")
    fill(page, "ideas", "CAFE", at=10)
    page.send("search", text="cafe", n=7)
    ids = [page.session.turn(1, name).id for name in ("ideas", "main")]
    assert page.wait_for("hits", n=7)["hits"] == [
        {
            "name": "ideas",
            "title": "CAFE",
            "id": ids[0],
            "at": 11.0,
            "snippet": ["", "CAFE", ""],
        },
        {
            "name": "main",
            "title": "Where is the café?",
            "id": ids[1],
            "at": 1.0,
            "snippet": ["Where is the ", "café", "?"],
        },
    ]


def test_a_deleted_chat_comes_back_with_its_draft(page: Page) -> None:
    fill(page, "main", "one")
    fill(page, "ideas", "two", at=10)
    page.send("draft", text="half")
    page.send("remove_thread", name="main")
    assert page.wait_for("thread_removed", to="here")["name"] == "main"
    assert state(page, thread="ideas")["removed_thread"] == "main"
    assert listed(page) == [("ideas", "two")]
    page.send("restore_thread", name="main")
    assert page.wait_for("thread", name="main")["draft"] == "half"
    assert state(page, thread="main")["removed_thread"] == ""
    assert [name for name, _ in listed(page)] == ["main", "ideas"]


def test_another_chat_is_deleted_without_leaving_this_one(page: Page) -> None:
    fill(page, "main", "one")
    page.session.keep_draft("ideas", "only a draft")
    page.send("remove_thread", name="ideas")
    assert state(page, removed_thread="ideas")["thread"] == "main"
    assert listed(page) == [("main", "one")]
    page.send("restore_thread", name="ideas")
    assert page.session.draft("ideas") == "only a draft"
    assert page.session.thread == "main"


def test_a_chat_that_was_asked_in_since_is_not_restored_by_undo(page: Page) -> None:
    fill(page, "main", "one")
    page.send("remove_thread", name="main")
    fill(page, "main", "two")
    page.send("restore_thread", name="main")
    assert "/undo --thread main" in page.wait_for("error")["text"]
    assert [turn.question for turn in page.session.turns("main")] == ["two"]
    page.send("restore_thread", name="other")
    assert "/undo --thread other" in page.wait_for("error")["text"]


def test_what_runs_and_waits_in_a_deleted_chat_is_not_lost(
    page: Page, server: StandIn
) -> None:
    server.script = ["half", threading.Event()]
    page.send("ask", text="one")
    page.wait_for("delta")
    page.send("ask", text="two")
    state(page, queued=1)
    page.send("draft", text="three")
    page.send("remove_thread", name="main")
    assert server.stopped.wait(60)
    for waiting in threading.enumerate():
        if waiting.name == "h2o_magic-asked":
            waiting.join(60)
    page.controller.receive({"type": "open", "view": "other"})
    assert page.wait_for("queue", to="other")["items"] == []
    page.send("restore_thread", name="main")
    shown = page.wait_for("thread", name="main")
    assert shown["draft"] == "three"
    page.controller.receive({"type": "open", "view": "other"})
    (item,) = page.wait_for("queue", to="other")["items"]
    assert item["unsent"]
    assert (item["text"], item["view"]) == ("two", "")  # so that no composer takes it
    page.send("rows", ids=shown["ids"])
    row = page.ended_row()
    assert (row["question"], row["answer"], row["status"]) == ("one", "half", "stopped")


def test_what_waits_in_another_chat_that_is_deleted_stays_with_that_chat(
    page: Page, server: StandIn
) -> None:
    server.script = ["half", threading.Event()]
    page.send("ask", text="one")
    page.wait_for("delta")
    page.send("ask", text="two")
    state(page, queued=1)
    page.send("new_thread")
    page.send("remove_thread", name="main")
    assert server.stopped.wait(60)
    for waiting in threading.enumerate():
        if waiting.name == "h2o_magic-asked":
            waiting.join(60)
    page.controller.receive({"type": "open", "view": "other"})
    assert page.wait_for("queue", to="other")["items"] == []
    page.send("restore_thread", name="main")
    page.send("thread", name="main")
    item = page.unsent()
    assert (item["text"], item["view"]) == ("two", "")
    server.script = ["whole"]
    page.send("queue_send", item=item["id"])
    while page.ended_row()["question"] != "two":
        pass
    assert page.session.turns("main")[-1].question == "two"


def test_a_branch_has_the_turns_up_to_one_and_is_shown(page: Page) -> None:
    fill(page, "main", "one", "two", "three")
    second = page.session.turn(2).id
    page.send("branch", id=second)
    shown = page.wait_for("thread", name="chat-2")
    assert [row["question"] for row in shown["rows"]] == ["one", "two"]
    assert state(page, thread="chat-2")["title"] == "one (branch)"
    assert len(page.session.turns("main")) == 3
    page.send("branch", id=second)
    assert "no longer in the thread" in page.wait_for("error")["text"]


def test_a_model_is_named_when_it_changes(page: Page, server: StandIn) -> None:
    models = ["a", "a", "b", "", "a"]
    turns = tuple(Turn(f"{n}?", "Yes.", model=m) for n, m in enumerate(models))
    page.session.record.add([Thread("main", turns)])
    page.send("open")
    rows = page.wait_for("thread")["rows"]
    assert [row["model"] for row in rows] == models
    assert [row["facts"] for row in rows] == ["a", "", "b", "", "a"]
    page.send("rows", ids=[rows[1]["id"]])
    assert page.ended_row()["facts"] == ""
    page.send("rows", ids=[rows[0]["id"], rows[2]["id"]])
    assert [row["facts"] for row in page.wait_for("rows")["rows"]] == ["a", "b"]


def test_the_turn_after_another_model_names_its_own(
    page: Page, server: StandIn
) -> None:
    turns = tuple(Turn(f"{n}?", "Yes.", model="a") for n in range(3))
    page.session.record.add([Thread("main", turns)])
    page.send("open")
    rows = page.wait_for("thread")["rows"]
    page.send("ask", id=rows[0]["id"], text="Another model?")
    while (row := page.ended_row())["number"] != 2:
        pass
    assert row["facts"] == "a"


def test_an_edit_becomes_the_draft_of_the_chat_that_was_left(page: Page) -> None:
    fill(page, "main", "one")
    page.send("new_thread")
    page.wait_for("thread", name="chat-2")
    page.send("draft", text="one, better", thread="main")
    assert page.wait_for("drafts")["drafts"] == {"main": "one, better"}
    page.send("draft", text="of a chat that was deleted", thread="gone")
    assert page.session.draft("gone") == page.session.draft() == ""
    page.send("thread", name="main")
    assert page.wait_for("thread", name="main")["draft"] == "one, better"


def test_sending_an_edit_leaves_the_draft_as_it_is(page: Page) -> None:
    fill(page, "main", "one")
    (turn,) = page.session.turns()
    page.send("draft", text="half a thought")
    page.send("ask", text="one, better", id=turn.id, n=1)
    page.ended_row()
    assert page.session.draft() == "half a thought"
