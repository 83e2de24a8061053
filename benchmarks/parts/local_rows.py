"""Rows of a table on the local server: what a shared prefix costs, and the server.

The prefix of 226 tokens is read once for each slot, at temperature 0, too; a run of a
table is compared with the engine's own HTTP server, whom a bare client asks the same
with as many requests at once. Rows of one round come in no other: nothing of them is
known.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import psutil

from benchmarks.bars import Bar
from benchmarks.parts import Options
from benchmarks.questions import questions
from benchmarks.server.processes import Address, own_server, started
from benchmarks.server.sse_client import ask
from h2o_magic.backends.openai.backend import OpenAIBackend
from h2o_magic.config.models import REAL_MODEL
from h2o_magic.conversation.session import Session
from h2o_magic.tables.job import Job, RunOptions
from h2o_magic.tables.runner import prepare_job, run_job
from h2o_magic.weights.files import Weights, find_weights

__all__ = ["measure"]

_SLOTS = 4
_MOST_CPU, _LEAST_RATE = 1.2, 0.9
#: An answer is a sentence at most, as a label or a rating is.
_ANSWER = {"stop": (".", "\n"), "max_new_tokens": 128}
#: Rows of a round, of the real model and of the demo weights.
_ROWS = {"real": 24, "demo": 200}
_CPU = "CPU of a row, temperature 0 beside 0.2"
_RATE = "rows/s beside the engine's own server"
#: Of 226 tokens, as SmolLM2 reads them.
_PREFIX = """\
You label short messages. Read the message and say in one short word what it is about. \
The labels are: geography, science, history, arithmetic, language, food, animals, \
sport, music, other. Answer with the label alone, in lower case, without a full stop. \
A message may be a question or a remark; it may contain spelling mistakes, and it may \
be in part in another language. If two labels fit, take the one that a librarian would \
take to shelve a book about it. Never explain the label, never repeat the message. \
Examples: 'How far is the moon?' is science. 'What is 7 times 8?' is arithmetic. \
'Where do penguins live?' is animals. 'What is the capital of Peru?' is geography. \
'When did the second world war end?' is history. 'What does adieu mean?' is language. \
'How do I boil an egg?' is food. 'Who wrote the ninth symphony?' is music.
Message: """


def measure(options: Options) -> Iterator[Bar]:
    """Yield the figures; those of the real model where its weights are."""
    demo, real = find_weights("demo"), find_weights(REAL_MODEL)
    assert demo is not None
    yield asyncio.run(_beside_engine("demo", demo, _ROWS["demo"], options.rounds))
    if real is None or real.is_stand_in:
        note = f"its weights are not on this machine: h2o-magic pull {REAL_MODEL}"
        yield Bar(_CPU, math.nan, "ratio", most=_MOST_CPU, note=note)
        yield Bar(f"{REAL_MODEL}: {_RATE}", math.nan, "ratio", note=note)
        return
    yield asyncio.run(_by_temperature(real, options.rounds))
    yield asyncio.run(_beside_engine(REAL_MODEL, real, _ROWS["real"], options.rounds))


async def _by_temperature(weights: Weights, rounds: int) -> Bar:
    """Return how much more of the processor a row takes that is to be repeatable."""
    used: dict[float, list[float]] = {0: [], 0.2: []}
    async with own_server(_SLOTS) as ours:
        await asyncio.to_thread(_run, ours, weights, _rows(0, _SLOTS), 0.2)
        for number in range(1, rounds + 1):
            for temperature in used if number % 2 else reversed(used):
                rows = _rows(2 * number + (temperature > 0), _ROWS["real"])
                before = _engine_seconds(ours.pid)
                await asyncio.to_thread(_run, ours, weights, rows, temperature)
                spent = _engine_seconds(ours.pid) - before
                used[temperature].append(spent / len(rows))
    greedy, warm = used.values()
    return Bar.median(
        _CPU,
        (one / other for one, other in zip(greedy, warm, strict=True)),
        "ratio",
        most=_MOST_CPU,
        note=f"{_SLOTS} slots, {_ROWS['real']} rows, {rounds} rounds",
        beside={
            "temperature 0": statistics.median(greedy),
            "temperature 0.2": statistics.median(warm),
        },
    )


async def _beside_engine(name: str, weights: Weights, count: int, rounds: int) -> Bar:
    """Return the share of the engine's own rows a second that a run asks."""
    path = str(weights.path)
    engine_options = ["--slots", str(_SLOTS), "--model", path]
    rates: list[tuple[float, float]] = []
    async with (
        started("benchmarks.server.engine_server", *engine_options) as engine,
        own_server(_SLOTS) as ours,
    ):
        for number in range(rounds + 1):
            ours_first = bool(number % 2)
            figures = {}
            for is_ours in (ours_first, not ours_first):
                rows = _rows(2 * number + is_ours, count)
                job = _job(ours, weights, rows, 0)
                began = time.perf_counter()
                if is_ours:
                    await asyncio.to_thread(_asked, job)
                else:
                    await _ask_engine(engine, job)
                figures[is_ours] = count / (time.perf_counter() - began)
            rates.append((figures[True], figures[False]))
    rates = rates[1:]  # the first reads the prefix
    return Bar.median(
        f"{name}: {_RATE}",
        (own / alone for own, alone in rates),
        "ratio",
        least=_LEAST_RATE,
        note=f"{_SLOTS} at once, {count} rows, {rounds} rounds",
        beside={
            "h2o_magic": statistics.median(own for own, _ in rates),
            "engine": statistics.median(alone for _, alone in rates),
        },
    )


def _rows(number: int, count: int) -> list[dict[str, object]]:
    """Return the rows of a round, of which no other has any."""
    texts = [question.text for question in questions()]
    return [{"text": f"({number}.{n}) {texts[n % len(texts)]}"} for n in range(count)]


def _job(
    server: Address, weights: Weights, rows: list[dict[str, object]], heat: float
) -> Job:
    backend = OpenAIBackend(server.url.removesuffix("/chat/completions"), server.key)
    with closing(Session(backend)) as session:
        session.configure(model=str(weights.path), temperature=heat, **_ANSWER)
        options = RunOptions(keep=False)
        return prepare_job(session, rows, _PREFIX + "{text}", options=options)


def _run(
    server: Address, weights: Weights, rows: list[dict[str, object]], heat: float
) -> None:
    _asked(_job(server, weights, rows, heat))


def _asked(job: Job) -> None:
    progress = run_job(job).progress
    if progress.state != "done" or progress.errors:
        raise RuntimeError(f"a run failed: {progress}")


async def _ask_engine(engine: Address, job: Job) -> None:
    """Ask the engine the same, with as many at once as it has slots."""
    backend = job.asked.serving.backend()
    bodies = [
        _body(backend, job, row)
        for batch in job.rows.batches(job.template.columns)
        for row in batch
    ]
    waiting = iter(bodies)

    async def worker() -> None:
        for body in waiting:
            heard = await ask(engine.url, engine.key, body)
            if heard.status != 200 or not heard.whole:
                raise RuntimeError(f"the engine alone failed: {heard}")

    await asyncio.gather(*(worker() for _ in range(_SLOTS)))


def _body(backend: Any, job: Job, row: Sequence[object]) -> dict[str, Any]:
    body = backend.body(job.requests.of(job.requests.text(row)))
    return {
        name: v for name, v in body.items() if name not in ("cache_prompt", "model")
    }


def _engine_seconds(server: int) -> float:
    """Return the processor time of the engines of our server."""
    children = psutil.Process(server).children()
    return sum(sum(child.cpu_times()[:2]) for child in children)
