"""Several models asked in one cell: a real server, a real shell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import h2o_magic
from h2o_magic.conversation.notifications import ThreadChanged
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.interrupts import AnswerStopped
from h2o_magic.prompts.prompt import Prompt
from h2o_magic.rendering.answer_text import AnswerText
from tests.backends.scripted import ScriptedServer
from tests.by_question import ENDLESS, Steps, answering
from tests.shells import ipython

Script = dict[str, Steps | int]


@pytest.fixture(scope="module")
def script() -> Script:
    """What each model answers; a test changes it."""
    return {}


@pytest.fixture(scope="module")
def server(script: Script) -> Iterator[ScriptedServer]:
    with answering(script) as running:
        yield running


@pytest.fixture
def shell(
    home: Path, server: ScriptedServer, script: Script
) -> Iterator[InteractiveShell]:
    script.clear()
    script.update(a=["answer of a"], b=["answer of b"], c=["answer of c"])
    server.requests.clear()
    with ipython() as made:
        made.run_line_magic("load_ext", "h2o_magic")
        made.run_line_magic("config", f"H2OMagics.server = '{server.url}'")
        yield made
        made.run_line_magic("unload_ext", "h2o_magic")


@pytest.fixture
def session(shell: InteractiveShell) -> Session:
    return h2o_magic.session()


def asked(server: ScriptedServer) -> dict[str, Any]:
    """Return the messages that each model was sent last."""
    return {
        request.json["model"]: request.json["messages"]
        for request in server.requests
        if request.path.endswith("/chat/completions")
    }


def ask(shell: InteractiveShell, line: str, question: str = "hi") -> Any:
    return shell.run_cell(f"%%h2o {line}\n{question}").raise_error()


def test_each_model_answers_in_a_dict(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(shell, "--model a,b,c --out said")
    said = shell.user_ns["said"]
    assert said == {m: f"answer of {m}" for m in "abc"}
    assert all(isinstance(text, AnswerText) for text in said.values())
    assert [text.model for text in said.values()] == ["m"] * 3
    shown = capsys.readouterr().out
    heads = {"a": "a ✓", "b": "b", "c": "c"}
    places = [shown.index(f"── {heads[m]} ──\n\nanswer of {m}\n\n[") for m in "abc"]
    assert places == sorted(places)


def test_all_are_sent_the_same_history_and_are_versions_of_one_turn(
    shell: InteractiveShell, server: ScriptedServer, session: Session
) -> None:
    ask(shell, "--model c", "before")
    ask(shell, "--model a,b,c")
    sent = asked(server)
    assert sent["a"] == sent["b"] == sent["c"]
    assert [m["content"] for m in sent["a"]] == ["before", "answer of c", "hi"]
    assert [turn.answer for turn in session.turns()] == ["answer of c", "answer of a"]
    versions = session.versions(2)
    assert {turn.answer for turn in versions.turns} == {f"answer of {m}" for m in "abc"}
    assert versions.turns[versions.chosen - 1].model == "a"


def test_the_conversation_goes_on_with_the_first_or_the_one_that_is_used(
    shell: InteractiveShell, server: ScriptedServer
) -> None:
    ask(shell, "--model a,b", "first")
    ask(shell, "--model a,b --use b", "second")
    ask(shell, "--model c", "third")
    contents = [message["content"] for message in asked(server)["c"]]
    assert contents == ["first", "answer of a", "second", "answer of b", "third"]


def test_a_cell_that_only_uses_another_answer_asks_nothing(
    session: Session, server: ScriptedServer
) -> None:
    group = session.ask_side_by_side("hi", ["a", "b"], cell="c1")
    group.ask()
    turns = group.earlier()
    assert [turn.answer for turn in turns] == ["answer of a", "answer of b"]
    group.go_on_with(turns[1])
    assert session.turn(1).answer == "answer of b"
    assert session.turn(1).cell == "c1"
    again = session.ask_side_by_side("hi", ["b", "a"], cell="c1").earlier()
    assert [turn.answer for turn in again] == ["answer of b", "answer of a"]


CHANGED = {
    "another model": {"models": ["a", "c"]},
    "another question": {"question": "ho"},
    "another system text": {"system": "be brief"},
    "another parameter": {"temperature": 0.5},
    "another value": {"question": Prompt("hi", ("hi there",))},
}


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_answers_to_something_else_are_not_used(
    session: Session, changed: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {"question": "hi", "models": ["a", "b"], "cell": "c1"}
    session.ask_side_by_side(**asked).ask()
    assert len(session.ask_side_by_side(**asked).earlier()) == 2
    assert session.ask_side_by_side(**(asked | changed)).earlier() == []


def test_all_stream_at_the_same_time(session: Session, script: Script) -> None:
    gate = threading.Event()
    script.update({m: [f"{m} begins", gate, " and ends"] for m in "abc"})
    begun = threading.Barrier(4, timeout=30)
    group = session.ask_side_by_side("hi", ["a", "b", "c"])
    seen: set[int] = set()

    def tell(number: int, event: object) -> None:
        if number not in seen:
            seen.add(number)
            begun.wait()

    reading = threading.Thread(target=group.ask, args=(tell,))
    reading.start()
    begun.wait()  # each has begun, and none can have ended
    assert len(session.coming()) == 1
    gate.set()
    reading.join()
    assert [answer.text for answer in group.answers] == [
        f"{m} begins and ends" for m in "abc"
    ]


def test_nobody_is_asked_in_the_thread_before_the_last_has_ended(
    session: Session, script: Script, server: ScriptedServer
) -> None:
    gate, ended = threading.Event(), threading.Event()
    script["b"] = ["late", gate]
    group = session.ask_side_by_side("hi", ["a", "b"])

    def tell(number: int, event: object) -> None:
        if event is None and number == 1:
            ended.set()

    reading = threading.Thread(target=group.ask, args=(tell,))
    reading.start()
    while not group.answers[0].text:
        pass
    later = session.ask_later("later", model="c")
    assert later.waits
    gate.set()
    reading.join()
    assert later.wait(30)
    contents = [message["content"] for message in asked(server)["c"]]
    assert contents == ["hi", "answer of a", "later"]


@pytest.mark.parametrize("failing", ["a", "b"])
def test_an_error_of_one_stands_in_its_column(
    shell: InteractiveShell,
    script: Script,
    session: Session,
    failing: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script[failing] = 400
    ask(shell, "--model a,b --out said")
    other = {"a": "b", "b": "a"}[failing]
    said = shell.user_ns["said"]
    assert said[other] == f"answer of {other}"
    assert "no such luck" in said[failing].error
    assert f"── {failing} ──\n\n■ " in capsys.readouterr().out
    assert [turn.answer for turn in session.turns()] == [f"answer of {other}"]


def test_the_others_go_on_when_the_first_has_failed(
    session: Session, script: Script
) -> None:
    gate = threading.Event()
    script.update(a=400, b=["b begins", gate, " and ends"])
    group = session.ask_side_by_side("hi", ["a", "b"])

    def go_on(told: object) -> None:
        if isinstance(told, ThreadChanged):  # the turn of `a` was taken back
            gate.set()

    end = session.listen(go_on)
    group.ask()
    end()
    assert group.answers[1].text == "b begins and ends"
    assert session.turn(1).answer == "b begins and ends"
    with pytest.raises(ConfigurationError, match="a has no complete answer"):
        group.use("a")


def test_an_error_of_all_is_raised(
    shell: InteractiveShell, script: Script, session: Session
) -> None:
    script.update(a=400, b=400)
    with pytest.raises(UsageError, match="no such luck"):
        ask(shell, "--model a,b")


def test_one_without_an_answer_cannot_be_used(
    shell: InteractiveShell, script: Script
) -> None:
    script["b"] = 400
    with pytest.raises(UsageError, match="b has no complete answer"):
        ask(shell, "--model a,b --use b --out said")
    assert shell.user_ns["said"]["a"] == "answer of a"


def test_an_interrupt_stops_all_and_keeps_what_came(
    shell: InteractiveShell,
    script: Script,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script.update({m: [f"{m} begins", ENDLESS] for m in "ab"})
    waited = threading.Event.wait

    def wait(event: threading.Event, timeout: float | None = None) -> bool:
        coming = session.coming()
        if threading.current_thread() is threading.main_thread() and coming:
            monkeypatch.setattr(threading.Event, "wait", waited)
            (lead,) = coming
            while not all(a.text for a in (lead, *lead._others)):  # type: ignore[attr-defined]
                waited(event, 0.01)
            raise KeyboardInterrupt
        return waited(event, timeout)

    monkeypatch.setattr(threading.Event, "wait", wait)
    with pytest.raises(AnswerStopped, match="partial answers are kept"):
        ask(shell, "--model a,b --out said")
    assert shell.user_ns["said"] == {"a": "a begins", "b": "b begins"}
    assert {turn.status for turn in session.versions(1).turns} == {"stopped"}


REFUSED = {
    "--model a,a": "got a twice",
    "--model a,b --use c": "one of the models of --model, got c",
    "--model a --use a": "name several: --model a,b",
    "--use a": "name several: --model a,b",
    "--model a,b --use b --no-history": "nothing goes on with its answer",
    "--model a,b --as code": "several models answer as markdown",
}


@pytest.mark.parametrize(("line", "why"), REFUSED.items())
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    shell: InteractiveShell, server: ScriptedServer, line: str, why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        ask(shell, line)
    assert asked(server) == {}


def test_a_model_whose_name_has_a_comma_is_one_model(
    shell: InteractiveShell, server: ScriptedServer, tmp_path: Path
) -> None:
    file = tmp_path / "one,two.gguf"
    file.touch()
    ask(shell, f"--model {file}")
    assert list(asked(server)) == [str(file)]


def test_nothing_is_kept_of_what_is_asked_outside_the_conversation(
    shell: InteractiveShell, session: Session
) -> None:
    ask(shell, "--model a,b --no-history --out said")
    assert set(shell.user_ns["said"]) == {"a", "b"}
    assert session.turns() == ()


def test_each_answer_is_stored_and_replayed(
    shell: InteractiveShell,
    server: ScriptedServer,
    session: Session,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "answers"
    ask(shell, f"--model a,b --replay '{folder}' --out first")
    server.requests.clear()
    ask(shell, f"--model a,b --replay '{folder}' --out second --new")
    assert asked(server) == {}
    assert shell.user_ns["first"] == shell.user_ns["second"]
    assert capsys.readouterr().out.count("replayed, first answered") == 2
