"""A conversation while it goes on, over real sockets."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.chat.events import Notice
from h2o_magic.chat.turns import Turn
from h2o_magic.conversation.notifications import (
    AnswerEnded,
    AnswerGrew,
    AnswerStarted,
    Notification,
    QueueChanged,
    SettingChanged,
    ThreadChanged,
)
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError, MessagesError, MisuseError
from tests.backends.scripted import ScriptedServer
from tests.by_question import ENDLESS, Steps, answering, questions


@contextmanager
def chatting(
    answers: Mapping[str, Steps] | None = None, record: Record | None = None
) -> Iterator[tuple[Session, ScriptedServer]]:
    with answering(answers or {}) as server:
        session = Session(OpenAIBackend(server.url), record=record)
        with closing(session):
            yield session, server


class Listener:
    """Keeps what it is told, and wakes who waits for something."""

    def __init__(self, session: Session) -> None:
        self.told: list[Notification] = []
        self._changed = threading.Condition()
        self.end = session.listen(self)

    def __call__(self, news: Notification) -> None:
        with self._changed:
            self.told.append(news)
            self._changed.notify_all()

    def wait_for(self, holds: Callable[[list[Notification]], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self.told), 60), self.told

    def kinds(self) -> list[str]:
        """Return the kinds in order, the same kind in a row once."""
        names = [type(news).__name__ for news in self.told]
        return [n for i, n in enumerate(names) if i == 0 or names[i - 1] != n]


def grown(text: str) -> Callable[[list[Notification]], object]:
    """Return whether an answer has grown to a text."""
    return lambda told: any(
        isinstance(news, AnswerGrew) and news.answer.text == text for news in told
    )


# Listening


def test_a_listener_is_told_how_a_question_began_grew_and_ended() -> None:
    with chatting({"Hi": ["Hel", "lo"]}) as (session, _):
        listener = Listener(session)
        session.ask("Hi", thread="t").read()
    assert listener.kinds() == ["AnswerStarted", "AnswerGrew", "AnswerEnded"]
    first, last = listener.told[0], listener.told[-1]
    assert isinstance(first, AnswerStarted)
    assert isinstance(last, AnswerEnded)
    assert (first.thread, first.turn.question, first.turn.answer) == ("t", "Hi", "")
    assert (last.turn.answer, last.turn.status) == ("Hello", "complete")
    assert last.turn.facts["model"] == "m"
    grew = [news for news in listener.told if isinstance(news, AnswerGrew)]
    assert {news.turn_id for news in grew} == {first.turn.id} == {last.turn.id}


def test_what_is_asked_outside_the_conversation_is_told_nobody() -> None:
    with chatting() as (session, _):
        listener = Listener(session)
        session.ask("Hi", history=False).read()
    assert listener.told == []


def test_a_listener_is_told_of_every_other_change() -> None:
    with chatting() as (session, _):
        session.ask("Hi").read()
        listener = Listener(session)

        def told(change: Callable[[], object]) -> list[Notification]:
            listener.told.clear()
            change()
            return listener.told[:]

        assert told(lambda: session.fork("copy")) == [ThreadChanged("copy")]
        assert told(lambda: session.undo("copy")) == [ThreadChanged("copy")]
        assert told(lambda: session.redo("copy")) == [ThreadChanged("copy")]
        assert told(lambda: session.redo("copy")) == []
        assert told(lambda: session.drop(1)) == [ThreadChanged("main")]
        assert told(session.reset) == [ThreadChanged("main")]
        assert told(lambda: session.reset(everything=True)) == [ThreadChanged(None)]
        assert told(lambda: session.configure(seed=1)) == [SettingChanged("seed")]
        assert told(lambda: session.configure(seed=1)) == []
        session.thread = "copy"
        assert listener.told == [SettingChanged("thread")]


def test_an_import_is_told_for_each_of_its_threads(tmp_path: Path) -> None:
    with chatting() as (session, _):
        session.ask("Hi").read()
        session.ask("Ho", thread="t").read()
        session.export(tmp_path / "all.json", everything=True)
        listener = Listener(session)
        names = [thread.name for thread in session.import_file(tmp_path / "all.json")]
        assert listener.told == [ThreadChanged(name) for name in names]
        assert len(names) == 2


def test_a_listener_that_raises_disturbs_neither_the_answer_nor_the_others() -> None:
    def careless(news: Notification) -> None:
        raise ValueError(news)

    with chatting({"Hi": ["Hello"]}) as (session, _):
        session.listen(careless)
        listener = Listener(session)
        assert session.ask("Hi").read() == "Hello"
        assert listener.kinds() == ["AnswerStarted", "AnswerGrew", "AnswerEnded"]


def test_who_has_ended_listening_hears_nothing_more() -> None:
    with chatting() as (session, _):
        ended, goes_on = Listener(session), Listener(session)
        ended.end()
        ended.end()
        session.ask("Hi").read()
        assert ended.told == []
        assert goes_on.kinds() == ["AnswerStarted", "AnswerGrew", "AnswerEnded"]


def test_no_lock_is_held_while_a_listener_is_told() -> None:
    with chatting({"Hi": ["Hel", "lo"]}) as (session, _):
        looked: list[int] = []

        def look() -> None:
            session.preview("what would be sent", thread="else")
            looked.append(len(session.turns()) + len(session.coming()))

        def listener(_: Notification) -> None:
            other = threading.Thread(target=look)  # a lock that is held stops it
            other.start()
            other.join(60)
            looked.append(-1 if other.is_alive() else 0)

        session.listen(listener)
        session.ask("Hi").read()
        assert set(looked) == {0, 2}


def test_a_listener_may_stop_the_answer_that_it_is_told_of() -> None:
    with chatting({"Hi": ["Hel", "lo", ENDLESS]}) as (session, server):

        def stop_at_hello(news: Notification) -> None:
            if isinstance(news, AnswerGrew) and news.answer.text == "Hello":
                news.answer.stop()

        session.listen(stop_at_hello)
        assert session.ask("Hi").read() == "Hello"
        assert session.turn(1).status == "stopped"
        assert server.left.acquire(timeout=60)


def test_a_refused_question_ends_as_one_that_is_not_kept() -> None:
    with chatting() as (session, _):
        session.ask("Hi", cell="c").read()
        session.backend = OpenAIBackend("http://127.0.0.1:1")
        listener = Listener(session)
        asked = session.ask_later("Hi again", cell="c")
        assert asked.wait(30)
        assert asked.error is not None
        assert listener.kinds() == ["AnswerStarted", "AnswerEnded", "ThreadChanged"]
        assert [turn.question for turn in session.turns()] == ["Hi"]


@pytest.mark.parametrize("moment", [AnswerStarted, AnswerGrew, AnswerEnded])
def test_an_interrupt_at_any_moment_leaves_a_turn_that_has_ended(
    moment: type[Notification],
) -> None:
    with chatting({"Hi": ["Hel", "lo"]}) as (session, _):
        listener = Listener(session)

        def interrupt(news: Notification) -> None:
            if isinstance(news, moment):
                signal.raise_signal(signal.SIGINT)

        end = session.listen(interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.ask("Hi").read()
        end()
        assert session.turn(1).status == (
            "complete" if moment is AnswerEnded else "stopped"
        )
        assert listener.kinds()[-1] == "AnswerEnded"
        assert session.ask("Ho").read() == "re: Ho"  # it blocks nobody


# In the background


def test_a_question_in_the_background_is_answered_while_others_go_on() -> None:
    gate = threading.Event()
    with chatting({"long": ["Once", gate, " more"]}) as (session, _):
        listener = Listener(session)
        asked = session.ask_later("long", thread="a")
        listener.wait_for(grown("Once"))
        assert session.ask("short", thread="b").read() == "re: short"
        assert not asked.ended
        assert asked.turn is not None
        assert (asked.turn.answer, asked.turn.status) == ("Once", "incomplete")
        gate.set()
        assert asked.wait(60)
        assert asked.error is None
        assert session.turn(1, "a") == asked.turn
        assert asked.turn.status == "complete"


def test_eight_answers_come_at_once() -> None:
    gates = {f"q{number}": threading.Event() for number in range(8)}
    answers: dict[str, Steps] = {q: [q, g, "!"] for q, g in gates.items()}
    with chatting(answers) as (session, _):
        listener = Listener(session)
        asked = [session.ask_later(question, thread=question) for question in gates]
        for question in gates:  # each has begun, and none has ended
            listener.wait_for(grown(question))
        for gate in reversed(gates.values()):
            gate.set()
        assert all(one.wait(60) for one in asked)
        assert [one.answer.text for one in asked] == [f"{q}!" for q in gates]


def test_answers_of_one_thread_come_one_after_the_other() -> None:
    gate = threading.Event()
    with chatting({"first": ["Once", gate]}) as (session, server):
        listener = Listener(session)
        first = session.ask_later("first")
        listener.wait_for(grown("Once"))
        others = [session.ask_later(f"q{number}") for number in range(3)]
        waiting = [first.answer, *(one.answer for one in others)]
        assert session.coming() == tuple(waiting)
        assert others[0].turn is None
        gate.set()
        assert all(one.wait(60) for one in others)
        assert questions(server) == ["first", "q0", "q1", "q2"]
        context = [m["content"] for m in server.requests[-1].json["messages"]]
        assert context == ["first", "Once", "q0", "re: q0", "q1", "re: q1", "q2"]
        assert session.coming() == ()


def test_who_must_wait_for_another_answer_is_told_so() -> None:
    gate = threading.Event()
    with chatting({"first": ["Once", gate]}) as (session, _):
        listener = Listener(session)
        session.ask_later("first")
        listener.wait_for(grown("Once"))
        events = iter(session.ask("second"))
        notice = next(events)
        assert notice == Notice("Waiting for the answer before it in main …")
        gate.set()
        assert not any(isinstance(event, Notice) for event in events)
        assert [turn.question for turn in session.turns()] == ["first", "second"]


def test_a_waiting_question_that_is_stopped_is_never_asked() -> None:
    gate = threading.Event()
    with chatting({"first": ["Once", gate]}) as (session, server):
        listener = Listener(session)
        first = session.ask_later("first")
        listener.wait_for(grown("Once"))
        second, third = session.ask_later("second"), session.ask_later("third")
        listener.wait_for(lambda told: told.count(QueueChanged("main")) == 2)
        second.stop()
        assert second.wait(60)
        assert listener.told[-1] == QueueChanged("main")
        assert (second.turn, second.error) == (None, None)
        assert second.answer.facts.status == "stopped"
        gate.set()
        assert first.wait(60)
        assert third.wait(60)
        assert questions(server) == ["first", "third"]


def test_stopping_a_thread_stops_what_is_written_and_what_waits_there() -> None:
    answers: dict[str, Steps] = {"here": ["a", ENDLESS], "there": ["b", ENDLESS]}
    with chatting(answers) as (session, server):
        listener = Listener(session)
        here = session.ask_later("here", thread="x")
        there = session.ask_later("there", thread="y")
        listener.wait_for(grown("a"))
        listener.wait_for(grown("b"))
        waits = session.ask_later("waits", thread="x")
        assert len(session.coming("x")) == 2
        assert session.stop("x") == 2
        assert here.wait(60)
        assert waits.wait(60)
        assert not there.ended
        assert [(t.answer, t.status) for t in session.turns("x")] == [("a", "stopped")]
        assert "waits" not in questions(server)
        assert session.stop() == 0


def test_an_answer_that_is_stopped_before_its_first_token_ends_at_once() -> None:
    with chatting({"Hi": [ENDLESS]}) as (session, _):
        listener = Listener(session)
        asked = session.ask_later("Hi")
        listener.wait_for(lambda told: any(isinstance(n, AnswerStarted) for n in told))
        asked.stop()  # wherever it is between being noted and being written
        assert asked.wait(60)
        assert asked.error is None
        assert session.turn(1).status == "stopped"


def test_one_thread_of_python_cannot_wait_for_its_own_answer() -> None:
    with chatting({"Hi": ["a", "b"]}) as (session, _):
        answer = iter(session.ask("Hi"))
        next(answer)
        with pytest.raises(MisuseError, match="still being read here"):
            session.ask("Ho").read()
        assert session.ask("Ho", history=False).read() == "re: Ho"
        assert session.ask("Ho", thread="else").read() == "re: Ho"
        answer.close()  # type: ignore[attr-defined]
        assert session.ask("Ho").read() == "re: Ho"


def test_asking_in_a_turns_place_keeps_its_cell_and_marks_what_follows() -> None:
    with chatting() as (session, server):
        session.ask("one", cell="c1").read()
        session.ask("two", cell="c2").read()
        first = session.turn(1)
        assert session.ask_later("better", replaces=first).wait(60)
        one, two = session.turns()
        assert (one.question, one.cell, one.number) == ("better", "c1", 1)
        assert (two.question, two.outdated) == ("two", True)
        assert len(server.requests[-1].json["messages"]) == 1


@pytest.mark.parametrize("question", ["", "  "])
def test_a_question_that_cannot_be_asked_is_refused_at_once(question: str) -> None:
    with chatting() as (session, server):
        with pytest.raises(MessagesError):
            session.ask_later(question)
        with pytest.raises(ConfigurationError, match="temprature"):
            session.ask_later("Hi", temprature=1)
        assert server.requests == []


def test_closing_the_session_keeps_what_came_of_its_background_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h2o_magic.conversation.background._FAREWELL", 60)
    record = Record(tmp_path / "turns.sqlite3", "notebook")
    with chatting({"Hi": ["Half", ENDLESS]}, record) as (session, server):
        listener = Listener(session)
        asked = session.ask_later("Hi")
        listener.wait_for(grown("Half"))
        session.close()
        assert asked.ended
        assert server.left.acquire(timeout=60)
    (turn,) = Record(tmp_path / "turns.sqlite3", "notebook").turns("main")
    assert (turn.answer, turn.status) == ("Half", "stopped")


@pytest.mark.parametrize("everything", [False, True])
def test_an_answer_whose_turn_is_taken_out_is_stopped_and_holds_nobody_up(
    everything: bool,
) -> None:
    with chatting({"Hi": ["Half", ENDLESS]}) as (session, server):
        listener = Listener(session)
        asked = session.ask_later("Hi")
        listener.wait_for(grown("Half"))
        waits = session.ask_later("then?")
        assert session.reset(everything=everything) == 1
        assert asked.wait(60)
        assert server.left.acquire(timeout=60)
        assert waits.wait(60)
        assert [turn.question for turn in session.turns()] == ["then?"]
        session.undo()
        session.undo()
        (back,) = session.turns()
        assert (back.question, back.answer, back.status) == ("Hi", "Half", "stopped")


def test_a_change_elsewhere_stops_no_answer() -> None:
    gate = threading.Event()
    with chatting({"Hi": ["Half", gate]}) as (session, _):
        session.ask("first").read()
        listener = Listener(session)
        asked = session.ask_later("Hi")
        listener.wait_for(grown("Half"))
        session.drop(1)
        session.undo()
        session.reset("else")
        session.fork("copy", at=1)
        gate.set()
        assert asked.wait(60)
        assert session.turn(2).status == "complete"


def test_an_answer_is_kept_in_the_record_in_which_it_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "turns.sqlite3"
    old, gate = Record(path, "old"), threading.Event()
    with chatting({"Hi": ["Half", gate, " done"]}, old) as (session, _):
        listener = Listener(session)
        reading = threading.Thread(target=session.ask("Hi").read)
        reading.start()
        listener.wait_for(grown("Half"))
        session.record = Record(None, "")
        session.record.begin("main", Turn("another", "its answer"))
        gate.set()
        reading.join(60)
        assert [turn.answer for turn in session.turns()] == ["its answer"]
    (turn,) = Record(path, "old").turns("main")
    assert (turn.question, turn.answer[:4]) == ("Hi", "Half")


def test_a_draft_is_kept_for_each_thread_and_in_no_file(tmp_path: Path) -> None:
    path = tmp_path / "turns.sqlite3"
    with chatting(record=Record(path, "notebook")) as (session, _):
        listener = Listener(session)
        session.keep_draft(None, "a secret thought")
        session.keep_draft("else", "another")
        assert session.draft() == session.draft("main") == "a secret thought"
        assert (session.draft("else"), session.draft("new")) == ("another", "")
        assert listener.told == []
        session.ask("Hi").read()
        assert b"secret" not in path.read_bytes()
