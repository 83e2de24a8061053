"""The same run in threads of ours, in a pool of threads, and in one of processes."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas
import psutil
import pytest

from h2o_magic.backends.openai.backend import OpenAIBackend
from h2o_magic.conversation.answering import Serving
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.executors.task import Task, ask_rows
from h2o_magic.tables.job import RunOptions
from h2o_magic.tables.runner import prepare_job, run_job
from h2o_magic.tables.running.progress import Progress
from tests.tables.rows_server import RowsServer, rows_server
from tests.tables.runs import answers, asked, errors, texts

KEY = "sk-of-the-worker-1234567890"


@pytest.fixture(scope="module")
def running() -> Iterator[RowsServer]:
    with rows_server() as server:
        yield server


@pytest.fixture
def server(
    running: RowsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RowsServer:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))
    running.configure(delay=0, slots=0, key="")
    return running


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        pool.submit(os.getpid).result()
        yield pool


def connections(server: RowsServer) -> list[object]:
    """Return this process's connections to a server; other tests may have others."""
    port = urlsplit(server.url).port
    found = [each.raddr for each in psutil.Process().net_connections("tcp")]
    return [address for address in found if address and address.port == port]


def expected(count: int) -> list[object]:
    return [f"Answer to: Rate: review {number}" for number in range(count)]


def test_a_run_leaves_no_thread_and_no_connection(server: RowsServer) -> None:
    before = threading.enumerate()
    assert answers(asked(texts(60), server)) == expected(60)
    assert threading.enumerate() == before
    assert connections(server) == []


def test_a_stopped_run_ends_all_answers_at_once(server: RowsServer) -> None:
    server.configure(delay=30)
    before = threading.enumerate()

    def stop(progress: Progress) -> None:
        if server.stats()["now"] == 8:
            raise KeyboardInterrupt

    mapped = asked(texts(20), server, tell=stop)
    assert mapped.progress.state == "stopped"
    assert threading.enumerate() == before
    assert connections(server) == []


def test_a_pool_of_threads_asks_as_many_rows_as_it_has_threads(
    server: RowsServer,
) -> None:
    server.configure(delay=0.02)
    with ThreadPoolExecutor(3) as pool:
        assert answers(asked(texts(40), server, executor=pool)) == expected(40)
        assert server.stats()["most"] == 3
        server.configure(delay=30)
        mapped = asked(texts(9), server, executor=pool, tell=_interrupt_when_asked)
    assert mapped.progress.state == "stopped"  # and its threads were free at once


def _interrupt_when_asked(progress: Progress) -> None:
    raise KeyboardInterrupt


def test_a_pool_of_processes_asks_all_rows_once(
    server: RowsServer, processes: Executor
) -> None:
    mapped = asked([*texts(60), {"text": "FAIL"}], server, executor=processes)
    assert answers(mapped)[:60] == expected(60)
    assert "this row cannot be answered" in errors(mapped)[0]
    assert server.stats()["requests"] == 61


def test_of_a_run_that_was_stopped_only_rows_in_flight_are_asked_again(
    server: RowsServer, processes: Executor
) -> None:
    server.configure(delay=0.1)
    first = partial(asked, texts(200), server, executor=processes, keep=True, width=16)

    def stop(progress: Progress) -> None:
        if progress.done >= 40:
            raise KeyboardInterrupt

    assert first(tell=stop).progress.state == "stopped"
    assert answers(first()) == expected(200)
    assert 200 <= server.stats()["requests"] <= 200 + 16


def test_a_key_is_read_where_the_worker_runs(
    server: RowsServer, monkeypatch: pytest.MonkeyPatch, processes: Executor
) -> None:
    server.configure(key=KEY)
    monkeypatch.setenv("KEY_OF_ROWS", KEY)
    # The pool's processes began without it.
    mapped = asked(texts(5), server, key_env="KEY_OF_ROWS", executor=processes)
    assert mapped.progress.state == "failed"
    assert "KEY_OF_ROWS is not set" in mapped.progress.reason
    assert "in a worker on" in mapped.progress.reason
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        mapped = asked(texts(5), server, key_env="KEY_OF_ROWS", executor=pool)
    assert answers(mapped) == expected(5)


