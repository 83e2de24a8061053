import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.base import Backend, ChatRequest, ModelInfo
from h2o_magic.chat.events import Event, Finished, Source, TextDelta, Usage
from h2o_magic.chat.messages import assistant, system, user
from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.conversation.preview import preview_plain
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.session import Session
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    GenerationError,
    IncompleteAnswerError,
    MessagesError,
    MissingExtraError,
    MisuseError,
    ParameterError,
)

Step = Event | BaseException


class ScriptedBackend:
    """Plays one script for each question; an exception in it is raised."""

    url = "http://scripted"

    def __init__(self, *scripts: list[Step]) -> None:
        self.scripts = list(scripts)
        self.requests: list[ChatRequest] = []
        self.open = 0
        self.closed = False

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        self.requests.append(request)
        script = self.scripts.pop(0) if self.scripts else saying("Yes.")
        self.open += 1
        try:
            for step in script:
                if isinstance(step, BaseException):
                    raise step
                yield step
        finally:
            self.open -= 1

    def models(self) -> list[ModelInfo]:
        return [ModelInfo("llama-13b")]

    def model(self, name: str = "") -> ModelInfo | None:
        return next((m for m in self.models() if m.name == name), None)

    def close(self) -> None:
        self.closed = True


def saying(text: str) -> list[Step]:
    return [TextDelta(text[:2]), TextDelta(text[2:]), Finished(text, "end")]


def session_with(*scripts: list[Step]) -> tuple[Session, ScriptedBackend]:
    backend = ScriptedBackend(*scripts)
    checked: Backend = backend
    return Session(checked), backend


def answered(session: Session, question: str, cell: str | None = None) -> str:
    answer = session.ask(question, model="llama-13b", cell=cell)
    for _ in answer:
        pass
    return answer.text


def kept(session: Session, thread: str | None = None) -> tuple[Turn, ...]:
    """Return the turns without what a clock or a server said of them."""
    return tuple(
        replace(turn, asked_at=0.0, facts={}, model="")
        for turn in session.turns(thread)
    )


# What is sent


def test_nothing_is_sent_before_the_answer_is_iterated() -> None:
    session, backend = session_with()
    session.ask("Hi", model="llama-13b")
    assert backend.requests == []
    assert session.turns() == ()


def test_a_question_is_sent_with_the_settings_it_was_asked_under() -> None:
    session, backend = session_with()
    answer = session.ask(
        "  Hi \n",
        model="falcon-7b",
        system="Be brief.",
        temperature=1,
        seed=7,
        max_new_tokens=None,
        strict=True,
    )
    list(answer)
    (request,) = backend.requests
    assert request.messages == (system("Be brief."), user("Hi"))
    assert (request.model, request.strict) == ("falcon-7b", True)
    assert request.parameters == {"temperature": 1.0, "seed": 7}


def test_nothing_that_nobody_set_is_sent() -> None:
    session, backend = session_with()
    answered(session, "Hi")
    assert backend.requests[0].parameters == {}
    session.configure(top_k=40, top_p=0.9)
    session.use_preset("balanced")
    session.ask("Hi", seed=0, top_k=None).read()
    assert backend.requests[1].parameters == {"seed": 0}
    session.use_preset("precise")
    session.ask("Hi").read()
    assert backend.requests[2].parameters == {
        "temperature": 0.1,
        "top_p": 0.9,
        "top_k": 40,
    }


@pytest.mark.parametrize("name", ["truncate", "return_full_text"])
def test_what_only_gpt_gm_has_is_no_option_of_a_question(name: str) -> None:
    session, backend = session_with()
    for use in (session.ask, session.preview):
        with pytest.raises(ConfigurationError, match="belongs to the gpt-gm protocol"):
            use("Hi", **{name: 1})
    with pytest.raises(ConfigurationError, match="belongs to the gpt-gm protocol"):
        session.configure(**{name: 1})
    assert backend.requests == []


def test_without_system_text_no_system_message_is_sent() -> None:
    session, backend = session_with()
    answered(session, "Hi")
    assert backend.requests[0].messages == (user("Hi"),)


@pytest.mark.parametrize("question", ["", " \n\t"])
def test_an_empty_question_is_refused_before_it_is_sent(question: str) -> None:
    session, backend = session_with()
    with pytest.raises(MessagesError, match="expected a question, got an empty one"):
        session.ask(question, model="llama-13b")
    assert backend.requests == []
    assert session.turns() == ()


def test_a_refused_parameter_is_refused_before_it_is_sent() -> None:
    session, backend = session_with()
    with pytest.raises(ParameterError, match="top_p"):
        session.ask("Hi", model="llama-13b", top_p=1.1)
    with pytest.raises(ParameterError, match="leave one out"):
        session.ask("Hi", model="llama-13b", temperature=0, do_sample=True)
    assert backend.requests == []
    assert session.turns() == ()


def test_the_turns_before_are_sent_as_history() -> None:
    session, backend = session_with(saying("One."), saying("Two."))
    answered(session, "1?")
    answered(session, "2?")
    answered(session, "3?")
    assert backend.requests[2].messages == (
        user("1?"),
        assistant("One."),
        user("2?"),
        assistant("Two."),
        user("3?"),
    )


def test_a_cell_that_is_run_again_sends_what_came_before_it_only() -> None:
    session, backend = session_with(saying("One."), saying("Two."), saying("Uno."))
    answered(session, "1?", cell="a")
    answered(session, "2?", cell="b")
    answered(session, "1, in Spanish?", cell="a")
    answered(session, "2?", cell="b")
    assert backend.requests[2].messages == (user("1, in Spanish?"),)
    assert backend.requests[3].messages == (
        user("1, in Spanish?"),
        assistant("Uno."),
        user("2?"),
    )
    assert [turn.cell for turn in session.turns()] == ["a", "b"]


