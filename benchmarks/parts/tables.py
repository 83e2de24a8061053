"""A run over a table: what it costs beside the same requests by hand, and how fast.

All ask the same server in a process of its own, over loopback, in as many threads. Of
processor time that of this process counts alone. The peer is what people write by hand:
a thread pool that asks by openai's client. A server that allows 50 requests a second is
asked for 40 seconds, one with 100 slots (and 200) until all rows are answered.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from benchmarks.bars import Bar
from benchmarks.parts import Options
from h2o_magic.backends.openai.backend import OpenAIBackend
from h2o_magic.conversation.session import Session
from h2o_magic.tables.guarding import row_check
from h2o_magic.tables.job import Job, RunOptions
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.runner import prepare_job, run_job
from tests.tables.rows_server import RowsServer, rows_server

__all__ = ["measure"]

_ROWS, _THREADS = 1000, 32
_SLOTS, _SLOT_SECONDS, _SLOT_ROWS = (100, 200), 0.2, 6000
_LIMIT, _LIMITED_ROWS = 50, 2000
_PROMPT = "Rate: {text}"
_number = count()
_Cost = tuple[float, float]  # seconds of a row: of the processor, and in all


def measure(options: Options) -> Iterator[Bar]:
    """Yield the figures of a run, beside other ways to ask the same rows."""
    with _home(), rows_server() as server, _session(server) as session:
        yield from _costs(server, session, options.rounds)
        yield _known(session, options.rounds)
    for slots in _SLOTS:
        yield from _slots_busy(slots)
    for window in (0, 1):
        yield from _limited(window)


@contextmanager
def _home() -> Iterator[None]:
    """Keep answers in a folder of this measurement's."""
    before = os.environ.get("H2O_MAGIC_HOME")
    with TemporaryDirectory() as folder:
        os.environ["H2O_MAGIC_HOME"] = str(Path(folder))
        try:
            yield
        finally:
            os.environ.pop("H2O_MAGIC_HOME")
            if before is not None:
                os.environ["H2O_MAGIC_HOME"] = before


@contextmanager
def _session(server: RowsServer) -> Iterator[Session]:
    with closing(Session(OpenAIBackend(f"{server.url}/v1"))) as session:
        session.configure(model="mock")
        yield session


def _table(rows: int = _ROWS) -> list[dict[str, str]]:
    """Return rows that were never asked."""
    return [
        {"text": f"review {next(_number)}: the room was clean, and the staff friendly"}
        for _ in range(rows)
    ]


def _job(session: Session, table: object, width: int | None = None) -> Job:
    check = row_check(["made-up-0123456789abcdef"])
    return prepare_job(
        session, table, _PROMPT, options=RunOptions(width=width), check=check
    )


def _run(job: Job) -> MappedTable:
    mapped = run_job(job)
    if mapped.progress.errors:
        raise AssertionError(f"rows failed: {mapped.progress}")
    return mapped


def _cost(work: Callable[[], object]) -> _Cost:
    cpu, began = time.process_time(), time.perf_counter()
    work()
    spent = time.process_time() - cpu, time.perf_counter() - began
    return spent[0] / _ROWS, spent[1] / _ROWS


def _costs(server: RowsServer, session: Session, rounds: int) -> Iterator[Bar]:
    from openai import OpenAI  # noqa: PLC0415

    backend = _job(session, _table(1)).asked.serving.backend().for_rows(_THREADS)
    bare = requests.Session()
    bare.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=_THREADS))
    peer = OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    ways: dict[str, Callable[[], Callable[[], object]]] = {
        "run": lambda: _ready(_job(session, _table(), _THREADS)),
        "stream": lambda: _streamed(backend, session),
        "requests": lambda: _posted(bare, f"{server.url}/v1/chat/completions"),
        "openai": lambda: _asked(peer),
    }
    costs: dict[str, list[_Cost]] = {name: [] for name in ways}
    with closing(backend), bare, peer:
        for each in range(rounds + 1):
            for name, prepare in ways.items():
                cost = _cost(prepare())
                if each:  # the first one imports, and connects
                    costs[name].append(cost)
    yield _beside("processor time a row beside Backend.stream", costs, "stream", 1.15)
    yield _beside("processor time a row beside bare requests", costs, "requests", 2.0)
    for at, what in ((0, "processor time a row"), (1, f"rows/s at {_THREADS} threads")):
        samples = [
            theirs[at] / ours[at]
            for ours, theirs in zip(costs["run"], costs["openai"], strict=True)
        ]
        name = f"{what}: times better than a thread pool with openai's client"
        yield Bar.median(name, samples, "x", least=5.0)


