"""Processes that are forked from a kernel ask for themselves, and leave it whole."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.gptgm import GptGmBackend
from h2o_magic.backends.local import locate
from h2o_magic.chat.events import TextDelta
from h2o_magic.conversation.session import Session
from tests.conversation.worker import Kernel
from tests.forks import PROCESSES
from tests.stand_in import StandIn

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks"),
    pytest.mark.skipif(sys.platform == "darwin", reason="forking is not safe there"),
]

#: Seconds after which a process that hangs is killed.
LIMIT = 60

_sessions: list[Session] = []


def session_of(folder: str, url: str) -> Session:
    """Return the session of a kernel whose cell runs, and which has asked before."""
    kernel = Kernel(f"{folder}/conversations.sqlite3", f"{folder}/chat.ipynb", "cell")
    kernel.session.backend = GptGmBackend(url)
    kernel.session.ask("before").read()
    _sessions[:] = [kernel.session]
    return kernel.session


def ask(question: str) -> str:
    return _sessions[0].ask(question).read()


def turns(session: Session) -> list[tuple[str, str | None, str, str]]:
    return [(t.question, t.cell, t.status, t.answer) for t in session.turns()]


def forked(work: Callable[[], object]) -> int:
    """Run something in a fork, which ends as a program does; return its status."""
    child = os.fork()
    if child == 0:
        signal.alarm(LIMIT // 2)
        status = 1
        try:
            work()
            status = 0
        finally:
            atexit._run_exitfuncs()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# Each of these is run in a process of its own.


def in_a_pool(session: Session, pipe: Connection) -> None:
    with get_context("fork").Pool(3) as pool:
        assert pool.map(ask, "abcdef", chunksize=2) == ["Hello world"] * 6
    ask("after")


def in_an_executor(session: Session, pipe: Connection) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("fork")) as pool:
        assert [*pool.map(ask, "abcdef")] == ["Hello world"] * 6
    ask("after")


def in_a_fork_of_a_fork(session: Session, pipe: Connection) -> None:
    def first() -> None:
        ask("a")
        assert forked(lambda: [ask("b"), ask("c")]) == 0
        ask("d")

    assert forked(first) == 0
    assert forked(lambda: [ask("e"), ask("f")]) == 0
    ask("after")


def while_another_answer_comes(session: Session, pipe: Connection) -> None:
    def child() -> None:
        assert coming.wait(LIMIT)
        assert "parent process" in str(coming.error)
        assert session.coming() == ()
        assert not coming.answer._queue.holders

    pipe.recv()
    coming = session.ask_later("long")
    pipe.recv()
    assert forked(child) == 0
    pipe.send("forked")
    assert coming.wait(LIMIT)
    assert coming.error is None


def within_an_answer(session: Session, pipe: Connection) -> None:
    """The child lets go of the parent's answer in its middle."""

    def child() -> None:
        answer.stop()
        events.close()  # type: ignore[attr-defined]
        assert session.turns(last=1)[0].status == "incomplete"

    pipe.recv()
    answer = session.ask("long", cell=None)
    events = iter(answer)
    while not isinstance(next(events), TextDelta):
        pass
    pipe.recv()
    assert forked(child) == 0
    pipe.send("forked")
    for _ in events:
        pass


def while_threads_hold_all_locks(session: Session, pipe: Connection) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in (
                session.record._lock,
                session.connection.lock,
                session.conversation.notifications._lock,
                session.conversation.queue("main")._lock,
                session._background._lock,
                session.backend._lock,  # type: ignore[attr-defined]
            ):
                stack.enter_context(lock)
            held.set()
            assert done.wait(LIMIT)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(LIMIT)
    assert forked(lambda: [ask("a"), session.ask_later("b").wait(LIMIT)]) == 0
    done.set()
    thread.join()
    ask("after")


def with_a_server_in_a_temporary_folder(session: Session, pipe: Connection) -> None:
    folder = tempfile.mkdtemp()
    atexit.register(locate._stop_temporary, Path(folder))
    assert forked(session.turns) == 0
    pipe.send(os.path.isdir(folder))


def serve(
    work: Callable[[Session, Connection], None], pipe: Connection, folder: str, url: str
) -> None:
    signal.alarm(LIMIT)
    session = session_of(folder, url)
    work(session, pipe)
    pipe.send(turns(session))
    session.close()


Run = Callable[..., Sequence[Any]]


@pytest.fixture
def run(tmp_path: Path, server: StandIn) -> Iterator[Run]:
    """Runs a function in a kernel's process, and returns the turns at its end."""
    with ExitStack() as stack:

        def run(
            work: Callable[[Session, Connection], None],
            meanwhile: Callable[[Connection], None] = lambda _: None,
        ) -> Sequence[Any]:
            mine, other = PROCESSES.Pipe()
            process = PROCESSES.Process(
                target=serve, args=(work, other, str(tmp_path), server.url)
            )
            process.start()
            stack.callback(process.kill)
            other.close()
            meanwhile(mine)
            found: Sequence[Any] = mine.recv()
            process.join()
            assert process.exitcode == 0
            return found

        yield run


@pytest.mark.parametrize("work", [in_a_pool, in_an_executor, in_a_fork_of_a_fork])
def test_all_that_forks_ask_is_kept_and_belongs_to_no_cell(
    run: Run, work: Callable[[Session, Connection], None]
) -> None:
    first, *forks, last = run(work)
    assert (first[:2], last[:2]) == (("before", "cell"), ("after", "cell#2"))
    assert sorted(turn[0] for turn in forks) == [*"abcdef"]
    assert {turn[1:] for turn in forks} == {(None, "complete", "Hello world")}


@pytest.mark.parametrize("work", [while_another_answer_comes, within_an_answer])
def test_a_fork_does_not_end_the_answer_that_its_parent_is_reading(
    run: Run, server: StandIn, work: Callable[[Session, Connection], None]
) -> None:
    going_on = threading.Event()

    def meanwhile(pipe: Connection) -> None:
        for _ in server.script:  # the answer to the question before
            assert server.sent.acquire(timeout=LIMIT)
        server.script = ["whole", going_on, " answer"]
        pipe.send("ask")
        assert server.sent.acquire(timeout=LIMIT)
        pipe.send("its answer is on its way")
        assert pipe.recv() == "forked"
        assert not server.stopped.is_set()
        going_on.set()

    _, long = run(work, meanwhile)
    assert long == ("long", None, "complete", "whole answer")
    stops = [path for _, path, _ in server.requests if "stop-generating" in path]
    assert stops == []


def test_no_fork_waits_for_a_lock_of_a_thread_that_it_does_not_have(run: Run) -> None:
    questions = [turn[0] for turn in run(while_threads_hold_all_locks)]
    assert questions == ["before", "a", "b", "after"]


def test_a_fork_that_ends_leaves_the_local_server_of_its_parent(run: Run) -> None:
    there: list[bool] = []
    run(with_a_server_in_a_temporary_folder, lambda pipe: there.append(pipe.recv()))
    assert there == [True]
