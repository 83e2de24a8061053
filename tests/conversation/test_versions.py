"""Turns that are asked again, over real sockets."""

from __future__ import annotations

import threading

import pytest

from h2o_magic.chat.continuation import continuing
from h2o_magic.chat.turns import Change
from h2o_magic.conversation.notifications import ThreadChanged
from h2o_magic.errors import ConfigurationError, MessagesError
from tests.by_question import ENDLESS, questions
from tests.conversation.test_background import Listener, chatting, grown


def test_a_turn_is_asked_again_under_what_it_was_asked_under() -> None:
    with chatting() as (session, server):
        session.ask("one", cell="c1", seed=5, system="Be brief.").read()
        session.ask("two", cell="c2").read()
        session.configure(system="Be long.")
        assert session.regenerate(1, temperature=0.9).wait(60)
        body = server.requests[-1].json
        assert [m["content"] for m in body["messages"]] == ["Be brief.", "one"]
        assert (body["seed"], body["temperature"]) == (5, 0.9)
        one, two = session.turns()
        assert (one.cell, one.outdated, two.outdated) == ("c1", False, True)


def test_another_question_in_a_turns_place_is_asked_under_the_present_settings() -> (
    None
):
    with chatting() as (session, server):
        session.ask("one", thread="t", cell="c1", system="Be brief.").read()
        session.ask("two", thread="t", cell="c2").read()
        assert session.edit(2, "2", "t", seed=5).wait(60)
        body = server.requests[-1].json
        assert [m["content"] for m in body["messages"]] == ["one", "re: one", "2"]
        assert body["seed"] == 5
        assert [(t.question, t.cell) for t in session.turns("t")] == [
            ("one", "c1"),
            ("2", "c2"),
        ]


def test_the_versions_of_a_turn_are_there_to_choose_from() -> None:
    with chatting() as (session, _):
        session.ask("one", cell="c1").read()
        assert session.version_counts() == {}
        session.edit(1, "ONE").wait(60)
        session.ask("uno", cell="c1").read()  # a cell that is run again makes one, too
        found = session.versions(1)
        assert [turn.question for turn in found.turns] == ["one", "ONE", "uno"]
        assert found.chosen == 3
        listener = Listener(session)
        assert session.choose_version(1, 2).answer == "re: ONE"
        assert listener.told == [ThreadChanged("main")]
        assert session.turn(1).question == "ONE"
        assert session.version_counts() == {session.turn(1).id: (2, 3)}
        assert session.undo() == Change("choose", ("main",), 1)
        assert session.turn(1).question == "uno"


def test_the_chosen_version_is_what_later_questions_follow_on() -> None:
    with chatting() as (session, server):
        session.ask("one", cell="c1").read()
        session.edit(1, "ONE").wait(60)
        session.choose_version(1, 1)
        session.ask("two").read()
        sent = [m["content"] for m in server.requests[-1].json["messages"]]
        assert sent == ["one", "re: one", "two"]


def test_a_version_cannot_be_left_while_it_is_written() -> None:
    gate = threading.Event()
    with chatting({"slow": ["Once", gate]}) as (session, _):
        session.ask("one").read()
        listener = Listener(session)
        asked = session.edit(1, "slow")
        listener.wait_for(grown("Once"))
        with pytest.raises(ConfigurationError, match="still being answered"):
            session.choose_version(1, 1)
        gate.set()
        assert asked.wait(60)
        assert session.choose_version(1, 1).question == "one"


def test_asking_twice_in_a_place_that_is_being_written_makes_two_versions() -> None:
    gate = threading.Event()
    with chatting({"slow": ["Once", gate]}) as (session, server):
        session.ask("one").read()
        listener = Listener(session)
        first = session.edit(1, "slow")
        listener.wait_for(grown("Once"))
        second = session.edit(1, "again")  # it waits, and its place is replaced
        gate.set()
        assert first.wait(60)
        assert second.wait(60)
        assert questions(server) == ["one", "slow", "again"]
        versions = session.versions(1).turns
        assert [turn.question for turn in versions] == ["one", "slow", "again"]
        assert len(session.turns()) == 1


def test_what_cannot_be_asked_again_is_refused_at_once() -> None:
    with chatting() as (session, server):
        session.ask("one").read()
        with pytest.raises(ConfigurationError, match="no turn 2"):
            session.regenerate(2)
        with pytest.raises(ConfigurationError, match="no turn 2"):
            session.edit(2, "x")
        with pytest.raises(MessagesError):
            session.edit(1, " ")
        with pytest.raises(ConfigurationError, match="there is no answer 2"):
            session.choose_version(1, 2)
        assert questions(server) == ["one"]


def test_an_answer_that_was_cut_off_goes_on_as_a_version_of_its_own() -> None:
    with chatting() as (session, server):
        session.ask("one", cell="c1", seed=5).read()
        session.ask("two", cell="c2").read()
        asked = session.continue_answer(1)
        assert asked.wait(60)
        body = server.requests[-1].json
        before = [(m["role"], m["content"]) for m in body["messages"]]
        assert before[:2] == [("user", "one"), ("assistant", "re: one")]
        role, request = before[2]
        assert role == "user"
        assert "Continue it exactly where it stopped" in request
        assert body["seed"] == 5
        turn = session.turn(1)
        assert (turn.question, turn.sent, turn.cell) == ("one", "", "c1")
        assert turn.answer == f"re: one re: {request}"
        assert turn.facts["notes"] == ["continued"]
        assert session.versions(1).turns[0].answer == "re: one"
        session.undo()
        assert session.turn(1).answer == "re: one"


def test_an_answer_to_which_nothing_comes_stays_as_it_was() -> None:
    request = continuing("re: one")[1].content
    with chatting({request: [ENDLESS]}) as (session, server):
        session.ask("one").read()
        asked = session.continue_answer(1)
        while len(questions(server)) < 2:
            assert not asked.wait(0.02)
        asked.stop()
        assert asked.wait(60)
        assert session.turn(1).answer == "re: one"
        assert session.version_counts() == {}
        with pytest.raises(ConfigurationError, match="no turn 2"):
            session.continue_answer(2)
