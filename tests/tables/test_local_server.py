"""Tables on the local server: real engines, with the demo weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.openai.backend import OpenAIBackend
from h2o_magic.chat.messages import user
from h2o_magic.conversation.session import Session
from h2o_magic.tables.job import RunOptions
from h2o_magic.tables.runner import prepare_job, run_job
from tests.local import runtime
from tests.server.client import Client
from tests.server.engines import engines, real_models
from tests.server.in_thread import served

PREFIX = "Say what this is about, in one word, as a librarian would put it. " * 4
TOPICS = ("rain", "bread", "stars", "trains", "chess", "bees", "salt", "kites")


@pytest.fixture
def session(home: Path) -> Iterator[Session]:
    """A session that asks the demo weights of the local server, not started yet."""
    assert not list(home.glob("server-*.json"))
    session = Session()
    session.configure(model="demo", temperature=0)
    yield session
    session.close()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with served(real_models) as running:
        yield running


def rows(count: int) -> list[dict[str, object]]:
    return [{"text": f"{TOPICS[n % 8]} number {n}"} for n in range(count)]


def test_rows_read_what_they_share_once_for_each_slot(client: Client) -> None:
    backend = OpenAIBackend(f"{client.url}/v1", client.token)
    rows = backend.for_rows(1)
    first, *others = (read_anew(client, rows.body, topic) for topic in TOPICS)
    assert first > 60
    assert max(others) < 30
    # A question of a cell rounds as it does when it is asked first.
    alone = [read_anew(client, backend.body, topic) for topic in TOPICS[:2]]
    assert min(alone) > 60
    rows.close()
    backend.close()


def read_anew(client: Client, body: Callable[[ChatRequest], Any], topic: str) -> int:
    """Return how many tokens of a question the engine read, and did not know."""
    request = ChatRequest("demo", (user(PREFIX + topic),), {"temperature": 0.0})
    asked = {**body(request), "max_tokens": 1}
    headers = {"Authorization": f"Bearer {client.token}"}
    url = f"{client.url}/v1/chat/completions"
    with urlopen(Request(url, json.dumps(asked).encode(), headers)) as reply:
        lines = [
            line for line in reply.read().decode().split("\n") if "timings" in line
        ]
    count: int = json.loads(lines[-1][6:])["timings"]["prompt_n"]
    return count


def test_a_run_starts_the_server_and_keeps_its_slots_busy(
    session: Session, home: Path
) -> None:
    running: list[int] = []
    mapped = run_job(
        prepare_job(session, rows(40), PREFIX + "{text}"),
        lambda progress: running.append(progress.width),
    )
    assert mapped.progress.state == "done"
    assert [row["error"] for row in table_of(mapped)] == [None] * 40
    assert mapped.progress.refused == 0
    slots = session.backend.slots("demo")
    assert slots == 4
    assert slots <= max(running) <= 2 * slots  # so that no slot waits for its next row
    assert len(engines(runtime(home)["pid"])) == 1


def test_rows_of_an_engine_that_dies_are_asked_again(
    session: Session, home: Path
) -> None:
    killed: list[psutil.Process] = []

    def kill_one(progress: Any) -> None:
        if progress.done >= 10 and not killed:
            (engine,) = engines(runtime(home)["pid"])
            killed.append(engine)
            engine.kill()

    options = RunOptions(keep=False)
    job = prepare_job(session, rows(40), PREFIX + "{text}", options=options)
    mapped = run_job(job, kill_one)
    assert mapped.progress.state == "done", mapped.progress
    assert [row["error"] for row in table_of(mapped)] == [None] * 40
    assert all(row["answer"] for row in table_of(mapped))
    (engine,) = engines(runtime(home)["pid"])
    assert [engine.pid] != [process.pid for process in killed]


def table_of(mapped: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = mapped.table
    return found