def test_a_new_backend_goes_on_with_the_conversation() -> None:
    session, _ = session_with(saying("One."))
    answered(session, "1?")
    session.backend = other = ScriptedBackend()
    answered(session, "2?")
    assert other.requests[0].messages == (user("1?"), assistant("One."), user("2?"))


def test_what_a_server_says_to_a_stop_makes_the_answer_no_failure() -> None:
    class TouchyBackend(ScriptedBackend):
        def stream(self, request: ChatRequest) -> Iterator[Event]:
            return itertools.chain(super().stream(request))  # it cannot be closed

    session = Session(
        TouchyBackend([TextDelta("Half"), ConnectionFailedError("reset by peer")])
    )
    answer = session.ask("Hi", model="llama-13b")
    events = iter(answer)
    assert next(events) == TextDelta("Half")
    answer.stop()
    assert list(events) == []
    assert (answer.text, session.turn(1).status) == ("Half", "stopped")


# What comes back


def test_the_events_come_through_as_the_backend_yields_them() -> None:
    script: list[Step] = [Source("tiny"), TextDelta("a"), Usage(1, 2), Finished("a")]
    session, _ = session_with(script)
    assert list(session.ask("Hi", model="m")) == script


def test_the_answer_has_its_text_and_facts_while_it_comes() -> None:
    session, _ = session_with(
        [Source("tiny", "demo", demo=True), TextDelta("He"), Finished("Hello", "end")]
    )
    answer = session.ask("Hi", model="m", seed=1)
    assert (answer.text, answer.facts.model) == ("", "m")
    events = iter(answer)
    next(events)
    next(events)
    assert (answer.text, answer.facts.model) == ("He", "tiny")
    assert list(events) == [Finished("Hello", "end")]
    assert (answer.text, answer.facts.status) == ("Hello", "complete")
    assert answer.facts.server == "http://scripted"
    assert answer.facts.parameters["seed"] == 1


def test_the_models_are_those_of_the_backend() -> None:
    session, _ = session_with()
    assert session.models() == [ModelInfo("llama-13b")]


# The turn is kept however the answer ends


def test_a_whole_answer_is_kept_as_a_complete_turn() -> None:
    session, backend = session_with(saying("Hello."))
    answer = session.ask(" Hi ", model="m", system="Be brief.", cell="a")
    list(answer)
    assert kept(session) == (
        Turn("Hi", "Hello.", "complete", cell="a", system="Be brief."),
    )
    assert backend.open == 0


def test_an_answer_that_the_server_stopped_is_kept_as_stopped() -> None:
    session, _ = session_with([TextDelta("Hel"), Finished("Hel", "stopped")])
    answered(session, "Hi")
    assert kept(session) == (Turn("Hi", "Hel", "stopped"),)


def test_an_answer_that_is_closed_is_kept_as_stopped() -> None:
    session, backend = session_with(saying("Hello."))
    answer = session.ask("Hi", model="m", cell="a")
    events = iter(answer)
    next(events)
    assert backend.open == 1
    events.close()  # type: ignore[attr-defined]
    assert backend.open == 0
    assert kept(session) == (Turn("Hi", "He", "stopped", cell="a"),)
    assert answer.facts.finish_reason == "stopped"


def test_an_interrupt_where_the_answer_is_read_keeps_it_as_stopped() -> None:
    session, backend = session_with(saying("Hello."))
    events = iter(session.ask("Hi", model="m"))
    next(events)
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert backend.open == 0
    assert kept(session) == (Turn("Hi", "He", "stopped"),)


