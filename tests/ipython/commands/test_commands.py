"""The subcommands of ``%h2o``, on a real session whose server is a script."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from huggingface_hub import constants
from IPython.core.displaypub import CapturingDisplayPublisher

from h2o_magic.backends.base import ChatRequest, ModelInfo
from h2o_magic.chat.events import Event, Finished, TextDelta, Usage
from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.config import paths
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.models import MODELS
from h2o_magic.config.settings import Settings
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError, ReplayMissError, StoreError
from h2o_magic.ipython import commands
from h2o_magic.ipython.commands import SUBCOMMANDS
from h2o_magic.ipython.commands.output import fill
from h2o_magic.ipython.commands.usage import parse
from h2o_magic.ipython.interrupts import AnswerStopped
from h2o_magic.ipython.options import AskOptions
from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.store.ledger import Ledger
from h2o_magic.tables.store.ledger_answers import LedgerAnswers, RunFacts
from h2o_magic.weights.progress import PullProgress
from tests.shells import ipython


class ScriptedBackend:
    """Answers each question with the next text, and "Yes." when there is none."""

    url = "http://scripted"

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.requests: list[ChatRequest] = []

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        self.requests.append(request)
        text = self.texts.pop(0) if self.texts else "Yes."
        yield TextDelta(text)
        yield Usage(10, 2)
        yield Finished(text, "end")

    def models(self) -> list[ModelInfo]:
        return [ModelInfo("llama-13b", size=7_900_000_000), ModelInfo("falcon-7b")]

    def model(self, name: str = "") -> ModelInfo | None:
        return next((m for m in self.models() if m.name == name), None)

    def close(self) -> None:
        """It holds nothing."""


@dataclass
class Bench:
    """What the subcommands see of the magics, and what they showed."""

    session: Session
    backend: ScriptedBackend
    publisher: Any
    shell: Any = field(default_factory=lambda: SimpleNamespace(kernel=None))
    retried: list[AskOptions] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def option(self, word: str) -> str:
        return word

    def retry(self, options: AskOptions) -> None:
        self.retried.append(options)

    def ask(self, options: AskOptions, question: str) -> None:
        if options.help:
            commands.show_help(cast(Any, self))
        self.asked.append(question)

    def chat(self, *questions: str, **options: Any) -> None:
        for question in questions:
            self.session.ask(question, **options).read()

    def run(self, line: str) -> str:
        """Run ``%h2o LINE`` and return the only output as Markdown."""
        (output,) = self.outputs(line)
        return str(output["text/markdown"])

    def plain(self, line: str) -> str:
        (output,) = self.outputs(line)
        return str(output["text/plain"])

    def outputs(self, line: str) -> list[dict[str, Any]]:
        before = len(self.publisher.outputs)
        commands.run(cast(Any, self), line)
        return [output["data"] for output in self.publisher.outputs[before:]]

    def refused(self, line: str) -> str:
        before = len(self.publisher.outputs)
        with pytest.raises(ConfigurationError) as error:
            commands.run(cast(Any, self), line)
        assert len(self.publisher.outputs) == before
        assert "\n" not in str(error.value)
        return str(error.value)

    def questions(self, thread: str | None = None) -> list[str]:
        return [turn.question for turn in self.session.turns(thread)]


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[CapturingDisplayPublisher]:
    with ipython() as shell:
        publisher = CapturingDisplayPublisher(parent=shell)
        monkeypatch.setattr(shell, "display_pub", publisher)
        yield publisher


@pytest.fixture
def bench(
    publisher: CapturingDisplayPublisher,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    monkeypatch.chdir(tmp_path)
    backend = ScriptedBackend()
    session = Session(backend, record=Record(tmp_path / "turns.db", "test"))
    yield Bench(session, backend, publisher)
    session.close()


def rows(markdown: str) -> list[list[str]]:
    """Return the cells of a Markdown table below its head, without entities."""
    lines = [line for line in markdown.splitlines() if line.startswith("| ")][2:]
    return [[shown(cell) for cell in line[2:-2].split(" | ")] for line in lines]


def shown(markdown: str) -> str:
    """Return the words of `literal` as they are read."""
    text = re.sub(r"</?(span|code)>", "", markdown)
    text = re.sub(r"`(https?:[^`]*)`", r"\1", text)
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text).replace("&lt;", "<")


# Reading what was typed


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("threads now", "%h2o threads: expected nothing after it, got 'now'"),
        ("threads --al", "%h2o threads: unknown option --al: it takes none"),
        ("fork", "%h2o fork: expected NEW, got nothing: `%h2o fork NEW [--at N] [--"),
        ("fork --at 2", "%h2o fork: expected NEW, got nothing"),
        ("fork a --att 2", "unknown option --att: known: --at, --overwrite, --thread"),
        ("undo --thread --erase", "expected NAME after --thread, got --erase"),
        ("show -1", "from 1 to 999,999,999 for N, got '-1'"),
        ("fork a --thred x", "did you mean '--thread'?"),
        ("fork a --at", "%h2o fork: expected N after --at, got nothing"),
        ("fork a --at 0", "number from 1 to 999,999,999 after --at, got '0'"),
        ("fork a --at=two", "number from 1 to 999,999,999 after --at, got 'two'"),
        ("fork a --at -1", "number from 1 to 999,999,999 after --at, got '-1'"),
        ("fork a --at 1.5", "number from 1 to 999,999,999 after --at, got '1.5'"),
        ("fork a --thread ''", "expected NAME after --thread, got nothing"),
        ("fork my ideas", "expected nothing after NEW, got 'ideas': put text with"),
        ("reset --all=yes", "%h2o reset: --all takes no value"),
        ("reset --thread a --all", "--thread and --all cannot be combined: use one"),
        ("show", "%h2o show: expected N, got nothing: `%h2o show N"),
        (
            "show three",
            "expected a whole number from 1 to 999,999,999 for N, got 'three'",
        ),
        ("show 9999999999", "from 1 to 999,999,999 for N, got '9999999999'"),
        ("history --last 99999999999", "from 1 to 999,999,999 after --last, got '999"),
        (f"show {'9' * 5000}", "from 1 to 999,999,999 for N, got '999999999999...99"),
        ("thread 'my ideas", '%h2o thread: cannot read "\'my ideas" (no closing quo'),
        (r"thread 'don\'t'", "put text that contains a quote in quotes of the other"),
        ("thread “my ideas”", "“ keeps no words together): write straight ones"),
        ("drop 1 2", "expected nothing after N, got '2'"),
        ("export", "%h2o export: expected FILE, got nothing"),
        ("undo 3", "%h2o undo: expected nothing after it, got '3'"),
        ("status now", "%h2o status: expected nothing after it, got 'now'"),
        ("histroy", "unknown command 'histroy': did you mean 'history'?"),
        ("conect", "unknown command 'conect': did you mean 'connect'?"),
        ("what is 2+2", "unknown command 'what': `%h2o help` lists them; to ask on o"),
        ("help nope", "%h2o help: expected nothing after it, got 'nope'"),
    ],
)
def test_what_is_typed_wrongly_is_one_line_that_says_what_is_right(
    bench: Bench, line: str, words: str
) -> None:
    bench.chat("one")
    assert words in bench.refused(line)
    assert bench.questions() == ["one"]


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("", {}),
        ("a", {"NEW": "a"}),
        ("'my ideas'", {"NEW": "my ideas"}),
        ('"it\'s"  --at  3', {"NEW": "it's", "--at": "3"}),
        ("--at=3 a", {"NEW": "a", "--at": "3"}),
        ("--thread 'x y' a", {"NEW": "a", "--thread": "x y"}),
        ("--thread='x=y' a", {"NEW": "a", "--thread": "x=y"}),
        (r"C:\temp\new.json", {"NEW": r"C:\temp\new.json"}),
        (r"'C:\my files\new.json'", {"NEW": r"C:\my files\new.json"}),
        ("don't", {"NEW": "don't"}),
        ("'--all'", {"NEW": "--all"}),
        ("--all -- --thread", {"NEW": "--thread", "--all": ""}),
        ("-1", {"NEW": "-1"}),
        ("--thread '--all'", {"--thread": "--all"}),
        ("my\xa0--all", {"NEW": "my", "--all": ""}),
        ("'--help'", {"NEW": "--help"}),
        ("a b --help", {"--help": ""}),
        ("# --all", {"NEW": "#", "--all": ""}),
        ("-", {"NEW": "-"}),
        ("日本 --all", {"NEW": "日本", "--all": ""}),
    ],
)
def test_options_and_texts_are_read_in_any_order(
    line: str, texts: dict[str, str]
) -> None:
    given = parse("test", "[NEW] [--at N] [--thread NAME | --all]", line)
    assert given == texts


def test_what_a_command_suggests_to_type_can_be_typed(bench: Bench) -> None:
    bench.chat("1", "2", "3", thread="my ideas")
    typed = [
        bench.plain("drop 3 --thread 'my ideas'"),
        bench.plain("history --thread 'my ideas' --last 1"),
        bench.plain("answers 1 --use 1 --thread 'my ideas'"),
        bench.plain("reset --thread 'my ideas'"),
    ]
    suggested = re.findall(r'%h2o (.*?"my ideas".*?)(?: reverts|$)', "\n".join(typed))
    assert len(suggested) >= 3
    for line in suggested:
        bench.run(line)


@pytest.mark.parametrize("name", [n for n, c in SUBCOMMANDS.items() if not c.free])
def test_each_subcommand_says_how_it_is_used(bench: Bench, name: str) -> None:
    command = SUBCOMMANDS[name]
    said = shown(bench.run(f"{name} --help"))
    assert said == f"`%h2o {name} {command.usage}".rstrip() + f"`: {command.help}."
    assert shown(bench.run(f"{name} -h")) == said


def test_help_lists_all_subcommands_in_both_forms(bench: Bench) -> None:
    for text in (bench.run("help"), bench.plain("help"), bench.run("")):
        for name, command in SUBCOMMANDS.items():
            assert (
                f"%h2o {name} {command.usage}".rstrip().replace(
                    "|", "\\|" if text.startswith("|") else "|"
                )
                in text
            )
            assert command.help in text
    assert "`" not in bench.plain("help")


def test_a_plain_sentence_has_no_backticks_but_those_of_the_user() -> None:
    markdown, plain = fill("`%h2o show {n}` shows {text}.", n="1", text="`x` {y}")
    assert plain == "%h2o show 1 shows `x` {y}."
    assert markdown.startswith("`%h2o show 1` shows \\`x\\`")


# Threads


def test_without_threads_the_table_has_the_current_one(bench: Bench) -> None:
    assert rows(bench.run("threads")) == [["main ✓", "0", "", "New chat"]]


def test_threads_are_listed_with_the_current_one_marked(bench: Bench) -> None:
    bench.chat("What is\nSQL?", "And NoSQL?")
    bench.run("thread 'my ideas'")
    bench.chat("An *idea*")
    listed = rows(bench.run("threads"))
    assert [[row[0], row[1], row[3]] for row in listed] == [
        ["main", "2", "What is"],
        ["my ideas ✓", "1", "An idea"],
    ]
    assert all(re.fullmatch(r"\d\d:\d\d", row[2]) for row in listed)
    assert "An idea" in bench.plain("threads")


def test_going_to_a_thread_says_how_long_it_is(bench: Bench) -> None:
    assert bench.run("thread") == "The current thread is main: 0 turns."
    assert bench.run("thread ideas") == "Switched to a new thread ideas."
    bench.chat("one")
    assert bench.run("thread main") == "Switched to a new thread main."
    assert bench.run("thread ideas") == "Switched to thread ideas: 1 turn."
    assert bench.run("thread") == "The current thread is ideas: 1 turn."
    assert bench.session.thread == "ideas"


def test_a_threads_name_is_shown_and_does_not_act(bench: Bench) -> None:
    said = bench.run("thread '1. my_own_ideas'")
    assert shown(said).startswith("Switched to a new thread 1. my_own_ideas.")
    assert bench.plain("thread").startswith("The current thread is 1. my_own_ideas:")


def test_a_name_that_is_none_is_refused_and_the_thread_stays(bench: Bench) -> None:
    assert "`thread` must be a name" in bench.refused(f"thread {'x' * 61}")
    assert bench.session.thread == "main"


def test_a_fork_copies_turns_and_becomes_current(bench: Bench) -> None:
    bench.chat("1", "2", "3")
    assert bench.run("fork other --at 2") == (
        "Copied 2 turns of main. Switched to thread other."
    )
    assert bench.session.thread == "other"
    assert (bench.questions(), bench.questions("main")) == (["1", "2"], ["1", "2", "3"])


def test_a_fork_from_a_named_thread_takes_all_of_it(bench: Bench) -> None:
    bench.chat("1", "2", thread="a")
    assert "Copied 2 turns of a. Switched to thread b." in bench.run(
        "fork b --thread a"
    )


def test_a_fork_that_cannot_be_leaves_the_current_thread(bench: Bench) -> None:
    bench.chat("1")
    bench.chat("2", thread="taken")
    bench.refused("fork taken")
    bench.refused("fork other --at 2")
    bench.refused("fork other --thread nothing")
    assert bench.session.thread == "main"


@pytest.mark.parametrize(
    "line", ["history", "show 1", "drop 1", "reset", "export x.json", "fork y"]
)
def test_a_thread_that_is_not_there_is_refused_with_the_nearest(
    bench: Bench, line: str
) -> None:
    bench.chat("1", thread="ideas")
    said = bench.refused(f"{line} --thread ideaz")
    assert "there is no thread 'ideaz': did you mean 'ideas'?" in said


# Reset, drop, undo, redo


def test_a_reset_says_what_was_forgotten_and_how_it_comes_back(bench: Bench) -> None:
    bench.chat("1", "2")
    assert bench.run("reset") == (
        "Cleared 2 turns: main starts over. `%h2o undo` reverts this."
    )
    assert bench.questions() == []
    assert bench.run("undo") == "Restored 2 turns of main."
    assert bench.questions() == ["1", "2"]
    assert bench.run("redo") == "Cleared 2 turns of main again."
    assert bench.questions() == []


def test_a_reset_of_one_thread_leaves_the_others(bench: Bench) -> None:
    bench.chat("1")
    bench.chat("2", thread="a")
    assert "Cleared 1 turn: a starts over." in bench.run("reset --thread a")
    assert (bench.questions(), bench.questions("a")) == (["1"], [])
    assert bench.run("undo --thread a") == "Restored 1 turn of a."


def test_a_thread_can_be_renamed_and_is_listed_by_its_title(bench: Bench) -> None:
    bench.chat("Why?")
    bench.chat("How *so*?", thread="a")
    listed = bench.plain("threads").splitlines()
    assert [line.split("  ")[-1].strip() for line in listed] == [
        "title",
        "Why?",
        "How so?",
    ]
    assert bench.run('thread a --title "The *plan*"') == (
        "Switched to thread a: 1 turn. Its title is “The \\*plan\\*”."
    )
    assert "The *plan*" in bench.plain("threads")
    assert bench.run("thread --title Mine") == (
        "The current thread is a: 1 turn. Its title is “Mine”."
    )


def test_the_history_of_all_threads_is_searched(bench: Bench) -> None:
    bench.chat("Where is the café?")
    bench.chat("And the CAFE's owner?", thread="a")
    lines = bench.plain("history --search cafe").splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        ["thread", "turn"],
        ["a", "1"],
        ["main", "1"],
    ]
    assert "And the CAFE's owner?" in lines[1]
    assert len(bench.outputs("history --search cafe --full --last 1")) == 1
    assert bench.run("history --search <b>") == (
        "No question or answer contains &lt;b>."
    )


def test_a_reset_of_all_threads_is_one_change(bench: Bench) -> None:
    bench.chat("1")
    bench.chat("2", "3", thread="a")
    assert "Cleared 3 turns: all threads start over." in bench.run("reset --all")
    assert bench.session.threads() == ()
    assert "Restored 3 turns of main and a." in bench.run("undo")
    assert len(bench.session.threads()) == 2


def test_an_empty_thread_has_nothing_to_forget(bench: Bench) -> None:
    assert bench.run("reset") == "Nothing to clear: main has no turns."
    assert "no thread has turns" in bench.run("reset --all")


def test_what_is_erased_does_not_come_back(bench: Bench, tmp_path: Path) -> None:
    bench.chat("the secret question")
    bench.run("reset")
    said = bench.run("reset --erase")
    assert said == (
        "Nothing left to erase: main has no turns, and none that undo could restore."
    )
    assert bench.run("undo") == "Nothing to undo in main."
    bench.session.close()
    files = [path for path in tmp_path.glob("turns.db*") if path.is_file()]
    assert all(b"secret question" not in path.read_bytes() for path in files)


def test_erasing_says_how_much_and_from_where(bench: Bench) -> None:
    bench.chat("1", "2")
    bench.chat("3", thread="a")
    assert bench.run("reset --erase --thread a") == (
        "Erased 1 turn of a, and everything that undo could restore, from disk. "
        "This cannot be undone."
    )
    assert "Erased 2 turns of all threads," in bench.run("reset --erase --all")
    assert bench.run("reset --erase --all") == (
        "Nothing left to erase: no thread has turns, and none that undo could restore."
    )


def test_a_name_of_no_thread_has_nothing_to_erase(bench: Bench) -> None:
    bench.chat("1", thread="ideas")
    said = bench.run("reset --erase --thread ideaz")
    assert said.startswith("Nothing left to erase: ideaz has no turns, ")
    assert bench.questions("ideas") == ["1"]


def test_a_conversation_that_is_not_kept_is_erased_from_memory(bench: Bench) -> None:
    bench.session = Session(bench.backend)
    bench.chat("1")
    assert bench.run("reset --erase") == (
        "Erased 1 turn of main, and everything that undo could restore, from memory. "
        "This cannot be undone."
    )


def test_what_could_not_be_erased_is_not_said_to_be(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    bench.session = Session(
        bench.backend, record=Record(tmp_path / "file" / "turns.db", "test")
    )
    bench.chat("1")
    before = len(bench.publisher.outputs)
    with pytest.raises(StoreError):
        bench.run("reset --erase")
    assert len(bench.publisher.outputs) == before
    assert bench.questions() == ["1"]


def test_a_dropped_turn_is_named_and_comes_back(bench: Bench) -> None:
    bench.chat("first", "second *one*", "third")
    said = shown(bench.run("drop 2"))
    assert said == (
        "Removed turn 2 from main: “second *one*”. `%h2o undo` reverts this."
    )
    assert bench.questions() == ["first", "third"]
    assert bench.run("undo") == "Restored 1 turn of main."
    assert bench.questions() == ["first", "second *one*", "third"]
    assert bench.run("redo") == "Removed 1 turn from main again."


def test_a_turn_that_is_not_there_is_refused(bench: Bench) -> None:
    bench.chat("first")
    for line in ("drop 2", "show 2"):
        assert "2" in bench.refused(line)
    assert bench.questions() == ["first"]


def test_questions_are_taken_back_one_by_one(bench: Bench) -> None:
    bench.chat("1", "2")
    assert bench.run("undo") == "Removed the last question and its answer from main."
    assert bench.questions() == ["1"]
    bench.run("undo")
    assert bench.run("undo") == "Nothing to undo in main."
    assert bench.run("redo") == "Restored the question and its answer in main."
    bench.run("redo")
    assert bench.run("redo") == "Nothing to redo in main."
    assert bench.questions() == ["1", "2"]


def test_an_answer_that_was_replaced_comes_back(bench: Bench) -> None:
    bench.backend.texts = ["Old.", "New."]
    bench.chat("1", cell="a")
    bench.chat("1", cell="a")
    assert bench.run("undo") == "Restored the previous answer in main."
    assert bench.session.turn(1).answer == "Old."
    assert bench.run("redo") == "Restored the newer answer in main."
    assert bench.session.turn(1).answer == "New."


def test_the_answers_of_a_turn_are_listed_and_one_is_put_in_its_place(
    bench: Bench,
) -> None:
    bench.backend.texts = ["Old.", "New."]
    bench.chat("1", cell="a")
    assert [row[:3] for row in rows(bench.run("answers 1"))] == [["1 ✓", "1", "Old."]]
    bench.chat("one?", cell="a")
    listed = bench.run("answers 1")
    assert [row[:3] for row in rows(listed)] == [
        ["1", "1", "Old."],
        ["2 ✓", "one?", "New."],
    ]
    assert "`%h2o answers 1 --use N` selects another answer." in listed
    assert bench.run("answers 1 --use 1") == (
        "Turn 1 of main now has answer 1: “1”. `%h2o undo` reverts this."
    )
    assert bench.questions() == ["1"]
    assert bench.run("undo") == "Restored the previous answer in main."
    assert bench.questions() == ["one?"]
    assert bench.run("redo") == "Restored the other answer in main."
    assert bench.questions() == ["1"]
    assert "there is no answer 3" in bench.refused("answers 1 --use 3")


def test_the_answers_of_another_threads_turn_are_put_there(bench: Bench) -> None:
    bench.chat("1", "2", thread="my ideas", cell="a")
    said = bench.run("answers 1 --thread 'my ideas' --use 1")
    assert said.endswith('`%h2o undo --thread "my ideas"` reverts this.')
    assert bench.questions("my ideas") == ["1"]


def test_a_preset_is_used_kept_listed_and_forgotten(bench: Bench) -> None:
    said = shown(bench.run("preset precise"))
    assert said.startswith("Using preset precise: temperature=0.1 top_p=0.9.")
    status = [row for row in rows(bench.run("status")) if row[0] == "temperature"]
    assert status == [["temperature", "0.1", "preset precise"]]
    bench.session.configure(seed=7)
    bench.run("preset --save mine")
    bench.run("preset balanced")
    bench.session.configure(seed=None)
    assert [row[0] for row in rows(bench.run("preset"))] == [
        "precise",
        "balanced ✓",
        "creative",
        "mine",
    ]
    bench.run("preset mine")
    assert (bench.session.settings["seed"], bench.session.preset) == (7, "precise")
    bench.run("preset --remove mine")
    assert "did you mean" in bench.refused("preset precsie")
    assert "cannot be combined" in bench.refused("preset --save a --remove b")


def test_a_copy_is_taken_back(bench: Bench) -> None:
    bench.chat("1", "2")
    bench.run("fork b")
    assert bench.run("undo") == (
        "Removed the copy from b: 2 turns. Switched to thread main: 2 turns. "
        "`%h2o redo --thread b` restores it."
    )
    assert bench.run("redo --thread b") == (
        "Restored the copy in b: 2 turns. Switch to it: `%h2o thread b`."
    )
    assert bench.questions("main") == bench.questions("b") == ["1", "2"]


def test_after_a_copy_is_taken_back_the_thread_asked_last_is_current(
    bench: Bench,
) -> None:
    bench.chat("1", thread="a")
    bench.chat("2", thread="ideas")
    bench.chat("3", "4", thread="main")
    bench.chat("5", thread="ideas")
    bench.run("fork 'my copy' --thread a")
    said = bench.plain("undo")
    assert (
        'Switched to thread ideas: 2 turns. %h2o redo --thread "my copy" restores'
        in said
    )
    assert bench.session.thread == bench.session.record.thread == "ideas"


def test_taking_a_copy_back_elsewhere_leaves_the_current_thread(bench: Bench) -> None:
    bench.chat("1")
    bench.run("fork b")
    bench.run("thread empty")
    assert bench.run("undo --thread b") == "Removed the copy from b: 1 turn."
    assert bench.session.thread == "empty"


def test_a_thread_that_keeps_turns_stays_current(bench: Bench) -> None:
    bench.chat("1")
    bench.run("fork b")
    bench.chat("2")
    bench.run("undo")
    assert bench.run("thread") == "The current thread is b: 1 turn."
    bench.run("reset")
    bench.run("undo")
    assert bench.session.thread == "b"


def test_an_import_into_a_new_thread_is_taken_back_and_left(bench: Bench) -> None:
    bench.chat("1")
    bench.run("export chat.json")
    bench.run("import chat.json --thread copy")
    bench.run("thread copy")
    assert bench.plain("undo") == (
        "Removed the imported turns from copy: 1 turn. "
        "Switched to thread main: 1 turn. %h2o redo --thread copy restores it."
    )


def test_retry_passes_its_options_on(bench: Bench) -> None:
    assert bench.outputs("retry --temperature 0.9 --thread a") == []
    (options,) = bench.retried
    assert options.settings["temperature"] == 0.9
    assert options.settings["thread"] == "a"


def test_retry_takes_no_question(bench: Bench) -> None:
    said = bench.refused("retry what about this")
    assert said.startswith("%h2o retry: expected options, got 'what about this'")
    assert bench.retried == []


def test_retry_help_shows_help(bench: Bench) -> None:
    assert "--temperature" in bench.run("retry --help")
    assert bench.retried == []


def test_a_question_on_a_line_is_taken_as_it_stands(bench: Bench) -> None:
    assert bench.outputs("ask  what's --this?") == []
    assert bench.asked == ["what's --this?"]


# History and show


def test_an_empty_thread_has_a_friendly_line(bench: Bench) -> None:
    assert bench.run("history") == "Thread main has no turns yet."


def test_the_history_is_a_table_of_turns(bench: Bench) -> None:
    bench.backend.texts = ["**SQL** is\n\na language.", "x" * 100]
    bench.chat("What is\nSQL?", "And *this*?")
    first, second = rows(bench.run("history"))
    assert first[:4] == ["1", "What is SQL?", "SQL is a language.", "llama-13b"]
    assert second[:3] == ["2", "And *this*?", "x" * 59 + "…"]
    assert re.fullmatch(r"\d\d:\d\d", first[4])
    head, *lines = bench.plain("history").splitlines()
    assert head.split() == ["question", "answer", "model", "asked", "note"]
    assert len({line.index("llama-13b") for line in lines}) == 1


def test_the_history_notes_what_a_run_out_of_order_left(bench: Bench) -> None:
    bench.chat("1", cell="a")
    bench.chat("2", cell="b")
    bench.chat("3", cell="c", new=True)
    bench.chat("1 again", cell="a")
    notes = [row[-1] for row in rows(bench.run("history"))]
    outdated = "asked before an earlier answer changed"
    assert notes == ["", outdated, f"new, {outdated}"]


def test_a_long_history_shows_the_last_turns_and_says_where_the_others_are(
    bench: Bench,
) -> None:
    bench.chat(*map(str, range(1, 54)))
    assert [row[0] for row in rows(bench.run("history"))][::49] == ["4", "53"]
    first = bench.plain("history").splitlines()[0]
    assert first == "… and 3 earlier turns: %h2o history --last 53"
    assert [row[0] for row in rows(bench.run("history --last 2"))] == ["52", "53"]
    assert len(rows(bench.run("history --last 53"))) == 53
    assert "earlier" not in bench.run("history --last 100")
    assert len(bench.outputs("history --full")) == 50


def test_the_line_about_earlier_turns_can_be_typed(bench: Bench) -> None:
    name = "my own ideas"
    bench.chat("1", "2", thread=name)
    bench.session.thread = "main"
    line = bench.plain(f'history --last 1 --thread "{name}"').splitlines()[0]
    typed = line.removeprefix("… and 1 earlier turn: %h2o ")
    assert len(rows(bench.run(typed))) == 2


def test_the_full_history_shows_each_turn_as_an_output_of_its_own(
    bench: Bench,
) -> None:
    bench.backend.texts = ["# One\n\n<!-- open", "```\nopen", "Three."]
    bench.chat("1?", "2?", "3?")
    outputs = bench.outputs("history --full")
    first, second, third = (output["text/markdown"] for output in outputs)
    assert first.startswith("**Turn 1** · asked ")
    assert "\n\n> 1?\n\n# One\n\n&lt;!-- open\n\n<sub>" in first
    assert "```\nopen\n```\n\n<sub>" in second
    assert third.startswith("**Turn 3**")
    assert "> 3?\n\nThree.\n\n[" in outputs[2]["text/plain"]


def test_the_full_history_can_be_the_last_turns_only(bench: Bench) -> None:
    bench.chat("1", "2", "3")
    outputs = bench.outputs("history --full --last 2")
    assert len(outputs) == 2
    assert outputs[0]["text/plain"].startswith(
        "… and 1 earlier turn: %h2o history --full --last 3\n\nTurn 2"
    )


def test_one_turn_is_shown_whole(bench: Bench) -> None:
    bench.backend.texts = ["# One", "# Two"]
    bench.chat("1?")
    bench.chat("2?", system="Be brief.", new=True)
    markdown = bench.run("show 2")
    assert "> 2?\n\n# Two\n\n<sub>llama-13b" in markdown
    assert "2 tokens" in markdown
    assert "starts a new conversation · system text: Be brief" in markdown
    assert "# One" not in markdown


# Files


def test_an_export_says_what_was_written(bench: Bench, tmp_path: Path) -> None:
    bench.chat("1", "2")
    said = bench.plain("export chat.json")
    size = (tmp_path / "chat.json").stat().st_size
    assert re.fullmatch(
        r"Exported 2 turns of main to chat\.json, \d+ (bytes|KB)\.", said
    )
    assert size > 0
    json.loads((tmp_path / "chat.json").read_text("utf-8"))


def test_all_threads_go_into_one_file(bench: Bench) -> None:
    bench.chat("1")
    bench.chat("2", "3", thread="a")
    assert "3 turns of 2 threads to 'all my'.json" in bench.plain(
        "export \"'all my'.json\" --all"
    )


def test_a_file_that_is_there_is_not_overwritten_unasked(
    bench: Bench, tmp_path: Path
) -> None:
    bench.chat("1")
    (tmp_path / "chat.md").write_text("mine")
    assert "--overwrite" in bench.refused("export chat.md")
    assert (tmp_path / "chat.md").read_text() == "mine"
    bench.run("export chat.md --overwrite")
    assert "1" in (tmp_path / "chat.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("export chat.docx", ".json"),
        ("export missing/chat.json", "missing/chat.json cannot be written"),
        ("export .json", "expected a file name, e.g. chat.json, got '.json': there is"),
        ("export io/.ipynb", "e.g. chat.ipynb, got 'io/.ipynb': there is nothing befo"),
        ('export "io/"', "e.g. chat.json, got 'io/': that is a folder"),
        ("export io", "got 'io': that is a folder"),
        ("export ~", "got '~': that is a folder"),
        ("export new/chat.json/", "got 'new/chat.json/': that is a folder"),
        ("export folder.json --overwrite", "got 'folder.json': that is a folder"),
        ("export circle.json --overwrite", "circle.json cannot be written: "),
        (f"export {'x' * 300}.json", ".json cannot be written: File name too long"),
        ("export a\0b.json", "cannot be written: "),
        ("import ./io/", "ends with .md, .json, .jsonl or .ipynb, got './io/'"),
        ("import missing.json", "missing.json cannot be read"),
        ("import a\0b.json", "cannot be read: "),
        (f"import {'x' * 300}.json", ".json cannot be read: File name too long"),
        ("import broken.json", "broken.json: "),
        ("import ~nobody-of-this-name/chat.json", "there is no such home folder"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(
    bench: Bench, tmp_path: Path, line: str, words: str
) -> None:
    bench.chat("1")
    (tmp_path / "broken.json").write_text('{"half": ')
    (tmp_path / "io").mkdir()
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "circle.json").symlink_to("circle.json")
    before = sorted(tmp_path.rglob("*"))
    assert words in bench.refused(line)
    assert sorted(tmp_path.rglob("*")) == before
    assert bench.questions() == ["1"]


def test_a_link_is_written_through(bench: Bench, tmp_path: Path) -> None:
    bench.chat("first")
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "kept.md", tmp_path / "chat.md"
    target.write_text("old")
    link.symlink_to(target)
    assert "--overwrite" in bench.refused("export chat.md")
    bench.run("export chat.md --overwrite")
    assert link.is_symlink()
    assert "first" in target.read_text("utf-8")
    target.unlink()  # a link that leads nowhere is made to lead to the file
    bench.run("export chat.md")
    assert link.is_symlink()
    assert "first" in target.read_text("utf-8")
    assert sorted(tmp_path.glob("**/*.part")) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_new_file_has_the_usual_mode_and_an_old_one_its_own(
    bench: Bench, tmp_path: Path
) -> None:
    bench.chat("1")
    (tmp_path / "usual").touch()
    (tmp_path / "old.md").touch(mode=0o600)
    (tmp_path / "old.md").chmod(0o640)
    bench.run("export new.md")
    bench.run("export old.md --overwrite")
    usual, new, old = (
        (tmp_path / name).stat().st_mode for name in ("usual", "new.md", "old.md")
    )
    assert new == usual
    assert stat.S_IMODE(old) == 0o640


def test_an_empty_thread_is_not_exported(bench: Bench, tmp_path: Path) -> None:
    bench.refused("export chat.json")
    assert not (tmp_path / "chat.json").exists()


def test_a_path_may_begin_at_the_home_folder(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    bench.chat("1")
    bench.run("export ~/chat.jsonl")
    assert (tmp_path / "chat.jsonl").exists()


def test_a_file_fills_the_current_thread_if_that_is_empty(bench: Bench) -> None:
    bench.chat("1", "2")
    bench.run("export chat.json")
    bench.run("reset --erase")
    said = bench.run("import chat.json")
    assert shown(said) == (
        "Imported from chat.json: 2 turns in main. `%h2o undo` reverts this."
    )
    assert bench.questions() == ["1", "2"]
    # No other thread has turns, so there is none to go to.
    assert bench.run("undo") == "Removed the imported turns from main: 2 turns."
    assert bench.run("redo") == "Restored the imported turns in main: 2 turns."


def test_a_file_comes_beside_what_is_there(bench: Bench) -> None:
    bench.chat("1", "2")
    bench.run("export chat.json")
    said = bench.plain("import chat.json")
    assert said == (
        "Imported from chat.json: 2 turns in main-2. Switch to it: %h2o thread main-2."
    )
    assert bench.questions("main-2") == ["1", "2"]
    assert bench.session.thread == "main"


def test_a_file_comes_under_a_name_that_is_given(bench: Bench) -> None:
    bench.chat("1")
    bench.run("export chat.json")
    said = bench.plain("import chat.json --thread 'my copy'")
    assert '1 turn in my copy. Switch to it: %h2o thread "my copy".' in said
    assert "main" in bench.refused("import chat.json --thread main")


def test_a_file_of_several_threads_names_them_all(bench: Bench) -> None:
    bench.chat("1")
    bench.chat("2", "3", thread="a")
    bench.run("export chat.json --all")
    bench.run("reset --all --erase")
    assert shown(bench.run("import chat.json")) == (
        "Imported from chat.json: 1 turn in main, 2 turns in a."
    )


# Status and models


def test_status_shows_every_setting_with_its_origin(bench: Bench) -> None:
    settings = Settings(
        {"H2O_MAGIC_MAX_TURNS": "4", "H2O_MAGIC_TOP_P": "2", "H2O_MAGIC_MODLE": "x"}
    )
    bench.session = Session(
        bench.backend, record=bench.session.record, settings=settings
    )
    bench.session.configure(system="Be *brief*.", temperature=None, seed=0)
    listed = {row[0]: row[1:] for row in rows(bench.run("status"))}
    assert listed["max_turns"] == ["4 turns", "H2O_MAGIC_MAX_TURNS"]
    assert listed["system"] == ["Be *brief*.", "Python"]
    assert listed["seed"] == ["0", "Python"]
    assert "temperature" not in listed  # nothing is sent of it
    assert listed["context"] == [
        "4,096 tokens, unless the server reports it",
        "default",
    ]
    assert listed["strict"] == ["off", "default"]
    assert listed["notebook"] == ["the notebook's own file", "default"]
    assert listed["thread"] == ["main", "default"]
    assert "top_k" not in listed
    named = [name for name, s in SETTINGS.items() if s.default is not None]
    assert set(named) <= set(listed)


def test_what_is_amiss_in_the_environment_stands_below_the_table(
    bench: Bench,
) -> None:
    settings = Settings(
        {"H2O_MAGIC_TOP_P": "2", "H2O_MAGIC_STRICT": "?", "H2O_MAGIC_MODLE": "x"}
    )
    bench.session = Session(bench.backend, settings=settings)
    markdown, plain = bench.run("status"), bench.plain("status")
    *_, in_memory, strict, top_p, modle, change = markdown.split("\n\n")
    assert shown(top_p).startswith("From the environment: H2O_MAGIC_TOP_P is ignored:")
    assert "H2O_MAGIC_STRICT is ignored" in shown(strict)
    assert "did you mean 'model'?" in shown(modle)
    assert change.startswith("`%config H2OMagics.model = 'falcon-7b'` changes a")
    table, below = plain.split("\n\n")
    assert len(below.splitlines()) == 5
    assert len(table.splitlines()[0]) < 70  # the columns stay together
    assert in_memory.startswith("The conversation is in memory only: `%config")


def test_status_counts_turns_without_reading_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.chat("1", "2")
    bench.session.record.begin("main", Turn("3", "Half", "stopped"))
    bench.session.record.begin("other", Turn("4"))

    def turns(*_: object, **__: object) -> None:
        raise AssertionError("turns were read")

    for name in ("turns", "turn", "before"):
        monkeypatch.setattr(bench.session.record, name, turns)
    listed = {row[0]: row[1:] for row in rows(bench.run("status"))}
    assert listed["conversation"][0] == "3 turns, 2 of them complete"


def test_status_says_how_long_the_conversation_is_and_where_it_is_kept(
    bench: Bench, tmp_path: Path
) -> None:
    bench.chat("1", "2")
    listed = {row[0]: row[1:] for row in rows(bench.run("status"))}
    assert listed["conversation"][0] == "2 turns, 2 of them complete"
    assert listed["saved in"][0] == str(tmp_path / "turns.db")


def test_status_counts_stored_answers_and_says_where_they_are(
    bench: Bench, tmp_path: Path
) -> None:
    def stored() -> list[str]:
        listed = {row[0]: row[1] for row in rows(bench.run("status"))}
        return [listed[name] for name in ("stored answers", "stored in")]

    session = bench.session = Session(bench.backend, folder=tmp_path)
    assert not {"stored answers", "stored in"} & {
        r[0] for r in rows(bench.run("status"))
    }
    session.configure(replay="answers/")
    assert stored() == ["none used so far", str(tmp_path / "answers")]
    for _ in range(2):
        session.ask("1", history=False).read()
    assert stored()[0] == "1 replayed, 1 asked"
    with pytest.raises(ReplayMissError):
        session.ask("2", history=False, replay="only").read()
    assert stored()[0] == "1 replayed, 1 asked, 1 missing"


def test_status_says_why_a_conversation_is_in_memory_only(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    bench.session = Session(
        bench.backend, record=Record(tmp_path / "file" / "turns.db", "test")
    )
    bench.chat("1")
    plain = bench.plain("status")
    listed = {row[0]: row[1:] for row in rows(bench.run("status"))}
    assert listed["saved in"][0] == "memory only"
    table, below = plain.split("\n\n")
    assert len(table.splitlines()[0]) < 70  # the columns stay together
    assert below.startswith("The conversation is in memory only: cannot save the conv")
    assert plain.count("memory only") == 2
    bench.session = Session(bench.backend)
    listed = {row[0]: row[1:] for row in rows(bench.run("status"))}
    assert listed["saved in"][0] == "memory only"
    assert "%config H2OMagics.notebook = 'NAME' saves it" in bench.plain("status")


def test_status_cuts_long_texts_to_one_line(bench: Bench) -> None:
    bench.session.configure(system="word\n" * 100)
    listed = {row[0]: row[1:] for row in rows(bench.run("status"))}
    assert listed["system"][0] == "word " * 11 + "word…"


def test_the_model_in_force_is_marked(bench: Bench) -> None:
    bench.session.configure(model="falcon-7b")
    models = rows(bench.run("models"))
    assert [row[0] for row in models] == ["llama-13b", "falcon-7b ✓"]
    assert models[0][2] == "7.9 GB"


def test_pull_without_a_model_names_them(bench: Bench) -> None:
    said = bench.refused("pull")
    assert f"expected a model, one of {', '.join(MODELS)}, owner/repository" in said


def test_rm_without_a_model_names_them(bench: Bench) -> None:
    said = bench.refused("rm")
    assert f"%h2o rm: expected a model, one of {', '.join(MODELS)}, owner/" in said


def test_rm_says_what_is_free_again(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    path = tmp_path / "models--owner--repo/snapshots/a/m.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 64_000)
    assert bench.plain("rm owner/repo") == "owner/repo: removed, 64 KB freed."
    assert not path.exists()
    assert "nothing to remove" in bench.refused("rm owner/repo")


def test_pull_of_a_file_beside_the_notebook_says_that_it_is_one(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "my model.gguf").touch()
    assert bench.plain("pull my model.gguf") == (
        "my model.gguf: my model.gguf is a local file: nothing to download."
    )


def test_quotes_around_a_models_path_are_no_part_of_it(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "it's my model.gguf").touch()
    assert bench.plain('pull "it\'s my model.gguf"') == (
        "it's my model.gguf: it's my model.gguf is a local file: nothing to download."
    )
    bench.run(r'alias own="C:\my models\mine.gguf"')
    assert bench.session.aliases.model("own") == r"C:\my models\mine.gguf"


def test_an_interrupted_pull_is_one_line_that_says_how_to_go_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object, tell: Callable[[object], None]) -> None:
        tell(PullProgress(5, 10))
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.session, "pull", interrupt)
    with pytest.raises(AnswerStopped, match="`%h2o pull llama-13b` resumes it"):
        bench.run("pull llama-13b")
    assert "50 %" in bench.publisher.outputs[-1]["data"]["text/plain"]


def test_a_model_that_is_not_here_says_what_stands_in_and_how_to_get_it(
    bench: Bench,
) -> None:
    small = ModelInfo("smollm2-135m", "SmolLM2 Q4_1", size=98_362_432, context=8192)
    missing = ModelInfo(
        "llama-13b",
        "SmolLM2 Q4_1",
        size=98_362_432,
        context=8192,
        loaded=True,
        licence="apache-2.0",
        answered_by="smollm2-135m",
    )
    demo = ModelInfo("falcon-7b", "built-in demo weights", demo=True)
    other = ModelInfo("o/r:m.gguf", "m Q4_0", demo=True)
    bench.backend.models = lambda: [small, missing, demo, other]  # type: ignore[method-assign]
    listed = {row[0].removesuffix(" ✓"): row[1:] for row in rows(bench.run("models"))}
    assert listed["smollm2-135m"][:3] == ["SmolLM2 Q4_1", "98.4 MB", "8,192 tokens"]
    assert [cell for cell in listed["llama-13b"] if cell] == [
        "SmolLM2-135M stands in",
        "`%h2o pull llama-13b`",
    ]
    assert listed["falcon-7b"][-1] == "`%h2o pull falcon-7b`"
    assert listed["o/r:m.gguf"][-1] == ""  # no name that pull knows


def test_status_names_the_packages_that_the_local_server_lacks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h2o_magic.backends.local.locate.is_installed", lambda: False)
    listed = {row[0]: row[1:] for row in rows(bench.run("status"))}
    said = listed["server"][0]
    assert said.startswith("the local server needs packages that are not installed")
    assert "pip install" in said
    assert "xllamacpp==" in said


def test_models_name_the_licence_as_it_stands(bench: Bench) -> None:
    bench.backend.models = lambda: [ModelInfo("m", licence="a*b")]  # type: ignore[method-assign]
    assert "| a\\*b |" in bench.run("models")


def test_version_is_the_packages(bench: Bench) -> None:
    assert bench.plain("version").startswith("h2o_magic ")
    assert bench.plain("--version") == bench.plain("version")


# Size


def test_a_history_of_thousands_of_turns_reads_only_its_end(bench: Bench) -> None:
    turns = tuple(Turn(f"q{i}", "Yes.") for i in range(3000))
    bench.session.record.add([Thread("main", turns)])
    markdown = bench.run("history --last 3")
    assert len(markdown) < 2000
    assert "2,997 earlier turns" in markdown


def test_a_change_of_another_thread_says_how_to_take_it_back_there(
    bench: Bench,
) -> None:
    bench.chat("1", "2", thread="my ideas")
    bench.session.thread = "main"
    how = '`%h2o undo --thread "my ideas"` reverts this.'
    assert bench.run("drop 1 --thread 'my ideas'").endswith(how)
    assert bench.run("reset --thread 'my ideas'").endswith(how)
    bench.run("undo --thread 'my ideas'")
    assert bench.run("reset --all").endswith("`%h2o undo` reverts this.")


# Runs over tables


def kept_run(*answers: str) -> None:
    facts = RunFacts("reviews", "Rate: {text} | now", "mock")
    run = LedgerAnswers(Ledger(paths.ledger_file(), pytest.fail), facts)
    for number, answer in enumerate(answers):
        run.put(number.to_bytes(32, "big"), "?", RowAnswer(answer, 10, 2))
    progress = Progress(3, done=2, known=0, errors=1, prompt_tokens=1200)
    progress.end("failed", "the key is wrong")
    run.flush(progress)
    run.close()


def test_runs_are_listed_with_their_size_and_forgotten(bench: Bench) -> None:
    assert bench.plain("runs") == "No run over a table is kept yet."
    assert not paths.ledger_file().exists()
    kept_run("A", "B")
    kept_run()
    plain = bench.plain("runs")
    (row,) = [line for line in plain.splitlines() if line.startswith("1 ")]
    for part in ("reviews", "Rate: {text} | now", "2 of 3", "1,200", "the key is"):
        assert part in row
    assert "tables.sqlite3" in plain
    asked = bench.plain("runs --forget all")
    assert asked.startswith("This would remove 2 answers of 2 runs for good")
    assert bench.plain("runs --forget 1") == "Removed 2 answers of run 1."
    assert "\n2 " in bench.plain("runs")
    assert bench.plain("runs --forget all --yes") == "Removed 0 answers of 1 run."
    assert bench.plain("runs") == "No run over a table is kept yet."


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("runs --forget 9", "there is no run 9: `%h2o runs` lists them"),
        ("runs --forget last", "expected the number of a run, or `all`, after"),
    ],
    ids=["no such run", "no number"],
)
def test_only_runs_that_are_there_are_forgotten(
    bench: Bench, typed: str, said: str
) -> None:
    kept_run("A")
    assert said in bench.refused(typed)
    assert len(bench.plain("runs").splitlines()) > 2


def test_help_lists_cells_that_ask_tables_and_several_models(bench: Bench) -> None:
    plain = bench.plain("help")
    assert "%%h2o map TABLE [options]" in plain
    assert "%%h2o --model A,B" in plain
    assert "--use B" in plain
