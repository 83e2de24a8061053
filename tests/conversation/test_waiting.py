"""Questions that wait for the answers before them: changed, moved, withdrawn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from h2o_magic.backends.error_advice import TOO_LONG
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.conversation.background import BackgroundAnswer
from h2o_magic.conversation.queue import FifoLock
from h2o_magic.conversation.session import Session
from h2o_magic.errors import BackendError, MessagesError, MisuseError
from h2o_magic.prompts.prompt import Prompt
from tests.backends.scripted import ScriptedServer, document, serving
from tests.by_question import questions
from tests.conversation.test_background import Listener, chatting, grown


@contextmanager
def three_waiting(
    gate: threading.Event,
) -> Iterator[tuple[Session, ScriptedServer, list[BackgroundAnswer]]]:
    """Ask a question that is answered until `gate` opens, and three behind it."""
    with chatting({"first": ["Once", gate]}) as (session, server):
        listener = Listener(session)
        asked = [session.ask_later("first")]
        listener.wait_for(grown("Once"))
        asked += [session.ask_later(question) for question in "abc"]
        try:
            yield session, server, asked
        finally:
            gate.set()
            assert all(one.wait(60) for one in asked)


def test_a_waiting_question_is_changed_in_its_place_and_asked_so() -> None:
    gate = threading.Event()
    with three_waiting(gate) as (session, server, (_, a, b, c)):
        b.change("better")
        assert [each.question.text for each in session.coming()] == [
            *("first", "a", "better", "c"),
        ]
        with pytest.raises(MessagesError, match="got an empty one"):
            c.change(" ")
        gate.set()
        assert c.wait(60)
        assert questions(server) == ["first", "a", "better", "c"]
        assert a.turn is not None


def test_one_that_is_moved_goes_before_the_others_but_never_before_the_running() -> (
    None
):
    gate = threading.Event()
    with three_waiting(gate) as (_, server, (_, a, b, c)):
        c.move(1)
        a.move(3)
        gate.set()
        assert a.wait(60)
        assert b.wait(60)
        assert questions(server) == ["first", "c", "b", "a"]


def test_one_that_is_withdrawn_is_never_asked_and_can_be_asked_as_it_was() -> None:
    gate = threading.Event()
    with three_waiting(gate) as (session, server, (_, a, _, c)):
        a.withdraw()
        assert a.wait(60)
        assert (a.withdrawn, a.turn, a.error) == (True, None, None)
        again = session.ask_as_prepared(a.answer.question)
        again.move(1)
        gate.set()
        assert c.wait(60)
        assert questions(server) == ["first", "a", "b", "c"]


def test_the_next_is_asked_when_only_the_answer_being_written_is_stopped() -> None:
    with three_waiting(threading.Event()) as (session, server, (first, _, _, c)):
        assert session.stop(waiting=False) == 1
        assert first.wait(60)
        assert c.wait(60)
        assert questions(server) == ["first", "a", "b", "c"]
        statuses = [turn.status for turn in session.turns()]
        assert statuses == ["stopped", "complete", "complete", "complete"]


@pytest.mark.parametrize("act", ["change", "move", "withdraw"])
def test_what_is_being_answered_or_was_stopped_is_refused(act: str) -> None:
    arguments = {"change": [Prompt.of("x")], "move": [1], "withdraw": []}[act]
    with three_waiting(threading.Event()) as (session, _, (first, a, _, _)):
        with pytest.raises(MisuseError, match=r"^it is being answered already$"):
            getattr(first, act)(*arguments)
        a.stop()
        with pytest.raises(MisuseError, match="no longer in the queue"):
            getattr(a, act)(*arguments)
        session.stop()


def test_a_question_is_either_changed_in_time_or_refused_never_both() -> None:
    """Changes race with the beginning of each answer."""
    outcomes = set()
    for number in range(30):
        gate = threading.Event()
        with chatting({"first": ["Once", gate]}) as (session, server):
            listener = Listener(session)
            session.ask_later("first")
            listener.wait_for(grown("Once"))
            second = session.ask_later("second")
            gate.set()
            if number % 2:
                listener.wait_for(lambda _: len(session.turns()) == 2)
            try:
                second.change("changed")
                changed = True
            except MisuseError:
                changed = False
            assert second.wait(60)
            asked = "changed" if changed else "second"
            assert questions(server) == ["first", asked]
            assert session.turn(2).question == asked
            outcomes.add(changed)
    assert False in outcomes


def test_nobody_who_does_not_wait_is_moved() -> None:
    lock: FifoLock[str] = FifoLock()
    lock.move("nobody", 1)
    assert lock.holders == ()
    lock.enter("holder")
    lock.move("holder", 2)
    lock.move("nobody", 1)
    assert lock.holders == ("holder",)


@pytest.mark.parametrize(
    ("status", "said", "advice"),
    [
        (413, "So much text.", TOO_LONG),
        (400, "No such thing.", ""),
    ],
)
def test_why_an_answer_failed_is_kept_with_its_turn(
    status: int, said: str, advice: str
) -> None:
    refusal = document({"error": {"message": said}}, status=status)
    with serving(lambda _: refusal) as server:
        session = Session(OpenAIBackend(server.url))
        with pytest.raises(BackendError):
            session.ask("Hi").read()
        facts = session.turn(1).facts
        kept = facts["error"], facts["advice"], facts["http_status"]
        assert kept == (said, advice, status)
        assert facts["server"].startswith(server.url)


def test_an_answer_that_did_not_fail_says_nothing_of_it() -> None:
    with chatting() as (session, _):
        session.ask("Hi").read()
        assert "error" not in session.turn(1).facts
