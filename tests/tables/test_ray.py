"""The same run on a Ray cluster of two nodes on this host, which lose workers.

Only where Ray is installed, and in a network namespace with nothing but loopback:
elsewhere Ray would listen at the machine's own address (`.ci/run` makes both).
"""

from __future__ import annotations

import os
import signal
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.running.progress import Progress
from tests.tables.rows_server import RowsServer, rows_server
from tests.tables.runs import answers, asked, texts

if os.environ.get("H2O_MAGIC_REQUIRE_RAY"):
    import ray
else:
    ray = pytest.importorskip("ray")
    if [name for _, name in socket.if_nameindex()] != ["lo"]:
        pytest.skip("needs a namespace with loopback only", allow_module_level=True)

cluster_utils = pytest.importorskip("ray.cluster_utils")

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
    running.configure(delay=0, rate=0)
    return running


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    try:
        found = _cluster()
    except Exception as error:
        warnings.warn(f"Ray did not come up, is tried once more: {error}", stacklevel=1)
        ray.shutdown()
        found = _cluster()
    yield found
    ray.shutdown()
    found.shutdown()


def _cluster() -> Any:
    node = {"num_cpus": 2, "object_store_memory": 80 * 2**20}
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={**node, "include_dashboard": False}
    )
    cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False)
    cluster.wait_for_nodes()
    return cluster


def asked_by_ray(count: int, server: RowsServer, **options: Any) -> Any:
    return asked(texts(count), server, executor="ray", **options)


def assert_complete(mapped: Any, server: RowsServer, count: int, again: int) -> None:
    """All rows have their answer, and at most so many were asked twice."""
    assert answers(mapped) == [f"Answer to: Rate: review {n}" for n in range(count)]
    assert count <= server.stats()["requests"] <= count + again


def test_no_cluster_is_started(
    server: RowsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in ("", "local"):
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(ConfigurationError, match="needs a running Ray cluster"):
            asked_by_ray(3, server)
    assert not ray.is_initialized()


def test_actors_on_all_nodes_ask_each_row_once(
    server: RowsServer, cluster: Any
) -> None:
    server.configure(delay=0.01)
    mapped = asked_by_ray(1000, server, width=WIDTH)
    assert_complete(mapped, server, 1000, 0)
    assert server.stats()["most"] <= WIDTH


def test_actors_share_the_rows_of_several_servers(
    server: RowsServer, cluster: Any
) -> None:
    server.configure(delay=0.01)
    with rows_server(delay=0.01) as other:
        mapped = asked(texts(600), server, other, executor="ray", width=WIDTH)
        counts = [each.stats()["requests"] for each in (server, other)]
    assert all(answers(mapped))
    assert sum(counts) == 600
    assert min(counts) >= 60


def test_a_busy_server_fails_no_row(server: RowsServer, cluster: Any) -> None:
    server.configure(rate=100)
    mapped = asked_by_ray(300, server, width=WIDTH)
    assert answers(mapped) == [f"Answer to: Rate: review {n}" for n in range(300)]
    assert set(server.stats()["questions"].values()) == {1}


def test_an_interrupt_ends_the_actors(server: RowsServer, cluster: Any) -> None:
    server.configure(delay=30)

    def stop(progress: Progress) -> None:
        if server.stats()["now"]:
            raise KeyboardInterrupt

    assert asked_by_ray(50, server, tell=stop).progress.state == "stopped"


def test_no_row_is_lost_with_an_actor_or_a_node_nor_at_a_stop(
    server: RowsServer, cluster: Any
) -> None:
    server.configure(delay=0.02)
    done: list[str] = []

    def kill(progress: Progress) -> None:
        if progress.done >= 300 and not done:
            done.append("actor")
            os.kill(_pid_of_a_worker(), signal.SIGKILL)
        if progress.done >= 900 and len(done) == 1:
            done.append("node")
            cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)

        if progress.done >= 1500:
            raise KeyboardInterrupt

    mapped = asked_by_ray(2000, server, width=WIDTH, tell=kill, keep=True)
    assert mapped.progress.state == "stopped"
    assert done == ["actor", "node"]
    # In flight at the actor, at the node, and at the stop.
    mapped = asked_by_ray(2000, server, width=WIDTH, keep=True)
    assert_complete(mapped, server, 2000, 3 * WIDTH)


def _pid_of_a_worker() -> int:
    """Return the process of an actor that asks rows."""
    names = ((each.pid, each.cmdline()) for each in psutil.process_iter())
    return next(pid for pid, words in names if "RowWorker" in " ".join(words))
