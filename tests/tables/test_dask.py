"""The same run on a Dask cluster of this host, which loses a worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.tables.running.progress import Progress
from tests.tables.rows_server import RowsServer, rows_server
from tests.tables.runs import answers, asked, errors, texts

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

WIDTH = 16


@pytest.fixture(scope="module")
def running() -> Iterator[RowsServer]:
    with rows_server() as server:
        yield server


@pytest.fixture
def server(
    running: RowsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RowsServer:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))
    running.configure(delay=0)
    return running


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "90s"}),
        _cluster() as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def _cluster(*, again: bool = True) -> Any:
    try:
        return distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
        )
    except (RuntimeError, TimeoutError):
        if not again:  # so many seconds are not enough on a machine that is full
            raise
        return _cluster(again=False)


def expected(count: int) -> list[object]:
    return [f"Answer to: Rate: review {number}" for number in range(count)]


def test_workers_of_dask_ask_each_row_once(server: RowsServer, client: Any) -> None:
    table = [*texts(100), {"text": "FAIL"}]
    mapped = asked(table, server, executor=client.get_executor())
    assert answers(mapped)[:100] == expected(100)
    assert "cannot be answered" in errors(mapped)[0]
    assert server.stats()["requests"] == 101


def test_the_default_client_has_a_name(server: RowsServer, client: Any) -> None:
    assert answers(asked(texts(9), server, executor="dask")) == expected(9)


def test_an_interrupted_run_cancels_its_leases(server: RowsServer, client: Any) -> None:
    server.configure(delay=1)

    def stop(progress: Progress) -> None:
        if server.stats()["now"]:
            raise KeyboardInterrupt

    mapped = asked(texts(40), server, executor=client, tell=stop)
    assert mapped.progress.state == "stopped"
    assert server.stats()["requests"] <= WIDTH


def test_no_row_is_lost_with_a_worker_nor_at_a_stop(
    server: RowsServer, client: Any
) -> None:
    server.configure(delay=0.02)
    killed: list[int] = []

    def kill(progress: Progress) -> None:
        if progress.done >= 60 and not killed:
            killed.extend(client.run(os.getpid).values())
            os.kill(killed[0], signal.SIGKILL)

        if progress.done >= 150:
            raise KeyboardInterrupt

    options = {"executor": client, "width": WIDTH, "keep": True}
    mapped = asked(texts(300), server, tell=kill, **options)
    assert mapped.progress.state == "stopped"
    assert killed
    assert answers(asked(texts(300), server, **options)) == expected(300)
    # In flight at the worker, and at the stop.
    assert 300 <= server.stats()["requests"] <= 300 + 2 * WIDTH