def test_no_key_is_in_what_travels(
    server: RowsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.configure(key=KEY)
    monkeypatch.setenv("KEY_OF_ROWS", KEY)
    session = Session()
    session.connect(f"{server.url}/v1", dialect="openai", key_env="KEY_OF_ROWS")
    session.configure(model="mock")
    job = prepare_job(session, texts(3), "Rate: {text}")
    task = Task.of(job.asked.serving, job.requests, 8)
    packed = pickle.dumps(task)
    assert KEY.encode() not in packed
    assert KEY not in repr(task)
    assert pickle.loads(packed) == task
    assert [found.ticket for found in ask_rows(task, [(7, "Rate: x")])] == [7]
    session.close()


def test_what_cannot_travel_is_refused_before_anything_is_asked(
    server: RowsServer, processes: Executor
) -> None:
    with closing(Session(OpenAIBackend(f"{server.url}/v1"))) as session:
        session.configure(model="mock")
        options = RunOptions(executor=processes, keep=False)
        job = prepare_job(session, texts(3), "{text}", options=options)
        with pytest.raises(ConfigurationError, match="known to this process only"):
            run_job(job)
    with closing(Session()) as session:
        session.servers.credentials._ask = lambda _prompt: KEY
        session.connect(f"{server.url}/v1", dialect="openai", key_prompt=True)
        session.configure(model="mock")
        job = prepare_job(session, texts(3), "{text}", options=options)
        with pytest.raises(ConfigurationError, match="--key-env"):
            run_job(job)
    assert server.stats()["requests"] == 0


def test_the_local_server_is_refused_on_another_machine(server: RowsServer) -> None:
    with closing(Session(OpenAIBackend(f"{server.url}/v1"))) as session:
        session.configure(model="mock")
        requests = prepare_job(session, texts(1), "{text}").requests
    here = Task.of(Serving("local", lambda: None, local=True), requests, 8)  # type: ignore[arg-type, return-value]
    elsewhere = Task(None, requests, 8, machine="another host")
    assert here.backend() is not None
    (outcome,) = ask_rows(elsewhere, [(1, "x")])
    assert "the local server answers on this machine only" in outcome.result.message  # type: ignore[union-attr]
    assert outcome.result.kind == "run"  # type: ignore[union-attr]


def test_a_pool_whose_worker_died_ends_the_run_and_keeps_what_came(
    server: RowsServer,
) -> None:
    server.configure(delay=0.05)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        killed: list[int] = []

        def kill(progress: Progress) -> None:
            if progress.done >= 8 and not killed:
                killed.append(next(iter(pool._processes)))
                os.kill(killed[0], signal.SIGTERM)

        mapped = asked(texts(400), server, executor=pool, tell=kill)
    assert mapped.progress.state == "failed"
    assert "make a new one" in mapped.progress.reason
    assert 8 <= len([each for each in answers(mapped) if each]) < 400


class _Broken(Executor):
    def submit(self, *_: object, **__: object) -> Any:
        raise RuntimeError("no scheduler for Bearer sk-proj-9fK2mQ7xVbT4nLw8RzYc1dHs")


def test_no_key_is_in_what_an_executor_raises(server: RowsServer) -> None:
    reason = asked(texts(5), server, executor=_Broken()).progress.reason
    assert "make a new one" in reason
    assert "sk-proj" not in reason


@pytest.mark.parametrize("executor", ["spark", 3, "dask", pandas.DataFrame([1])])
def test_what_is_no_executor_is_refused(server: RowsServer, executor: object) -> None:
    with pytest.raises(ConfigurationError, match=r"executor"):
        asked(texts(3), server, executor=executor)
    assert server.stats()["requests"] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_works_in_a_fork(server: RowsServer) -> None:
    assert answers(asked(texts(9), server)) == expected(9)
    with ProcessPoolExecutor(1, get_context("fork")) as pool:
        found = pool.submit(partial(_answers_in_fork, texts(9, "fork"), server.url))
        assert found.result() == [f"Answer to: Rate: fork {n}" for n in range(9)]


def _answers_in_fork(table: list[dict[str, object]], url: str) -> list[object]:
    return answers(asked(table, RowsServer(url, None)))  # type: ignore[arg-type]