def test_an_interrupt_inside_the_backend_keeps_it_as_stopped() -> None:
    session, backend = session_with([TextDelta("He"), KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        answered(session, "Hi")
    assert backend.open == 0
    assert kept(session) == (Turn("Hi", "He", "stopped"),)


@pytest.mark.parametrize("text", ["", "Hel"])
def test_an_answer_that_breaks_off_is_kept_as_failed(text: str) -> None:
    session, backend = session_with([TextDelta(text), IncompleteAnswerError("cut")])
    answer = session.ask("Hi", model="m")
    with pytest.raises(IncompleteAnswerError, match="cut"):
        list(answer)
    assert backend.open == 0
    assert answer.facts.status == "failed"
    assert kept(session) == (Turn("Hi", text, "failed"),)


@pytest.mark.parametrize(
    "error", [MissingExtraError("the server", "local"), ValueError("a bug")]
)
def test_any_other_error_of_the_backend_is_a_failure_and_no_stop(
    error: Exception,
) -> None:
    session, backend = session_with([TextDelta("Hel"), error])
    with pytest.raises(type(error)):
        answered(session, "Hi")
    assert backend.open == 0
    assert kept(session) == (Turn("Hi", "Hel", "failed"),)


class RefusingBackend(ScriptedBackend):
    """Fails when it is asked, before there is anything to iterate."""

    def stream(self, request: ChatRequest) -> Iterator[Event]:  # noqa: ARG002
        raise ConnectionFailedError("refused")


def test_a_backend_that_fails_at_once_keeps_a_failed_turn() -> None:
    session = Session(RefusingBackend())
    with pytest.raises(ConnectionFailedError, match="refused"):
        answered(session, "Hi", cell="a")
    assert kept(session) == (Turn("Hi", "", "failed", cell="a"),)


class StubbornBackend(ScriptedBackend):
    """Is interrupted a second time while it stops the server's work."""

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        try:
            yield from super().stream(request)
        finally:
            raise KeyboardInterrupt


def test_a_second_interrupt_while_it_closes_does_not_lose_the_turn() -> None:
    session = Session(StubbornBackend(saying("Hello.")))
    events = iter(session.ask("Hi", model="m"))
    next(events)
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert kept(session) == (Turn("Hi", "He", "stopped"),)


class ListBackend(ScriptedBackend):
    """Returns an iterator that has nothing to close."""

    def stream(self, request: ChatRequest) -> Iterator[Event]:  # noqa: ARG002
        return iter([TextDelta("a"), Finished("a", "end")])


def test_an_iterator_without_close_will_do() -> None:
    session = Session(ListBackend())
    assert answered(session, "Hi") == "a"
    assert kept(session) == (Turn("Hi", "a"),)


@pytest.mark.parametrize(
    "script",
    [
        [TextDelta("Hel"), BackendError("cut")],
        [TextDelta("Hel"), Finished("Hel", "stopped")],
    ],
)
def test_an_answer_that_is_not_whole_is_not_sent_as_context(
    script: list[Step],
) -> None:
    session, backend = session_with(script)
    with contextlib.suppress(BackendError):
        answered(session, "1?")
    answered(session, "2?")
    assert backend.requests[1].messages == (user("2?"),)


def test_an_answer_without_its_final_event_is_not_passed_off_as_whole() -> None:
    session, _ = session_with([TextDelta("Hel")])
    with pytest.raises(BackendError):
        answered(session, "Hi")
    assert kept(session) == (Turn("Hi", "Hel", "failed"),)


def test_a_run_of_a_cell_of_which_nothing_came_leaves_the_good_one() -> None:
    session, _ = session_with(saying("One."), [BackendError("down")])
    answered(session, "1?", cell="a")
    with pytest.raises(BackendError, match="down"):
        answered(session, "1?", cell="a")
    (turn,) = session.turns()
    assert (turn.question, turn.answer, turn.status) == ("1?", "One.", "complete")


def test_closing_gives_back_what_the_backend_holds() -> None:
    session, backend = session_with()
    session.close()
    assert backend.closed


def test_an_empty_model_is_refused_before_anything_is_sent() -> None:
    session, backend = session_with()
    with pytest.raises(ConfigurationError, match="name of a model"):
        session.ask("Hi", model=" ")
    assert backend.requests == []


def test_reset_forgets_the_turns() -> None:
    session, backend = session_with()
    answered(session, "1?", cell="a")
    answered(session, "2?", cell="b")
    assert session.reset() == 2
    assert session.turns() == ()
    answered(session, "3?", cell="a")
    assert backend.requests[2].messages == (user("3?"),)


def test_reset_of_a_new_session_forgets_nothing() -> None:
    session, _ = session_with()
    assert session.reset() == 0


# Threads


def test_threads_know_nothing_of_each_other() -> None:
    session, backend = session_with(saying("One."), saying("Two."), saying("Three."))
    answered(session, "1?")
    list(session.ask("2?", thread="ideas"))
    answered(session, "3?")
    assert backend.requests[1].messages == (user("2?"),)
    assert backend.requests[2].messages == (user("1?"), assistant("One."), user("3?"))
    assert [(t.name, t.turns) for t in session.threads()] == [("main", 2), ("ideas", 1)]


def test_the_current_thread_is_asked_where_no_other_is_named() -> None:
    session, _ = session_with()
    session.thread = "ideas"
    answered(session, "1?")
    assert [t.name for t in session.threads()] == ["ideas"]
    assert session.settings.origin("thread") == "this notebook"


@pytest.mark.parametrize("name", ["", " main", "-x", "a\nb", "x" * 61])
def test_a_name_that_no_thread_can_have_is_refused_everywhere(name: str) -> None:
    session, _ = session_with()
    answered(session, "1?")
    for act in (
        lambda: session.ask("?", thread=name),
        lambda: session.turns(name),
        lambda: session.fork(name),
        lambda: setattr(session, "thread", name),
    ):
        with pytest.raises(ConfigurationError, match="thread"):
            act()


def test_a_fork_goes_on_from_a_turn_and_leaves_the_first_as_it_is() -> None:
    session, backend = session_with(saying("One."), saying("Two."), saying("Dos."))
    answered(session, "1?")
    answered(session, "2?")
    assert session.fork("ideas", at=1) == 1
    list(session.ask("2, otherwise?", thread="ideas"))
    assert backend.requests[2].messages[:2] == (user("1?"), assistant("One."))
    assert [turn.answer for turn in session.turns("main")] == ["One.", "Two."]
    assert [turn.answer for turn in session.turns("ideas")] == ["One.", "Dos."]


# Editing


def test_turns_after_one_that_is_asked_again_are_marked() -> None:
    session, _ = session_with()
    for cell in "abc":
        answered(session, f"{cell}?", cell)
    answer = session.ask("b, but better?", cell="b")
    list(answer)
    assert [turn.outdated for turn in session.turns()] == [False, False, True]
    assert answer.facts.outdated_turns == 1
    answered(session, "c?", "c")
    assert not any(turn.outdated for turn in session.turns())


def test_that_turns_became_outdated_is_told_by_the_answer_that_made_them_so() -> None:
    session, _ = session_with()
    told = []
    for cell in "abcbba":
        answer = session.ask(f"{cell}?", cell=cell)
        list(answer)
        told.append(answer.facts.outdated_turns)
    assert told == [0, 0, 0, 1, 0, 1]
    assert [turn.outdated for turn in session.turns()] == [False, True, True]


def test_a_reset_can_be_taken_back_and_made_again() -> None:
    session, backend = session_with(saying("One."))
    answered(session, "1?")
    session.reset()
    change = session.undo()
    assert change is not None
    assert (change.kind, change.threads, change.turns) == ("reset", ("main",), 1)
    answered(session, "2?")
    assert backend.requests[1].messages[:2] == (user("1?"), assistant("One."))
    session.undo()
    session.undo()
    assert session.turns() == ()
    session.redo()
    assert [turn.question for turn in session.turns()] == ["1?"]


def test_a_retry_asks_under_what_the_turn_was_asked_under() -> None:
    session, backend = session_with(saying("One."), saying("Two."), saying("Deux."))
    answered(session, "1?")
    list(
        session.ask(
            "2?", model="falcon-7b", system="Be brief.", temperature=0.9, top_k=None
        )
    )
    session.configure(model="falcon-40b", system="Be long.", top_k=7)
    answer = session.retry(seed=5)
    assert answer.read() == "Deux."
    first, again = backend.requests[1:]
    assert (again.model, again.messages) == (first.model, first.messages)
    assert again.parameters == {**first.parameters, "seed": 5}
    assert [turn.answer for turn in session.turns()] == ["One.", "Deux."]


def test_a_turn_that_was_taken_out_is_not_sent() -> None:
    session, backend = session_with()
    answered(session, "1?")
    answered(session, "2?")
    assert session.drop(1).question == "1?"
    answered(session, "3?")
    assert backend.requests[2].messages == (user("2?"), assistant("Yes."), user("3?"))


def test_a_new_conversation_begins_where_a_question_says_so() -> None:
    session, backend = session_with()
    answered(session, "1?")
    list(session.ask("2?", new=True))
    answer = session.ask("3?")
    list(answer)
    assert backend.requests[1].messages == (user("2?"),)
    assert backend.requests[2].messages == (user("2?"), assistant("Yes."), user("3?"))
    assert (answer.facts.sent_turns, answer.facts.earlier_turns) == (1, 1)
    assert [turn.begins for turn in session.turns()] == [False, True, False]


def test_a_question_outside_sees_nothing_and_leaves_nothing() -> None:
    session, backend = session_with()
    answered(session, "1?")
    answer = session.ask("2?", history=False)
    list(answer)
    assert backend.requests[1].messages == (user("2?"),)
    assert not answer.facts.history
    assert [turn.question for turn in session.turns()] == ["1?"]


def test_a_cell_that_goes_outside_takes_its_turn_out() -> None:
    session, _ = session_with()
    answered(session, "1?", "a")
    answered(session, "2?", "b")
    list(session.ask("1?", cell="a", history=False))
    assert [turn.question for turn in session.turns()] == ["2?"]
    session.undo()
    assert [turn.question for turn in session.turns()] == ["1?", "2?"]


# The context that fits


class HoldingBackend(ScriptedBackend):
    """Says how much its model holds, and counts how often it is asked."""

    dialect = "gpt-gm"

    def __init__(self, context: int | None) -> None:
        super().__init__()
        self.context = context
        self.asked = 0

    def models(self) -> list[ModelInfo]:
        self.asked += 1
        return [ModelInfo("llama-13b", context=self.context)]


LONG = "x" * 1200


def with_long_turns(backend: ScriptedBackend, count: int) -> Session:
    session = Session(backend)
    for number in range(count):
        backend.scripts.append(saying(LONG))
        list(session.ask(f"{number}?", max_turns=0))
    return session


def test_what_is_sent_is_what_the_servers_model_holds() -> None:
    backend = HoldingBackend(2048)
    session = with_long_turns(backend, 6)
    answer = session.ask("more?", system="Be brief.")
    list(answer)
    sent = backend.requests[-1].messages
    assert sent[0] == system("Be brief.")
    assert [m.content for m in sent[1::2]] == ["4?", "5?", "more?"]
    assert (answer.facts.sent_turns, answer.facts.earlier_turns) == (2, 6)


def test_a_servers_silence_leaves_it_to_the_setting() -> None:
    backend = HoldingBackend(None)
    session = with_long_turns(backend, 6)
    list(session.ask("more?", context=2048))
    assert len(backend.requests[-1].messages) == 5
    backend.dialect = "openai"  # gpt-gm reads no more than its `truncate` says
    list(session.ask("more?", context=100_000))
    assert len(backend.requests[-1].messages) == 15


class UnreachedBackend(HoldingBackend):
    def models(self) -> list[ModelInfo]:
        super().models()
        raise ConnectionFailedError("refused")


def test_a_server_that_does_not_say_what_it_holds_is_asked_once() -> None:
    backend = UnreachedBackend(None)
    session = with_long_turns(backend, 2)
    for _ in range(3):
        list(session.ask("more?"))
    assert backend.asked == 1


def test_no_server_is_asked_what_it_holds_while_little_was_said() -> None:
    backend = HoldingBackend(2048)
    session = Session(backend)
    for number in range(5):
        answered(session, f"{number}?")
    assert backend.asked == 0
    assert len(backend.requests[-1].messages) == 9


def test_a_servers_count_of_tokens_lets_more_be_sent() -> None:
    backend = HoldingBackend(2048)
    session = with_long_turns(backend, 6)
    list(session.ask("more?", context=2048))
    few = len(backend.requests[-1].messages)
    size = sum(len(m.content) for m in backend.requests[-1].messages)
    backend.scripts.append([Usage(prompt_tokens=size // 6), Finished("ok", "end")])
    list(session.ask("and now?"))
    list(session.ask("and now?"))
    assert len(backend.requests[-1].messages) > few


def test_at_most_so_many_turns_are_sent_as_the_setting_says() -> None:
    session, backend = session_with()
    session.configure(max_turns=1)
    for number in range(4):
        answered(session, f"{number}?")
    assert backend.requests[3].messages == (user("2?"), assistant("Yes."), user("3?"))
    answer = session.ask("4?", max_turns=0)
    list(answer)
    assert backend.requests[4].messages == (user("4?"),)
    assert (answer.facts.sent_turns, answer.facts.earlier_turns) == (0, 4)


def test_turns_that_the_server_left_out_are_not_counted_as_sent() -> None:
    session, _ = session_with(
        saying("One."), saying("Two."), [Usage(dropped_turns=1), Finished("x", "end")]
    )
    answered(session, "1?")
    answered(session, "2?")
    answer = session.ask("3?")
    list(answer)
    assert (answer.facts.sent_turns, answer.facts.earlier_turns) == (1, 2)


def test_an_answer_that_is_not_whole_is_sent_when_asked_for() -> None:
    session, backend = session_with([TextDelta("Hel"), Finished("Hel", "stopped")])
    answered(session, "1?")
    list(session.ask("2?", send_partial=True))
    assert backend.requests[1].messages == (user("1?"), assistant("Hel"), user("2?"))


# Stopping from elsewhere


class WaitingBackend(ScriptedBackend):
    """Says two words, and waits between them for the test."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        self.requests.append(request)
        yield TextDelta("He")
        self.go_on.wait(30)
        yield TextDelta("llo")
        yield Finished("Hello", "end")


def test_an_answer_can_be_stopped_from_another_thread() -> None:
    backend = WaitingBackend()
    session = Session(backend)
    answer = session.ask("Hi")
    events = iter(answer)
    next(events)
    stopper = threading.Thread(target=answer.stop)
    stopper.start()
    stopper.join(30)
    backend.go_on.set()
    assert list(events) == []
    assert kept(session) == (Turn("Hi", "He", "stopped"),)


def test_the_text_so_far_is_in_the_record_while_it_streams() -> None:
    backend = WaitingBackend()
    session = Session(backend)
    events = iter(session.ask("Hi"))
    next(events)
    deadline = time.monotonic() + 30
    while session.turns()[0].answer != "He":
        assert time.monotonic() < deadline, "it was never saved"
        time.sleep(0.01)
    assert session.turns()[0].status == "incomplete"
    backend.go_on.set()
    list(events)
    assert session.turns()[0].status == "complete"


def test_an_answer_says_how_far_it_is() -> None:
    session, _ = session_with(saying("Hello."))
    answer = session.ask("Hi")
    assert "not asked yet" in repr(answer)
    assert answer.read() == "Hello."
    assert repr(answer) == "<Answer: complete, 6 characters>"
    with pytest.raises(MisuseError, match="once"):
        answer.read()


# Settings


def test_settings_hold_until_an_option_says_otherwise() -> None:
    session, backend = session_with()
    session.configure(model="falcon-7b", temperature=0.1)
    answered_with_defaults = session.ask("1?")
    list(answered_with_defaults)
    list(session.ask("2?", model="falcon-40b", temperature=0.9))
    first, second = backend.requests
    assert (first.model, first.parameters["temperature"]) == ("falcon-7b", 0.1)
    assert (second.model, second.parameters["temperature"]) == ("falcon-40b", 0.9)


def test_settings_are_changed_together_or_not_at_all() -> None:
    session, _ = session_with()
    with pytest.raises(ConfigurationError, match="temperature"):
        session.configure(model="falcon-7b", temperature=-1)
    assert session.settings["model"] == "llama-13b"


def test_an_unknown_option_is_refused_with_the_nearest() -> None:
    session, backend = session_with()
    with pytest.raises(ConfigurationError, match="temperature"):
        session.ask("Hi", temprature=1)
    assert backend.requests == []


def test_another_server_is_connected_by_the_setting() -> None:
    made: list[str] = []

    def connect(server: str) -> Backend:
        made.append(server)
        return ScriptedBackend(saying(f"From {server or 'here'}."))

    session = Session(connect=connect)
    assert session.ask("1?").read() == "From here."
    session.configure(server="http://there")
    assert session.ask("2?").read() == "From http://there."
    assert made == ["", "http://there"]
    assert [turn.question for turn in session.turns()] == ["1?", "2?"]


# Files


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".ipynb"])
def test_what_is_exported_comes_back_the_same(tmp_path: Path, suffix: str) -> None:
    session, _ = session_with(saying("One."), [TextDelta("Tw"), BackendError("cut")])
    answered(session, "1?", "a")
    with pytest.raises(BackendError):
        list(session.ask("2?", cell="b", system="Be brief.", thread="ideas"))
    file = tmp_path / f"chat{suffix}"
    assert session.export(file, everything=True) == 2
    other, _ = session_with()
    threads = other.import_file(file)
    assert [t.name for t in threads] == ["main", "ideas"]
    for name in ("main", "ideas"):
        assert other.turns(name) == session.turns(name)


def test_imported_threads_get_names_that_are_free(tmp_path: Path) -> None:
    session, _ = session_with()
    answered(session, "1?")
    session.export(tmp_path / "chat.json")
    assert [t.name for t in session.import_file(tmp_path / "chat.json")] == ["main-2"]
    assert [t.name for t in session.import_file(tmp_path / "chat.json")] == ["main-3"]
    (thread,) = session.import_file(tmp_path / "chat.json", thread="mine")
    assert thread.name == "mine"
    with pytest.raises(ConfigurationError, match="mine"):
        session.import_file(tmp_path / "chat.json", thread="mine")
    change = session.undo("mine")
    assert change is not None
    assert change.kind == "import"
    assert session.turns("mine") == ()


def test_a_file_is_not_overwritten_unless_told(tmp_path: Path) -> None:
    session, _ = session_with()
    answered(session, "1?")
    file = tmp_path / "chat.md"
    file.write_text("mine")
    with pytest.raises(ConfigurationError, match="exists already"):
        session.export(file)
    assert file.read_text() == "mine"
    session.export(file, overwrite=True)
    assert "1?" in file.read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["chat.md"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("chat.json", b"{", "chat.json"),
        ("chat.json", b"\xff\xfe", "UTF-8"),
        ("chat.txt", b"x", r"\.json"),
        ("chat.md", b"x", "cannot be imported"),
        ("gone.json", None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_taken_up_changes_nothing(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    session, _ = session_with()
    answered(session, "1?")
    before = session.turns()
    with pytest.raises(ConfigurationError, match=words) as caught:
        session.import_file(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert session.turns() == before
    assert len(session.threads()) == 1


def test_nothing_is_written_of_an_empty_thread(tmp_path: Path) -> None:
    session, _ = session_with()
    with pytest.raises(ConfigurationError, match="no turn to export"):
        session.export(tmp_path / "chat.md")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.ask(None),
        lambda s: s.ask("?", cell=3),
        lambda s: s.ask("?", new=True, history=False),
        lambda s: s.turns(last=2.5),
        lambda s: s.turns(3),
        lambda s: s.turn("1"),
        lambda s: s.drop(1.5),
        lambda s: s.drop(True),
        lambda s: s.fork("n", at="x"),
        lambda s: s.export(3),
        lambda s: s.import_file(None),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line_and_costs_nothing(
    tmp_path: Path, call: Callable[[Any], object]
) -> None:
    record = Record(tmp_path / "store.db", "file:/chat.ipynb")
    session = Session(ScriptedBackend(), record=record)
    answered(session, "1?")
    with pytest.raises(ConfigurationError) as caught:
        call(session)
    assert "\n" not in str(caught.value)
    assert record.path == tmp_path / "store.db"
    assert len(session.turns()) == 1


def test_turns_are_counted_by_how_they_ended() -> None:
    session, _ = session_with(saying("Yes."), [TextDelta("Hel"), BackendError("cut")])
    answered(session, "1?")
    with pytest.raises(BackendError):
        answered(session, "2?")
    assert session.counts() == {
        "complete": 1,
        "stopped": 0,
        "failed": 1,
        "incomplete": 0,
    }


def test_turns_left_out_because_they_are_not_whole_are_counted() -> None:
    session, _ = session_with([TextDelta("Hel"), Finished("Hel", "stopped")])
    answered(session, "1?")
    answered(session, "2?")
    answer = session.ask("3?")
    answer.read()
    facts = answer.facts
    assert (facts.sent_turns, facts.earlier_turns, facts.unfinished_turns) == (1, 2, 1)


# The form of an answer


def test_a_schema_is_sent_and_told_in_words() -> None:
    session, backend = session_with(saying('{"age": 3}'))
    session.ask("?", format="json", schema={"type": "object"}).read()
    (request,) = backend.requests
    assert request.schema == {"type": "object"}
    assert request.messages[0].role == "system"
    assert '{"type": "object"}' in request.messages[0].content
    assert session.turns()[0].system == ""


class PickyBackend(ScriptedBackend):
    """Cannot hold an answer to any schema."""

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        if request.schema is not None:
            self.requests.append(request)
            raise GenerationError("no such grammar", error_type="validation")
        yield from super().stream(request)


def test_a_server_that_cannot_hold_to_a_schema_is_asked_in_words() -> None:
    backend = PickyBackend(saying("{}"))
    session = Session(backend)
    answer = session.ask("?", schema={"type": "object", "not": {}})
    assert answer.read() == "{}"
    assert [request.schema is None for request in backend.requests] == [False, True]


def test_reasoning_is_no_part_of_the_answer() -> None:
    session, _ = session_with(saying("<think>hm</think>Yes."))
    answer = session.ask("?")
    assert answer.read() == "Yes."
    assert answer.reasoning == "hm"
    assert session.turns()[0].answer == "Yes."


def test_a_preview_sends_nothing_and_keeps_nothing() -> None:
    session, backend = session_with(saying("One."))
    answered(session, "1?")
    shown = session.preview("2?", system="Be brief.", seed=7)
    assert shown.messages == (
        system("Be brief."),
        user("1?"),
        assistant("One."),
        user("2?"),
    )
    assert (shown.body["seed"], shown.counted, shown.sent) == (7, False, 1)
    assert len(backend.requests) == 1
    assert len(session.turns()) == 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"new": True},
        {"history": False},
        {"cell": "first"},
        {"cell": "first", "new": True},
        {"cell": None},
        {"schema": {"type": "object"}, "format": "json"},
        {"format": "table", "temperature": 0.9},
        {"thread": "other", "system": "Be brief.", "max_turns": 1},
    ],
)
def test_a_preview_is_what_the_next_question_sends(options: dict[str, Any]) -> None:
    backend = ScriptedBackend()
    keys = iter(["first", "second", "third", "first"])
    session = Session(
        backend, cells=lambda *_: next(keys), coming_cells=lambda *_: "first"
    )
    for question in ("1?", "2?", "3?"):  # the last cell is the first one again
        session.ask(question).read()
    turns = session.turns()
    shown = session.preview("4?", **options)
    assert session.turns() == turns
    assert len(backend.requests) == 3
    session.ask("4?", **options).read()
    sent = backend.requests[-1]
    assert shown.messages == sent.messages
    schema = {} if sent.schema is None else {"schema": sent.schema}
    assert shown.body == {**sent.parameters, **schema}
    assert shown.model == sent.model


def test_extra_is_kept_with_its_turn_and_shown_in_a_preview() -> None:
    session, backend = session_with(saying("One."), saying("Two."))
    extra = {"any": [1, {"b": None}]}
    session.ask("1?", extra=extra, reasoning_effort="none").read()
    given = {"reasoning_effort": "none", "extra": extra}
    assert session.turns()[0].facts["parameters"] == given
    session.retry().read()
    assert [sent.parameters for sent in backend.requests] == [given, given]
    shown = preview_plain(session.preview("2?", extra=extra))
    assert json.loads(shown[shown.index("{") : shown.rindex("}") + 1]) == {
        "extra": extra
    }
    with pytest.raises(ConfigurationError, match="`extra` must be a JSON object"):
        session.ask("2?", extra="any")


def test_a_preview_cannot_begin_outside_the_conversation() -> None:
    session, _ = session_with()
    for ask in (session.ask, session.preview):
        with pytest.raises(ConfigurationError, match="got both"):
            ask("1?", new=True, history=False)


def test_a_retry_sets_nothing_that_was_not_set() -> None:
    session, backend = session_with()
    session.ask("q", top_p=0.5, cell=None).read()
    session.configure(top_k=7)
    session.retry(seed=1).read()
    assert backend.requests[-1].parameters == {"top_p": 0.5, "seed": 1}


#: What version 0.4 kept with each turn: the defaults that it sent, too.
OF_VERSION_0_4 = {
    "temperature": 0.4,
    "repetition_penalty": 1.2,
    "max_new_tokens": 1024,
    "truncate": 2048,
    "do_sample": True,
    "return_full_text": False,
}


def test_a_retry_of_a_turn_of_an_earlier_version_sets_only_what_somebody_had_set() -> (
    None
):
    session, backend = session_with()
    kept = {"parameters": OF_VERSION_0_4 | {"temperature": 0.9, "seed": 3}}
    session.record.add([Thread("main", (Turn("q", "a", facts=kept),))])
    session.retry().read()
    assert backend.requests[-1].parameters == {"temperature": 0.9, "seed": 3}
    session.retry(temperature=0).read()
    assert backend.requests[-1].parameters == {"temperature": 0.0, "seed": 3}


def test_an_option_of_greedy_or_sampled_answers_goes_before_the_other_for_all() -> None:
    session, backend = session_with()
    session.configure(do_sample=True)
    session.ask("q", temperature=0).read()
    assert backend.requests[-1].parameters == {"temperature": 0.0}
    session.configure(do_sample=None, temperature=0)
    session.ask("q", do_sample=True).read()
    assert backend.requests[-1].parameters == {"do_sample": True}
    with pytest.raises(ParameterError, match="leave one out"):
        session.ask("q", temperature=0, do_sample=True)


class Recommending(ScriptedBackend):
    """A local server that recommends a system text."""

    def model(self, name: str = "") -> ModelInfo:
        return ModelInfo(name or "small", system="Be correct.")


def recommending() -> tuple[Session, Recommending]:
    backend = Recommending()
    return Session(connect=lambda _: backend), backend


def test_the_recommended_system_text_is_sent_where_nobody_set_one() -> None:
    session, backend = recommending()
    session.ask("q").read()
    assert backend.requests[-1].messages == (system("Be correct."), user("q"))
    session.ask("q", format="text", new=True).read()
    head = backend.requests[-1].messages[0]
    assert head.content == ("Be correct.\n\nAnswer in plain text, without Markdown.")
    assert [turn.system for turn in session.turns()] == ["", ""]
    assert session.preview("q", new=True).messages[0] == system("Be correct.")


def test_an_empty_system_text_is_a_choice_for_none() -> None:
    session, backend = recommending()
    session.ask("q", system="").read()
    assert backend.requests[-1].messages == (system(""), user("q"))
    session.retry().read()
    assert backend.requests[-1].messages[0] == system("Be correct.")
    session.ask("q", system="Be brief.", new=True).read()
    assert backend.requests[-1].messages[0] == system("Be brief.")


class Refusing(ScriptedBackend):
    """Refuses a parameter before it sends anything, as other dialects do."""

    dialect = "openai"

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        if "top_k" in request.parameters:
            raise ParameterError("`top_k` cannot be sent: leave it out")
        return super().stream(request)


def test_a_question_that_was_not_sent_leaves_no_trace() -> None:
    backend = Refusing(saying("One."), saying("Two."))
    session = Session(backend)
    session.ask("1?", cell="a").read()
    before = session.turns()
    with pytest.raises(ParameterError):
        session.ask("2?", top_k=5, cell="b").read()
    with pytest.raises(ParameterError):
        session.retry(top_k=5).read()
    with pytest.raises(ParameterError):
        session.ask("edited?", top_k=5, cell="a").read()
    assert session.turns() == before
    assert session.retry().read() == "Two."
    change = session.undo()
    assert change is not None
    assert change.kind == "replace"
    assert session.turns() == before


@pytest.mark.parametrize(
    "failure", [BackendError("down"), KeyboardInterrupt(), ConnectionFailedError("no")]
)
def test_a_question_of_which_nothing_came_takes_no_answer_away(
    failure: BaseException,
) -> None:
    session, _ = session_with(saying("One."), [failure], [failure])
    session.ask("1?", cell="a").read()
    before = session.turns()
    with pytest.raises(type(failure)):
        session.ask("1?", cell="a").read()
    assert session.turns() == before
    with pytest.raises(type(failure)):
        session.ask("2?", cell="b").read()  # this one is there to be tried again
    assert [turn.question for turn in session.turns()] == ["1?", "2?"]
    assert session.turns()[1].status in ("failed", "stopped")


def test_a_failed_answer_with_text_takes_the_place_of_the_old_one() -> None:
    session, _ = session_with(saying("One."), [TextDelta("Half"), BackendError("down")])
    session.ask("1?", cell="a").read()
    with pytest.raises(BackendError):
        session.ask("1?", cell="a").read()
    assert [(t.answer, t.status) for t in session.turns()] == [("Half", "failed")]


def test_only_gpt_gm_makes_the_room_smaller_by_its_truncate() -> None:
    class Large(ScriptedBackend):
        def models(self) -> list[ModelInfo]:
            return [ModelInfo("llama-13b", context=131_072)]

    def sent(dialect: str) -> list[int]:
        backend = Large(*(saying("word " * 900) for _ in range(4)))
        backend.dialect = dialect  # type: ignore[attr-defined]
        session = Session(backend)
        for number in range(4):
            session.ask(f"{number} " + "word " * 900, cell=None).read()
        return [len(request.messages) for request in backend.requests]

    assert sent("openai") == [1, 3, 5, 7]
    assert sent("gpt-gm") == [1, 1, 1, 1]


def test_a_parameter_that_was_set_to_none_is_not_sent() -> None:
    session, backend = session_with()
    session.configure(top_k=5)
    session.configure(top_k=None)
    session.ask("q", temperature=None, cell=None).read()
    assert backend.requests[-1].parameters == {}


# What answers


DEMO = Source("llama-13b", "built-in demo weights", demo=True)


def test_only_the_first_answer_of_demo_weights_tells_what_they_are() -> None:
    real = Source("llama-13b", "llama Q4_0")
    session, _ = session_with(
        [real, *saying("0.")],
        [DEMO, *saying("1.")],
        [DEMO, *saying("2.")],
        [DEMO, *saying("3.")],
    )
    told = []
    for options in ({}, {"history": False}, {}, {"history": False}):
        answer = session.ask("?", **options)
        answer.read()
        told.append((answer.facts.demo, answer.facts.demo_told))
    assert told == [(False, False), (True, False), (True, True), (True, True)]


def test_a_model_that_stood_in_is_in_the_facts_and_in_the_record() -> None:
    other = Source("smollm2-135m", "SmolLM2 Q4_1", stands_in_for="llama-13b")
    session, _ = session_with([other, *saying("Yes.")])
    answer = session.ask("?", model="llama-13b")
    answer.read()
    assert (answer.facts.model, answer.facts.stands_in_for) == (
        "smollm2-135m",
        "llama-13b",
    )
    (turn,) = session.turns()
    assert turn.model == "llama-13b"  # a retry asks for it again
    assert turn.facts["stands_in_for"] == "llama-13b"


class WithBest(ScriptedBackend):
    """A server that says which of its models is the best."""

    best = "smollm2-135m"

    def model(self, name: str = "") -> ModelInfo | None:
        return ModelInfo(name or self.best, system=f"for {name or self.best}")


def of_local(backend: Backend) -> Session:
    """Return a session whose local server is reached by `backend`."""
    return Session(connect=lambda _: backend)


def model_and_origin(session: Session) -> tuple[object, str]:
    return session.settings["model"], session.settings.origin("model")


def test_where_nobody_chose_a_model_the_best_one_here_answers() -> None:
    backend = WithBest()
    session = of_local(backend)
    session.ask("1?").read()
    assert model_and_origin(session) == ("smollm2-135m", "the best on this machine")
    backend.best = "danube3-4b"  # it was pulled meanwhile
    session.ask("2?").read()
    assert model_and_origin(session) == ("danube3-4b", "the best on this machine")
    backend.best = "llama-13b"  # all were removed
    session.ask("3?").read()
    assert model_and_origin(session) == ("llama-13b", "default")
    assert [request.model for request in backend.requests] == [
        "smollm2-135m",
        "danube3-4b",
        "llama-13b",
    ]


def test_a_model_that_somebody_chose_is_asked_for_whatever_is_here() -> None:
    backend = WithBest()
    session = of_local(backend)
    session.ask("1?", model="falcon-7b").read()
    session.configure(model="llama-13b")
    session.ask("2?").read()
    assert [request.model for request in backend.requests] == ["falcon-7b", "llama-13b"]
    assert model_and_origin(session) == ("llama-13b", "Python")


def test_a_server_that_does_not_say_what_is_best_does_not_hold_a_question_up() -> None:
    class Silent(ScriptedBackend):
        def model(self, name: str = "") -> ModelInfo | None:
            raise ConnectionFailedError(f"refused to tell of {name!r}")

    backend = Silent()
    session = of_local(backend)
    assert session.ask("1?").read() == "Yes."
    assert [request.model for request in backend.requests] == ["llama-13b"]


def test_the_current_model_is_described_by_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = of_local(WithBest())
    monkeypatch.setattr("h2o_magic.backends.local.locate.find_running", lambda: None)
    assert session.current_model() is None  # nothing is started to find it out
    monkeypatch.setattr("h2o_magic.backends.local.locate.find_running", object)
    found = session.current_model()
    assert found == ModelInfo("smollm2-135m", system="for smollm2-135m")
    session.configure(model="falcon-7b")
    found = session.current_model()
    assert found is not None
    assert found.name == "falcon-7b"