def _beside(name: str, costs: dict[str, list[_Cost]], peer: str, most: float) -> Bar:
    pairs = list(zip(costs["run"], costs[peer], strict=True))
    own, other = (
        statistics.median(cost[0] for cost in costs[n]) for n in ("run", peer)
    )
    return Bar.median(
        name,
        [ours[0] / theirs[0] for ours, theirs in pairs],
        "ratio",
        most=most,
        note=f"{own * 1000:.2f} and {other * 1000:.2f} ms",
        beside={"h2o_magic": own, peer: other},
    )


def _ready(job: Job) -> Callable[[], object]:
    return lambda: _run(job)


def _questions(rows: int = _ROWS) -> list[str]:
    return [_PROMPT.format(**row) for row in _table(rows)]


def _in_threads(
    ask: Callable[[Any], object], given: list[Any], threads: int = _THREADS
) -> Callable[[], object]:
    def work() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(ask, given))

    return work


def _streamed(backend: Any, session: Session) -> Callable[[], object]:
    of = _job(session, _table(1)).requests.of
    given = [of(question) for question in _questions()]
    return _in_threads(lambda request: list(backend.stream(request)), given)


def _posted(
    session: requests.Session, url: str, rows: int = _ROWS, threads: int = _THREADS
) -> Callable[[], object]:
    def ask(question: str) -> None:
        messages = [{"role": "user", "content": question}]
        body = {"model": "mock", "messages": messages, "stream": True}
        with session.post(url, json=body, stream=True) as reply:
            for line in reply.iter_lines():
                if line.startswith(b"data: {"):
                    json.loads(line[6:])

    return _in_threads(ask, _questions(rows), threads)


def _asked(client: Any) -> Callable[[], object]:
    def ask(question: str) -> object:
        messages = [{"role": "user", "content": question}]
        stream = client.chat.completions.create(
            model="mock", messages=messages, stream=True
        )
        return list(stream)

    return _in_threads(ask, _questions())


def _known(session: Session, rounds: int) -> Bar:
    """Return how much faster a run is whose rows all have their answer."""
    samples = []
    for _ in range(rounds):
        table = _table()
        _, asked = _cost(_ready(_job(session, table)))
        _, known = _cost(_ready(_job(session, table)))
        samples.append(asked / known)
    return Bar.median("known rows: times as fast as asked ones", samples, "x", least=50)


def _slots_busy(slots: int) -> Iterator[Bar]:
    """Yield how busy a run keeps slots, and how fast it is beside bare requests.

    What those reach in as many threads is what this machine allows.
    """
    with _home(), rows_server(slots=slots, delay=_SLOT_SECONDS) as server:
        with _session(server) as session:
            _, asked = _cost(_ready(_job(session, _table(_SLOT_ROWS))))
        stats = server.stats()
        with requests.Session() as bare:
            bare.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=slots))
            url = f"{server.url}/v1/chat/completions"
            _, posted = _cost(_posted(bare, url, _SLOT_ROWS, slots))
    busy = stats["busy"] / (slots * (stats["seconds"] + _SLOT_SECONDS))
    least = 0.95 if slots == _SLOTS[0] else None
    note = f"{_SLOT_ROWS:,} rows of {_SLOT_SECONDS} s, at most {stats['most']} at once"
    yield Bar(f"{slots} slots: share of their time", busy, "ratio", least, note=note)
    name = f"{slots} slots: rows/s beside bare requests in as many threads"
    yield Bar(name, posted / asked, "ratio")


def _limited(window: int) -> Iterator[Bar]:
    kind = "each second" if window else "a bucket of them"
    marks: list[tuple[float, int]] = []
    with _home(), rows_server(rate=_LIMIT, window=window, delay=0.2) as server:
        with _session(server) as session:
            began = time.monotonic()
            mapped = run_job(
                _job(session, _table(_LIMITED_ROWS)),
                lambda progress: marks.append(
                    (time.monotonic() - began, progress.done)
                ),
            )
        stats = server.stats()
    name = f"{_LIMIT} requests a second allowed, {kind}"
    late = [mark for mark in marks if mark[0] >= 10]
    rate = math.nan
    if late:
        (first, before), (last, done) = late[0], late[-1]
        rate = (done - before) / max(last - first, 0.1) / _LIMIT
    yield Bar(f"{name}: share used after 10 s", rate, "ratio", 0.9)
    refused = stats["refused"] / max(stats["requests"], 1)
    yield Bar(f"{name}: refused", refused, "ratio", most=0.02)
    yield Bar(f"{name}: rows failed", mapped.progress.errors, "rows", most=0)
