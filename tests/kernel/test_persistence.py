"""The conversation outlives the kernel that had it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from h2o_magic.chat.turns import Turn
from h2o_magic.conversation.record import Record
from tests.kernel.conftest import Notebook, Run, running_kernel
from tests.stand_in import StandIn

UNREACHABLE = "http://127.0.0.1:9"


def load(kernel: Notebook, server: StandIn, cell: str = "load") -> Run:
    run = kernel.run("%load_ext h2o_magic", cell)
    kernel.run(f"%config H2OMagics.server = '{server.url}'", "set")
    return run


def record_of(home: Path, path: Path) -> Record:
    return Record(home / "conversations.sqlite3", f"file:{path}")


def test_after_a_restart_one_line_says_what_is_back(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "chat.ipynb"
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        assert load(kernel, server).outputs == []
        kernel.run("%%h2o\nfirst", "c1")
        kernel.run("%%h2o --thread ideas\nsecond", "c2")
        kernel.run("%h2o thread ideas", "c3")
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        said = load(kernel, server).markdown
        assert said == (
            "Restored 2 turns of this notebook's conversation in 2 threads; the "
            "current thread is `ideas`. The next question goes to `llama-13b` on "
            f"`{server.url}`. `%h2o history` lists them, `%h2o reset` clears them."
        )
        kernel.run("%%h2o\nthird", "c4")
    made = [b for b in server.bodies("/conversation") if "messages" in b]
    assert made[-1]["messages"] == [
        {"role": "user", "content": "second"},
        {"role": "assistant", "content": "Hello world"},
    ]
    assert server.asked[-1]["inputs"] == "third"


def test_server_and_model_outlast_the_kernel_and_are_never_replaced_silently(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "chat.ipynb"
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        kernel.run("%load_ext h2o_magic", "load")
        kernel.run(f"%h2o connect {server.url} --name work", "c1")
        kernel.run("%config H2OMagics.model = 'falcon-7b'", "c2")
    environment = {
        "JPY_SESSION_NAME": str(path),
        "H2O_MAGIC_SERVER": UNREACHABLE,
    }
    with running_kernel(**environment) as kernel:
        said = kernel.run("%load_ext h2o_magic", "load").markdown
        assert said == "The next question goes to `falcon-7b` on `work`."
        assert kernel.run("%%h2o\nhi", "c3").plain.startswith("Hello world")
        assert server.bodies("/conversation")[0]["model"].endswith("falcon-7b-v3")
        kernel.run("%h2o connect work --forget", "c4")
        kernel.run(f"%config H2OMagics.server = '{UNREACHABLE}'", "c5")
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        said = kernel.run("%load_ext h2o_magic", "load").markdown
        assert f"goes to `falcon-7b` on `{UNREACHABLE}`. " in said
        failed = kernel.run("%%h2o\nhi", "c6").failure
        assert failed.startswith(f"ServerError: cannot connect to {UNREACHABLE}")


def test_a_cell_that_is_run_again_after_a_restart_replaces_its_turn(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "chat.ipynb"
    for _ in range(2):
        with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
            load(kernel, server)
            kernel.run("%%h2o\nfirst", "c1")
            kernel.run("%%h2o\nsecond", "c2")
    found = record_of(home, path).turns("main")
    assert [turn.question for turn in found] == ["first", "second"]
    assert not any(turn.outdated for turn in found)


def test_a_kernel_killed_while_an_answer_streams_keeps_it_as_incomplete(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "chat.ipynb"
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        load(kernel, server)
        kernel.run("%%h2o\nfirst", "c1")
        server.script = ["Half an", " answer", threading.Event()]
        kernel.start("%%h2o\nsecond", "c2")
        record = record_of(home, path)
        wait_for(record, "Half an answer")
        pid = kernel.manager.provisioner.process.pid
        os.kill(pid, signal.SIGKILL)
        first, second = record.turns("main")
        assert (first.status, first.answer) == ("complete", "Hello world")
        assert (second.status, second.answer) == ("incomplete", "Half an answer")
        record.close()
    server.stopped.set()
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        server.script = ["Whole"]
        assert "`%h2o retry` asks again" in load(kernel, server).markdown
        kernel.run("%h2o retry", "c3")
        assert "2 turns, 2 of them complete" in kernel.run("%h2o status").plain


def wait_for(record: Record, answer: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        turns: tuple[Turn, ...] = record.turns("main", last=1)
        if turns and turns[0].answer == answer:
            return
        assert time.monotonic() < deadline, turns
        time.sleep(0.05)


def test_two_kernels_on_one_notebook_lose_nothing(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "chat.ipynb"
    with (
        running_kernel(JPY_SESSION_NAME=str(path)) as one,
        running_kernel(JPY_SESSION_NAME=str(path)) as two,
    ):
        for kernel in (one, two):
            load(kernel, server)
        asked = [
            kernel.start(f"%%h2o\nquestion {number} of {name}", f"{name}{number}")
            for number in range(5)
            for name, kernel in (("one", one), ("two", two))
        ]
        for number, request in enumerate(asked):
            (one, two)[number % 2].finish(request)
    found = record_of(home, path).turns("main")
    assert sorted(turn.question for turn in found) == sorted(
        f"question {number} of {name}" for number in range(5) for name in ("one", "two")
    )
    assert {turn.status for turn in found} == {"complete"}


@pytest.mark.parametrize("kind", ["directory", "garbage"])
def test_without_a_usable_store_the_chat_goes_on_and_says_so_once(
    home: Path, tmp_path: Path, server: StandIn, kind: str
) -> None:
    store = home / "conversations.sqlite3"
    if kind == "directory":
        store.mkdir(parents=True)
    else:
        home.mkdir(parents=True)
        store.write_bytes(b"no database" * 1000)
    with running_kernel(JPY_SESSION_NAME=str(tmp_path / "chat.ipynb")) as kernel:
        loaded = load(kernel, server)
        first = kernel.run("%%h2o\nfirst", "c1")
        second = kernel.run("%%h2o\nsecond", "c2")
        said = loaded.stderr + first.stderr + second.stderr
        assert said.count("cannot save the conversation in") == 1
        assert said.count("\n") == 1
        assert "Hello world" in str(second.outputs)
        assert "2 turns, 2 of them complete" in kernel.run("%h2o status").plain
    assert server.asked[-1]["inputs"] == "second"
    if kind == "garbage":
        assert store.read_bytes() == b"no database" * 1000


def test_a_restarted_kernel_without_a_notebook_goes_on(
    notebook: Notebook, server: StandIn
) -> None:
    load(notebook, server)
    notebook.run("%%h2o\nfirst", "c1")
    notebook.manager.restart_kernel(now=True)
    notebook.client.wait_for_ready(timeout=60)
    assert "1 turn of this notebook's" in load(notebook, server).markdown


def test_a_name_keeps_a_conversation_wherever_it_goes_on(
    home: Path, server: StandIn
) -> None:
    for _ in range(2):
        with running_kernel(H2O_MAGIC_NOTEBOOK="my chat") as kernel:
            load(kernel, server)
            kernel.run("%%h2o\nhello")
    found = Record(home / "conversations.sqlite3", "name:my chat").turns("main")
    assert [turn.question for turn in found] == ["hello", "hello"]


def test_a_program_that_runs_notebooks_does_not_touch_the_outer_conversation(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "outer.ipynb"
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        load(kernel, server)
        kernel.run("%%h2o\nouter", "c1")
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        kernel.run("%load_ext h2o_magic")  # nbclient gives no ids of cells
        kernel.run(f"%config H2OMagics.server = '{server.url}'")
        kernel.run("%%h2o\ninner")
    found = record_of(home, path).turns("main")
    assert [turn.question for turn in found] == ["outer"]


def test_the_store_is_for_the_users_eyes_only(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    with running_kernel(JPY_SESSION_NAME=str(tmp_path / "chat.ipynb")) as kernel:
        load(kernel, server)
        kernel.run("%%h2o\nhello", "c1")
        files = list(home.glob("conversations.sqlite3*"))
        assert len(files) == 3
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


ASK = "import h2o_magic\nh2o_magic.session().ask({!r}).read()"


def test_python_and_magics_share_the_notebooks_conversation_from_the_first_cell(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "chat.ipynb"
    server_there = {"H2O_MAGIC_SERVER": server.url, "JPY_SESSION_NAME": str(path)}
    with running_kernel(**server_there) as kernel:
        kernel.run(ASK.format("first"), "c1")
        assert "1 turn of this notebook's" in load(kernel, server).markdown
        kernel.run("%%h2o\nsecond", "c2")
        kernel.run("%unload_ext h2o_magic", "c3")
        kernel.run(ASK.format("third"), "c4")
        assert "3 turns of this notebook's" in load(kernel, server).markdown
    found = record_of(home, path).turns("main")
    assert [turn.question for turn in found] == ["first", "second", "third"]


def test_what_was_asked_before_any_cell_ran_comes_along(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "chat.ipynb"
    server_there = {"H2O_MAGIC_SERVER": server.url, "JPY_SESSION_NAME": str(path)}
    with running_kernel(**server_there) as kernel:
        kernel.run(ASK.format("by nobody's cell"))
        load(kernel, server)
        kernel.run("%%h2o\nsecond", "c2")
    found = record_of(home, path).turns("main")
    assert [turn.question for turn in found] == ["by nobody's cell", "second"]


def test_a_cell_that_asks_by_python_replaces_its_turns_too(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "chat.ipynb"
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        load(kernel, server)
        code = "import h2o_magic\nfor i in range(2):\n    {}.ask(f'{{i}}?').read()"
        for _ in range(2):
            kernel.run(code.format("h2o_magic.session()"), "c1")
    found = record_of(home, path).turns("main")
    assert [turn.question for turn in found] == ["0?", "1?"]


def test_a_cell_that_was_edited_to_ask_less_leaves_no_ghosts(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "chat.ipynb"
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        load(kernel, server)
        asks = ["a", "--thread side b", "--no-history c", "--new d", "e"]
        kernel.run("\n".join(f"%h2o ask {ask}" for ask in asks), "c1")
        kernel.run("%%h2o\nlast", "c2")
        record = record_of(home, path)

        def asked(thread: str) -> list[str]:
            return [turn.question for turn in record.turns(thread)]

        assert (asked("main"), asked("side")) == (["a", "d", "e", "last"], ["b"])
        kernel.run("%h2o ask a\n%h2o ask e", "c1")
        assert (asked("main"), asked("side")) == (["a", "e", "last"], ["b"])
        kernel.run("%%h2o --no-history --thread side\nlast", "c1")
        assert (asked("main"), asked("side")) == (["a", "e", "last"], [])
        kernel.run("%%h2o --no-history\nlast", "c2")
        assert asked("main") == ["a", "e"]
        kernel.run("%h2o undo", "c3")
        assert asked("main") == ["a", "e", "last"]


def test_a_cell_that_is_run_again_touches_no_other_thread(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path, file = tmp_path / "chat.ipynb", tmp_path / "chat.json"
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        load(kernel, server)
        for cell in ("a", "b", "c"):
            kernel.run(f"%%h2o\n{cell}", cell)
        record = record_of(home, path)

        def asked(thread: str) -> str:
            return "".join(turn.question for turn in record.turns(thread))

        kernel.run("%h2o fork ideas --at 2", "d")
        kernel.run("%%h2o\nB", "b")
        assert (asked("main"), asked("ideas")) == ("abc", "aB")
        kernel.run("%h2o thread main", "e")
        kernel.run("%%h2o\nbb", "b")
        assert (asked("main"), asked("ideas")) == ("abbc", "aB")
        kernel.run(f"%h2o export {file}\n%h2o import {file}", "f")
        kernel.run("%%h2o\ncc", "c")
        assert (asked("main"), asked("main-2")) == ("abbcc", "abbc")
        record.close()


def test_what_a_cell_runs_within_it_is_a_part_of_it(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "chat.ipynb"
    code = (
        "for q in {!r}.split():\n"
        "    get_ipython().run_cell('')\n"
        "    get_ipython().run_cell('%h2o ask ' + q)"
    )
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        load(kernel, server)
        record = record_of(home, path)
        for questions in ("one two three", "one two three", "two three"):
            kernel.run(code.format(questions), "c1")
            found = [turn.question for turn in record.turns("main")]
            assert found == questions.split()
        record.close()


def test_a_welcome_stays_where_the_kernel_itself_loads_the_extension(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "chat.ipynb"
    there = {"JPY_SESSION_NAME": str(path), "H2O_MAGIC_SERVER": server.url}
    for number in range(2):
        with running_kernel("--ext=h2o_magic", **there) as kernel:
            shown = kernel.run("%%h2o\nhello", "c1").outputs
            assert len(shown) == 1 + number
            assert "Hello world" in shown[-1]["data"]["text/markdown"]
    assert "1 turn of this notebook's" in shown[0]["data"]["text/markdown"]


def test_a_kernel_that_ends_leaves_one_file(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    with running_kernel(JPY_SESSION_NAME=str(tmp_path / "chat.ipynb")) as kernel:
        load(kernel, server)
        kernel.run("%%h2o\nhello", "c1")
        kernel.client.shutdown()
        kernel.manager.finish_shutdown(waittime=120)
    (file,) = home.glob("conversations.sqlite3*")
    assert b"hello" in file.read_bytes()


def test_a_name_that_is_given_later_takes_the_conversation_along(
    home: Path, server: StandIn
) -> None:
    name = "%config H2OMagics.notebook = 'my course'"
    with running_kernel() as kernel:
        load(kernel, server)
        kernel.run("%%h2o\nfirst")
        kernel.run(name)
        assert kernel.run("%%h2o\nsecond").stderr == ""
    with running_kernel() as kernel:
        load(kernel, server)
        kernel.run("%%h2o\nthird")
        kernel.run(name)
        said = kernel.run("%%h2o\nfourth").stderr
        assert "Restored 2 turns of this notebook's conversation" in said
    found = Record(home / "conversations.sqlite3", "name:my course").turns("main")
    assert [t.question for t in found] == ["first", "second", "third", "fourth"]


def test_a_run_that_fails_takes_nothing_out(
    home: Path, tmp_path: Path, server: StandIn
) -> None:
    path = tmp_path / "chat.ipynb"
    with running_kernel(JPY_SESSION_NAME=str(path)) as kernel:
        load(kernel, server)
        kernel.run("%h2o ask a\n%h2o ask b", "c1")
        kernel.run("%h2o ask a\n1 / 0\n%h2o ask b", "c1")
    found = record_of(home, path).turns("main")
    assert [turn.question for turn in found] == ["a", "b"]


def test_a_reload_leaves_the_settings_and_where_they_came_from(
    notebook: Notebook, server: StandIn
) -> None:
    load(notebook, server)
    notebook.run("%config H2OMagics.temperature = 0.9")
    notebook.run("%reload_ext h2o_magic")
    status = notebook.run("%h2o status").plain
    (line,) = [line for line in status.splitlines() if line.startswith("temperature")]
    assert line.split() == ["temperature", "0.9", "%config"]


@pytest.mark.usefixtures("home")
def test_a_name_that_is_given_before_the_first_question_says_what_is_back(
    server: StandIn,
) -> None:
    name = "%config H2OMagics.notebook = 'my course'"
    with running_kernel() as kernel:
        load(kernel, server)
        kernel.run(name)
        kernel.run("%%h2o\nfirst")
    with running_kernel() as kernel:
        load(kernel, server)
        kernel.run(name)
        said = kernel.run("%%h2o\nsecond").stderr
        assert "Restored 1 turn of this notebook's conversation" in said
