"""Stored answers in a session: asked once, and then given without asking."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.base import Backend, ChatRequest, ModelInfo
from h2o_magic.backends.replay.backend import ReplayBackend
from h2o_magic.backends.replay.folder import AnswerFolder
from h2o_magic.backends.replay.replayed import Replayed
from h2o_magic.chat.context import CAUTIOUS
from h2o_magic.chat.events import (
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    Source,
    TextDelta,
    Usage,
)
from h2o_magic.config import paths
from h2o_magic.config.definitions import LOCAL
from h2o_magic.config.settings import Settings
from h2o_magic.conversation import replays
from h2o_magic.conversation.fitting import BUDGET, SLOW_BUDGET
from h2o_magic.conversation.prepare import prepare
from h2o_magic.conversation.preview import preview_plain
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.replayed_answering import ReplayedAnswering
from h2o_magic.conversation.session import Session
from h2o_magic.errors import (
    ConfigurationError,
    ConnectionFailedError,
    ReplayMissError,
    StatusError,
)
from h2o_magic.prompts.values import describe

KEY = "sk-proj-Zq81Yw5nQ0vT3mLx92KdRf7H"


class Server(Backend):
    """Answers each question with its number; counts everything that it is asked."""

    def __init__(self, *, gone: bool = False) -> None:
        self.requests: list[ChatRequest] = []
        self.others = 0
        self.gone = gone
        self.text = "Answer {n}"
        self.reason: FinishReason = "end"
        self.refuses_schemas = False
        self.names = ["small"]
        self.holds = 2048

    @property
    def url(self) -> str:
        return "http://lab.example:8000"

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        self._ask()
        if request.schema is not None and self.refuses_schemas:
            message = "response_format is not supported"
            raise StatusError(message, status=400, server_message=message)
        self.requests.append(request)
        text = self.text.format(n=len(self.requests))
        yield Source(request.model, "Q4")
        yield ReasoningDelta("Let me see.")
        yield TextDelta(text[:3])
        yield TextDelta(text[3:])
        yield Usage(10, 2)
        yield Finished(text, self.reason)

    def models(self) -> list[ModelInfo]:
        self._ask()
        return [
            ModelInfo(name, context=self.holds, vision=False) for name in self.names
        ]

    def _ask(self) -> None:
        if self.gone:
            raise ConnectionFailedError("nobody is there")
        self.others += 1


def session(server: Server, folder: Path, replay: str = "answers/") -> Session:
    settings = Settings()
    settings.set("server", "lab")
    settings.set("replay", replay)
    return Session(
        settings=settings,
        connect=lambda _: server,
        folder=folder,
        record=Record(None, ""),
    )


def stored(folder: Path, kind: str = "answer") -> list[dict[str, Any]]:
    files = sorted((folder / "answers").glob("??/*.json"))
    entries = [json.loads(file.read_bytes()) for file in files]
    return [entry for entry in entries if entry["kind"] == kind]


def ask_all(asking: Session, questions: Sequence[str] = ("One?", "Two?")) -> list[str]:
    return [asking.ask(question).read() for question in questions]


def test_a_second_run_asks_nobody_anything(tmp_path: Path) -> None:
    first = ask_all(session(Server(), tmp_path))
    gone = Server(gone=True)
    second = session(gone, tmp_path)
    assert ask_all(second) == first == ["Answer 1", "Answer 2"]
    counts = second.connection.replays.counts
    assert (counts.hits, counts.misses, gone.others) == (2, 0, 0)


def test_the_model_behind_a_default_is_that_of_the_first_run(tmp_path: Path) -> None:
    session(Server(), tmp_path).ask("One?").read()
    answer = session(Server(gone=True), tmp_path).ask("One?")
    answer.read()
    assert answer.facts.model == "small"


def test_the_model_behind_a_default_is_the_one_that_the_settings_show(
    tmp_path: Path,
) -> None:
    first, second = (session(Server(gone=n > 0), tmp_path) for n in range(2))
    shown = []
    for asking in (first, second):
        ask_all(asking)
        shown.append((asking.settings["model"], asking.settings.origin("model")))
    assert shown == [("small", "the first of lab")] * 2
    second.settings.set("server", "other")
    assert not second.settings.is_set("model")
    second.settings.set("model", "chosen")
    second.connection.adopt("small")
    assert second.settings["model"] == "chosen"


def test_with_a_store_of_ones_own_a_new_default_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path / "home"))
    session(Server(), tmp_path, "on").ask("One?").read()
    server = Server()
    server.names = ["newer"]
    answer = session(server, tmp_path, "on").ask("Two?")
    answer.read()
    assert answer.facts.model == "newer"


def test_a_replayed_answer_has_the_facts_of_the_first_one(tmp_path: Path) -> None:
    first = session(Server(), tmp_path).ask("One?")
    first.read()
    second = session(Server(gone=True), tmp_path).ask("One?")
    second.read()
    before, now = first.facts.as_metadata(), second.facts.as_metadata()
    assert now.pop("first_answered") == stored(tmp_path)[0]["answered"][:10]
    assert before.pop("first_answered") == ""
    assert now == before
    assert now["replay_key"] == stored(tmp_path)[0]["key"]
    assert (second.reasoning, now["completion_tokens"]) == ("Let me see.", 2)
    assert now["replay_key"] in describe(second.facts, "facts").text(1000)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": "One? Please."}, "the prompt"),
        ({"temperature": 0.5}, "temperature"),
        ({"model": "other"}, "model"),
        ({"system": "Be brief."}, "system"),
        ({"schema": {"type": "object"}}, "schema"),
    ],
)
def test_in_only_a_miss_says_what_differs_and_nothing_is_sent(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    session(Server(), tmp_path).ask("One?").read()
    server = Server()
    asking = session(server, tmp_path, "only answers/")
    assert asking.ask("One?").read() == "Answer 1"
    with pytest.raises(ReplayMissError, match=said) as caught:
        asking.ask(**{"question": "One?", "history": False, **change}).read()
    assert "set `replay` to `on`" in str(caught.value)
    assert server.others == 0


def test_in_only_an_empty_folder_is_named_and_no_server_is_asked(
    tmp_path: Path,
) -> None:
    server = Server()
    asking = session(server, tmp_path, "only answers/")
    with pytest.raises(ReplayMissError) as caught:
        asking.ask("One?").read()
    assert f"{tmp_path / 'answers'} has no answers" in str(caught.value)
    assert asking.preview("One?").model == asking.settings["model"]
    assert server.others == 0


@pytest.mark.parametrize("mode", ["on", "only"])
def test_a_preview_says_what_would_be_replayed_without_the_server(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session(Server(), tmp_path).ask("One?").read()
    gone = Server(gone=True)
    asking = session(gone, tmp_path, f"{mode} answers/")
    day = stored(tmp_path)[0]["answered"][:10]
    counted: list[object] = []
    monkeypatch.setattr(gone, "count_tokens", lambda *asked: counted.append(asked))
    shown = preview_plain(asking.preview("One?"))
    assert shown.endswith(f" · would be replayed, first answered {day}]")
    assert counted == []
    shown = preview_plain(asking.preview("Two?"))
    would = "refused" if mode == "only" else "asked, and stored"
    assert shown.endswith(f" · not stored in answers/: would be {would}]")
    assert not asking.preview("One?", replay="off").replay
    counts = asking.connection.replays.counts
    assert (counts.hits, counts.misses, gone.others) == (0, 0, 0)


@pytest.mark.parametrize(("mode", "asks"), [("only", False), ("on", True)])
def test_in_only_no_server_is_asked_for_the_status(
    tmp_path: Path, mode: str, asks: bool
) -> None:
    server = Server()
    session(server, tmp_path, f"{mode} answers/").current_model()
    assert (server.others > 0) is asks


def test_a_miss_in_only_leaves_the_turn_that_was_there(tmp_path: Path) -> None:
    session(Server(), tmp_path).ask("One?").read()
    asking = session(Server(), tmp_path, "only answers/")
    asking.ask("One?", cell="a").read()
    with pytest.raises(ReplayMissError):
        asking.ask("Another?", cell="a").read()
    assert [turn.question for turn in asking.turns()] == ["One?"]


def test_refresh_asks_all_again_and_replaces(tmp_path: Path) -> None:
    ask_all(session(Server(), tmp_path))
    server = Server()
    server.text = "Newer {n}"
    ask_all(session(server, tmp_path, "refresh answers/"), ["One?"])
    assert len(server.requests) == 1
    assert session(Server(), tmp_path).ask("One?").read() == "Newer 1"


@pytest.mark.parametrize("how", ["fresh", "retry", "regenerate"])
def test_one_question_is_asked_again_where_that_is_wanted(
    tmp_path: Path, how: str
) -> None:
    server = Server()
    asking = session(server, tmp_path)
    asking.ask("One?").read()
    if how == "fresh":
        asking.ask("One?", history=False, fresh=True).read()
    elif how == "retry":
        asking.retry().read()
    else:
        assert asking.regenerate(1).wait(10)
    assert len(server.requests) == 2
    assert [entry["text"] for entry in stored(tmp_path)] == ["Answer 2"]


def test_a_question_that_is_asked_again_is_prepared_as_the_first_time(
    tmp_path: Path,
) -> None:
    questions, server = ["One?", "Two?", "Three?"], Server()
    server.text = "word " * 700
    asking = session(server, tmp_path)
    ask_all(asking, questions)
    server.holds = 100_000  # and so earlier turns would have room
    asking.connection.disconnect()
    answer = asking.retry()
    answer.read()
    assert answer.facts.sent_turns == 0
    assert len(server.requests) == 4
    ask_all(session(server, tmp_path), questions)
    assert len(server.requests) == 4
    ask_all(session(server, tmp_path, "refresh answers/"), questions)
    assert [len(request.messages) for request in server.requests[4:]] == [1, 3, 5]


def test_only_and_fresh_exclude_each_other(tmp_path: Path) -> None:
    session(Server(), tmp_path).ask("One?").read()
    asking = session(Server(), tmp_path, "only answers/")
    with pytest.raises(ConfigurationError, match="set `replay` to `on`"):
        asking.ask("One?", fresh=True).read()


def test_fresh_stores_nothing_where_nothing_is_stored(tmp_path: Path) -> None:
    asking = session(Server(), tmp_path, "off")
    asking.ask("One?", fresh=True).read()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("end", ["cut", "failed", "stopped"])
def test_what_is_not_complete_is_not_stored(tmp_path: Path, end: str) -> None:
    server = Server()
    asking = session(server, tmp_path)
    if end == "cut":
        server.reason = "length"
        answer = asking.ask("One?")
        answer.read()
        assert "not stored, since it was cut off" in answer.facts.notes
    elif end == "failed":
        server.gone = True
        with pytest.raises(ConnectionFailedError):
            asking.ask("One?").read()
    else:
        events = iter(asking.ask("One?"))
        next(events)
        events.close()  # type: ignore[attr-defined]
    assert stored(tmp_path) == stored(tmp_path, "learned") == []


def test_a_schema_that_the_server_refuses_is_refused_once(tmp_path: Path) -> None:
    server = Server()
    server.refuses_schemas, server.text = True, '{{"n": {n}}}'
    schema = {"type": "object"}
    first = session(server, tmp_path).ask("One?", schema=schema).value()
    again = session(Server(gone=True), tmp_path).ask("One?", schema=schema).value()
    assert first == again == {"n": 1}


def test_other_weights_under_the_same_name_are_a_miss_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = {"small": "aa"}
    monkeypatch.setattr(replays, "weights_digest", lambda m: digests.get(m, ""))

    def here(server: Server, replay: str = "answers/") -> Session:
        asking = session(server, tmp_path, replay)
        asking.settings.set("server", "")
        asking.settings.set("model", "small")
        return asking

    here(Server()).ask("One?").read()
    server = Server()
    assert here(server).ask("One?").read() == "Answer 1"
    digests["small"] = "bb"
    assert here(server, "only answers/").ask("One?").read() == "Answer 1"
    assert server.requests == []
    answer = here(server).ask("One?")
    answer.read()
    assert answer.facts.notes == ("other weights are installed as small now",)
    assert len(server.requests) == 1


def test_only_on_this_machine_weights_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "weights_digest", lambda _: "of this machine")
    for server, weights in (("lab", ""), ("", "of this machine")):
        folder = tmp_path / (server or "here")
        asking = session(Server(), folder)
        asking.settings.set("server", server)
        asking.ask("One?").read()
        assert stored(folder)[0]["weights"] == weights


@pytest.mark.parametrize(("server", "budget"), [(LOCAL, SLOW_BUDGET), ("lab", BUDGET)])
def test_neither_the_machine_nor_what_was_counted_changes_a_question(
    tmp_path: Path, server: str, budget: int
) -> None:
    slow = type("Slow", (), {"value_budget": 7, "rate": lambda *_: 1.0})
    replayed = Replayed(AnswerFolder(tmp_path), server, "answers/")
    backend = ReplayBackend(Server, replayed, "on")
    answering = ReplayedAnswering(slow(), backend, replayed, "on", "keep")
    assert answering.value_budget == budget
    assert answering.rate("small") == CAUTIOUS


def test_the_footer_of_a_changed_question_says_what_changed(tmp_path: Path) -> None:
    session(Server(), tmp_path).ask("How many people lived here in 2023?").read()
    answer = session(Server(), tmp_path).ask("How many people lived here in 2024?")
    answer.read()
    (note,) = answer.facts.notes
    assert "2023" in note
    assert "2024" in note


def test_what_was_asked_before_in_this_session_is_another_question(
    tmp_path: Path,
) -> None:
    asking = session(Server(), tmp_path)
    for cell, year in ((None, 2023), (None, 2024), ("a", 2025), ("b", 2026)):
        answer = asking.ask(f"How many people in {year}?", cell=cell, history=False)
        answer.read()
        assert answer.facts.notes == ()
    changed = asking.ask("How many people in 2027?", cell="b", history=False)
    changed.read()
    (note,) = changed.facts.notes
    assert "2026" in note


def test_what_looks_like_a_key_is_in_no_file_and_follows_as_it_was_kept(
    tmp_path: Path,
) -> None:
    server = Server()
    server.text = f"Use {KEY} {{n}}"
    asking = session(server, tmp_path)
    first = asking.ask(f"Is {KEY} a key?").read()
    second = asking.ask("Sure?").read()
    content = b"".join(f.read_bytes() for f in (tmp_path / "answers").glob("??/*"))
    assert KEY.encode() not in content
    assert KEY not in first
    again = session(Server(gone=True), tmp_path)
    assert ask_all(again, [f"Is {KEY} a key?", "Sure?"]) == [first, second]


def test_the_same_turn_stays_the_same_turn(tmp_path: Path) -> None:
    asking = session(Server(), tmp_path)
    for number, question in enumerate(("One?", "Two?")):
        asking.ask(question, cell=str(number)).read()
    before = asking.turns()
    again = asking.ask("One?", cell="0")
    again.read()
    assert [turn.id for turn in asking.turns()] == [turn.id for turn in before]
    assert again.turn is not None
    assert again.turn.id == before[0].id
    assert again.facts.outdated_turns == 0
    assert not any(turn.outdated for turn in asking.turns())
    assert len(asking.versions(1).turns) == 1


def test_the_same_turn_goes_over_to_a_cell_with_a_new_id(
    tmp_path: Path, home: Path
) -> None:
    file = tmp_path / "chat.ipynb"
    file.write_text(json.dumps({"cells": []}))
    for kernel in ("before", "after"):
        asking = session(Server(), tmp_path)
        asking.record = Record(home / "conversations", f"file:{file}", file=file)
        for number, question in enumerate(("One?", "Two?")):
            answer = asking.ask(question, cell=f"{kernel}{number}")
            answer.read()
            assert answer.facts.outdated_turns == 0
        assert [turn.cell for turn in asking.turns()] == [f"{kernel}0", f"{kernel}1"]
        assert [len(asking.versions(n).turns) for n in (1, 2)] == [1, 1]
        asking.close()


def test_a_turn_that_was_asked_before_another_answer_is_asked_anew(
    tmp_path: Path,
) -> None:
    asking = session(Server(), tmp_path)
    for cell, question in (("a", "One?"), ("b", "Two?"), ("a", "Else?"), ("a", "One?")):
        asking.ask(question, cell=cell).read()
    assert [turn.outdated for turn in asking.turns()] == [False, True]
    again = asking.ask("Two?", cell="b")
    again.read()
    assert again.facts.first_answered
    assert [turn.outdated for turn in asking.turns()] == [False, False]


def test_a_server_that_a_program_gives_is_not_taken_for_the_local_one(
    tmp_path: Path,
) -> None:
    settings = Settings()
    settings.set("replay", "answers/")
    server = Server()
    Session(server, settings=settings, folder=tmp_path).ask("One?").read()
    assert stored(tmp_path)[0]["request"]["server"].endswith(f" at {server.url}")


def test_the_path_of_a_model_is_the_same_one_in_a_copy_of_the_folder(
    tmp_path: Path,
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.gguf").write_bytes(b"")
    here, copy = tmp_path / "one", tmp_path / "other"
    session(Server(), here).ask("One?", model=str(here / "m.gguf")).read()
    (here / "answers").rename(copy / "answers")
    asking = session(Server(), copy, "only answers/")
    assert asking.ask("One?", model=str(copy / "m.gguf")).read() == "Answer 1"
    assert stored(copy)[0]["request"]["model"] == "m.gguf"
    answer = asking.ask("One?", model=str(copy / "m.gguf"), history=False)
    answer.read()
    assert answer.facts.model == str(copy / "m.gguf")
    content = b"".join(file.read_bytes() for file in (copy / "answers").glob("??/*"))
    assert str(tmp_path).encode() not in content


def test_a_damaged_entry_is_asked_again_and_replaced(tmp_path: Path) -> None:
    session(Server(), tmp_path).ask("One?").read()
    (file,) = [
        file
        for file in (tmp_path / "answers").glob("??/*.json")
        if json.loads(file.read_bytes())["kind"] == "answer"
    ]
    file.write_bytes(b"<<<<<<< HEAD\n")
    with pytest.raises(ReplayMissError, match="cannot be read"):
        session(Server(), tmp_path, "only answers/").ask("One?").read()
    answer = session(Server(), tmp_path).ask("One?")
    answer.read()
    assert "cannot be read" in answer.facts.notes[0]
    assert stored(tmp_path)[0]["text"] == "Answer 1"


def test_a_folder_that_cannot_be_written_costs_no_answer(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("a file")
    with pytest.warns(UserWarning, match="was not stored in answers/"):
        assert session(Server(), tmp_path).ask("One?").read() == "Answer 1"


def test_a_stored_answer_that_is_shown_as_it_came_can_be_stopped(
    tmp_path: Path,
) -> None:
    session(Server(), tmp_path).ask("One?").read()
    answer = session(Server(), tmp_path).ask("One?", replay_speed=1e-6)
    events = iter(answer)
    next(events)
    answer.stop()
    list(events)
    assert answer.facts.status == "stopped"
    assert answer.facts.first_answered == ""


def test_the_users_own_store_is_for_this_user_only(tmp_path: Path, home: Path) -> None:
    first = ask_all(session(Server(), tmp_path, "on"))
    assert not (tmp_path / "answers").exists()
    folder = paths.answers_folder()
    assert home in folder.parents
    modes = {file.stat().st_mode & 0o777 for file in folder.glob("??/*.json")}
    assert (folder.stat().st_mode & 0o777, modes) == (0o700, {0o600})
    gone = Server(gone=True)
    assert ask_all(session(gone, tmp_path / "elsewhere", "only")) == first


def test_sessions_that_share_a_folder_at_once_need_no_server_later(
    tmp_path: Path,
) -> None:
    questions = [f"Question {n}?" for n in range(20)]
    both = [session(Server(), tmp_path) for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        told = list(pool.map(lambda each: ask_all(each, questions), both))
    later = ask_all(session(Server(gone=True), tmp_path, "only answers/"), questions)
    assert all(text in pair for text, *pair in zip(later, *told, strict=True))


def test_the_same_server_may_speak_two_dialects(tmp_path: Path) -> None:
    asking = session(Server(), tmp_path)
    asking.ask("One?", model="m").read()
    asking.connection._dialect = "gpt-gm"  # as `connect` notes it
    assert asking.ask("One?", model="m", history=False).read() == "Answer 2"


@pytest.mark.parametrize("replay", ["off", "answers/"])
def test_a_server_that_changes_meanwhile_is_not_taken_for_the_other(
    tmp_path: Path, replay: str
) -> None:
    servers = {name: Server() for name in ("alpha", "beta")}
    for name, server in servers.items():
        server.text = name
    settings = Settings()
    settings.set("server", "alpha")
    settings.set("replay", replay)
    asking = Session(
        settings=settings, connect=lambda name: servers[name], folder=tmp_path
    )
    question = asking.ask("One?", model="m").question
    prepared = prepare(question, asking.record, asking.connection.answering(question))
    settings.set("server", "beta")
    events = list(prepared.ask(prepared.backend, prepared.request))
    assert [e.text for e in events if isinstance(e, Finished)] == ["alpha"]


class Strict(Server):
    """Refuses the models that it does not have, and may have a default of its own."""

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        if request.model not in self.names:
            raise StatusError(f"no model {request.model}", status=404)
        return super().stream(request)


def test_a_model_that_is_gone_is_not_asked_new_questions(tmp_path: Path) -> None:
    session(Server(), tmp_path).ask("One?").read()
    server = Strict()
    server.names, server.text = ["newer"], "{n} of newer"
    questions = ["One?", "Two?", "Three?", "Four?"]

    def asked_in(asking: Session) -> list[tuple[str, str]]:
        answers = [asking.ask(each, history=False) for each in questions]
        return [(answer.read(), answer.facts.model) for answer in answers]

    first = asked_in(session(server, tmp_path))
    assert first == [
        ("Answer 1", "small"),
        *((f"{n} of newer", "newer") for n in (1, 2, 3)),
    ]
    for mode in ("on", "only"):
        gone = Server(gone=True)
        assert asked_in(session(gone, tmp_path, f"{mode} answers/")) == first
        assert gone.others == 0


def test_one_that_is_asked_afresh_then_replaces_the_old_answer(tmp_path: Path) -> None:
    session(Server(), tmp_path).ask("One?").read()
    server = Strict()
    server.names, server.text = ["newer"], "newer"
    session(server, tmp_path).ask("One?", history=False, fresh=True).read()
    again = session(Server(gone=True), tmp_path)
    assert again.ask("One?", history=False).read() == "newer"


def test_a_program_may_make_errors_of_warnings(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("a file")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert session(Server(), tmp_path).ask("One?").read() == "Answer 1"


def test_a_masked_answer_says_so(tmp_path: Path) -> None:
    server = Server()
    server.text = f"Use {KEY} {{n}}"
    answer = session(server, tmp_path).ask("One?")
    answer.read()
    assert answer.facts.notes == ("what looks like a secret was masked",)


def test_a_store_of_ones_own_tells_nothing_of_other_notebooks(
    tmp_path: Path, home: Path
) -> None:
    session(Server(), tmp_path, "on").ask("Is Alice ill in 2023?").read()
    answer = session(Server(), tmp_path, "on").ask("Is Alice ill in 2024?")
    answer.read()
    assert answer.facts.notes == ()
