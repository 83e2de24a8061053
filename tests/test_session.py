import contextlib
from collections.abc import Iterator

import pytest

from h2o_magic.backends import Backend, ChatRequest, ModelInfo
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    IncompleteAnswerError,
    MessagesError,
    MissingExtraError,
    ParameterError,
)
from h2o_magic.events import Event, Finished, Source, TextDelta, Usage
from h2o_magic.messages import Conversation, Turn, assistant, system, user
from h2o_magic.session import NotebookSession

Step = Event | BaseException


class ScriptedBackend:
    """Plays one script for each question; an exception in it is raised."""

    url = "http://scripted"

    def __init__(self, *scripts: list[Step]) -> None:
        self.scripts = list(scripts)
        self.requests: list[ChatRequest] = []
        self.open = 0
        self.forgotten: list[str] = []
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

    def forget(self, chat: str) -> None:
        self.forgotten.append(chat)

    def close(self) -> None:
        self.closed = True


def saying(text: str) -> list[Step]:
    return [TextDelta(text[:2]), TextDelta(text[2:]), Finished(text, "end")]


def session_with(*scripts: list[Step]) -> tuple[NotebookSession, ScriptedBackend]:
    backend = ScriptedBackend(*scripts)
    checked: Backend = backend
    return NotebookSession(checked), backend


def answered(session: NotebookSession, question: str, cell: str | None = None) -> str:
    answer = session.ask(question, model="llama-13b", cell=cell)
    for _ in answer:
        pass
    return answer.text


# What is sent


def test_nothing_is_sent_before_the_answer_is_iterated() -> None:
    session, backend = session_with()
    session.ask("Hi", model="llama-13b")
    assert backend.requests == []
    assert session.conversation == Conversation()


def test_a_question_is_sent_with_the_settings_it_was_asked_under() -> None:
    session, backend = session_with()
    answer = session.ask(
        "  Hi \n",
        model="falcon-7b",
        system_text="Be brief.",
        parameters={"temperature": 1, "seed": 7, "max_new_tokens": None},
        strict=True,
    )
    list(answer)
    (request,) = backend.requests
    assert request.messages == (system("Be brief."), user("Hi"))
    assert (request.model, request.strict) == ("falcon-7b", True)
    assert request.parameters["temperature"] == 1.0
    assert request.parameters["seed"] == 7
    assert request.parameters["truncate"] == 2048
    assert "max_new_tokens" not in request.parameters


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
    assert session.conversation == Conversation()


def test_a_refused_parameter_is_refused_before_it_is_sent() -> None:
    session, backend = session_with()
    with pytest.raises(ParameterError, match="top_p"):
        session.ask("Hi", model="llama-13b", parameters={"top_p": 1})
    assert backend.requests == []
    assert session.conversation == Conversation()


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


def test_all_questions_of_a_conversation_belong_to_one_chat() -> None:
    session, backend = session_with()
    answered(session, "1?")
    answered(session, "2?")
    first, second = backend.requests
    assert first.chat == second.chat


def test_two_sessions_have_chats_of_their_own() -> None:
    backend = ScriptedBackend()
    answered(NotebookSession(backend), "Hi")
    answered(NotebookSession(backend), "Hi")
    assert backend.requests[0].chat != backend.requests[1].chat


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
    assert [turn.cell for turn in session.conversation.turns] == ["a", "b"]


def test_a_new_backend_goes_on_with_the_conversation() -> None:
    session, _ = session_with(saying("One."))
    answered(session, "1?")
    session.backend = other = ScriptedBackend()
    answered(session, "2?")
    assert other.requests[0].messages == (user("1?"), assistant("One."), user("2?"))


# What comes back


def test_the_events_come_through_as_the_backend_yields_them() -> None:
    script: list[Step] = [Source("tiny"), TextDelta("a"), Usage(1, 2), Finished("a")]
    session, _ = session_with(script)
    assert list(session.ask("Hi", model="m")) == script


def test_the_answer_has_its_text_and_facts_while_it_comes() -> None:
    session, _ = session_with(
        [Source("tiny", "demo", demo=True), TextDelta("He"), Finished("Hello", "end")]
    )
    answer = session.ask("Hi", model="m", parameters={"seed": 1})
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
    answer = session.ask(" Hi ", model="m", system_text="Be brief.", cell="a")
    list(answer)
    assert session.conversation.turns == (
        Turn("Hi", "Hello.", "complete", cell="a", system="Be brief."),
    )
    assert backend.open == 0


def test_an_answer_that_the_server_stopped_is_kept_as_stopped() -> None:
    session, _ = session_with([TextDelta("Hel"), Finished("Hel", "stopped")])
    answered(session, "Hi")
    assert session.conversation.turns == (Turn("Hi", "Hel", "stopped"),)


def test_an_answer_that_is_closed_is_kept_as_stopped() -> None:
    session, backend = session_with(saying("Hello."))
    answer = session.ask("Hi", model="m", cell="a")
    events = iter(answer)
    next(events)
    assert backend.open == 1
    events.close()  # type: ignore[attr-defined]
    assert backend.open == 0
    assert session.conversation.turns == (Turn("Hi", "He", "stopped", cell="a"),)
    assert answer.facts.finish_reason == "stopped"


def test_an_interrupt_where_the_answer_is_read_keeps_it_as_stopped() -> None:
    session, backend = session_with(saying("Hello."))
    events = iter(session.ask("Hi", model="m"))
    next(events)
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert backend.open == 0
    assert session.conversation.turns == (Turn("Hi", "He", "stopped"),)


def test_an_interrupt_inside_the_backend_keeps_it_as_stopped() -> None:
    session, backend = session_with([TextDelta("He"), KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        answered(session, "Hi")
    assert backend.open == 0
    assert session.conversation.turns == (Turn("Hi", "He", "stopped"),)


@pytest.mark.parametrize("text", ["", "Hel"])
def test_an_answer_that_breaks_off_is_kept_as_failed(text: str) -> None:
    session, backend = session_with([TextDelta(text), IncompleteAnswerError("cut")])
    answer = session.ask("Hi", model="m")
    with pytest.raises(IncompleteAnswerError, match="cut"):
        list(answer)
    assert backend.open == 0
    assert answer.facts.status == "failed"
    assert session.conversation.turns == (Turn("Hi", text, "failed"),)


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
    assert session.conversation.turns == (Turn("Hi", "Hel", "failed"),)


class RefusingBackend(ScriptedBackend):
    """Fails when it is asked, before there is anything to iterate."""

    def stream(self, request: ChatRequest) -> Iterator[Event]:  # noqa: ARG002
        raise ConnectionFailedError("refused")


def test_a_backend_that_fails_at_once_keeps_a_failed_turn() -> None:
    session = NotebookSession(RefusingBackend())
    with pytest.raises(ConnectionFailedError, match="refused"):
        answered(session, "Hi", cell="a")
    assert session.conversation.turns == (Turn("Hi", "", "failed", cell="a"),)


class StubbornBackend(ScriptedBackend):
    """Is interrupted a second time while it stops the server's work."""

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        try:
            yield from super().stream(request)
        finally:
            raise KeyboardInterrupt


def test_a_second_interrupt_while_it_closes_does_not_lose_the_turn() -> None:
    session = NotebookSession(StubbornBackend(saying("Hello.")))
    events = iter(session.ask("Hi", model="m"))
    next(events)
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert session.conversation.turns == (Turn("Hi", "He", "stopped"),)


class ListBackend(ScriptedBackend):
    """Returns an iterator that has nothing to close."""

    def stream(self, request: ChatRequest) -> Iterator[Event]:  # noqa: ARG002
        return iter([TextDelta("a"), Finished("a", "end")])


def test_an_iterator_without_close_will_do() -> None:
    session = NotebookSession(ListBackend())
    assert answered(session, "Hi") == "a"
    assert session.conversation.turns == (Turn("Hi", "a"),)


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
    assert session.conversation.turns == (Turn("Hi", "Hel", "failed"),)


def test_a_failed_run_of_a_cell_takes_the_place_of_the_good_one() -> None:
    session, _ = session_with(saying("One."), [BackendError("down")])
    answered(session, "1?", cell="a")
    with pytest.raises(BackendError, match="down"):
        answered(session, "1?", cell="a")
    assert session.conversation.turns == (Turn("1?", "", "failed", cell="a"),)


# reset


def test_reset_gives_back_the_chat_on_the_server() -> None:
    session, backend = session_with()
    answered(session, "Hi")
    session.reset()
    assert backend.forgotten == [backend.requests[0].chat]


def test_closing_gives_back_what_the_backend_holds() -> None:
    session, backend = session_with()
    session.close()
    assert backend.closed


def test_an_empty_model_is_refused_before_anything_is_sent() -> None:
    session, backend = session_with()
    with pytest.raises(ConfigurationError, match="name of a model"):
        session.ask("Hi", model=" ")
    assert backend.requests == []


def test_reset_forgets_the_turns_and_begins_a_new_chat() -> None:
    session, backend = session_with()
    answered(session, "1?", cell="a")
    answered(session, "2?", cell="b")
    assert session.reset() == 2
    assert session.conversation == Conversation()
    answered(session, "3?", cell="a")
    assert backend.requests[2].messages == (user("3?"),)
    assert backend.requests[2].chat != backend.requests[0].chat


def test_reset_of_a_new_session_forgets_nothing() -> None:
    session, _ = session_with()
    assert session.reset() == 0
