"""A real model, small enough for any machine: SmolLM2-135M, as users have it.

That what our server answers is what the engine answers by itself, for the same
messages and settings; how many of forty plain questions it answers rightly, by system
text; and how long a cell waits for its first text. The engine runs in a process of its
own, without this package.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import statistics
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from benchmarks.apparatus.kernel import CellRun, Kernel, running_kernel
from benchmarks.bars import Bar
from benchmarks.parts import Options
from benchmarks.questions import questions
from benchmarks.server.processes import Address, own_server, started
from benchmarks.server.sse_client import Heard, ask
from h2o_magic.config.models import MODELS, REAL_MODEL
from h2o_magic.weights.files import Weights, find_weights
from h2o_magic.weights.memory import default_memory, plan_memory

__all__ = ["figures", "measure"]

_ENTRY = MODELS[REAL_MODEL]
_TITLE = _ENTRY.title or REAL_MODEL
_LEAST_RIGHT = 32
_MOST_FIRST_S = 0.2
_SLOTS = 4
_LENGTH = 64
_PATIENCE = 20  # seconds, for the server's end

#: The system texts that were tried, by what the table calls them; None sends no message
#: for one, and the model's template brings its own. That of the catalogue comes first.
_SYSTEM: Mapping[str, str | None] = {
    "recommended": _ENTRY.system,
    "the template's own": None,
    "an empty one": "",
    "helpful": "You are a helpful assistant.",
    "short": "Answer in one short English sentence.",
    "concise": ("You are a concise, accurate assistant. Answer the question directly."),
    "notebook": (
        "You are a helpful assistant in a Jupyter notebook. Answer briefly and "
        "correctly, in English."
    ),
    "short and correct": (
        "You are a helpful assistant. Answer in short, correct English sentences."
    ),
}

_GREEDY = {"temperature": 0}
_SEEDED = {**_ENTRY.sampling, "seed": 7}
#: To the engine only: our server leaves its cache of prompts aside by itself where an
#: answer is to be the same each time.
_UNCACHED = {"cache_prompt": False}

#: Of 19 or 20 tokens; no two begin alike, so that only the system text may be cached.
_ASKED = (
    "{} is a country. Please say in one short sentence what its people like to eat."
)
_COUNTRIES = (
    *("France", "Italy", "Spain", "Japan", "Egypt", "Canada", "Russia", "China"),
    *("Brazil", "Mexico", "India", "Kenya", "Peru", "Norway", "Sweden", "Poland"),
    *("Greece", "Turkey", "Chile", "Cuba", "Ghana", "Nepal", "Ireland", "Finland"),
)

_Texts: TypeAlias = list[str]


def measure(options: Options) -> Iterator[Bar]:
    """Yield the figures, or that there are none without the weights."""
    weights = find_weights(REAL_MODEL)
    if weights is None or weights.demo or weights.stands_in_for:
        yield from _not_measured()
    else:
        yield from figures(weights, options.rounds)


def figures(weights: Weights, rounds: int) -> Iterator[Bar]:
    """Yield the figures of some weights.

    Parameters
    ----------
    weights
        Those of the model.
    rounds
        How often the first text is waited for.
    """
    yield _rule()
    yield from asyncio.run(_answers(weights.path))
    yield from asyncio.run(_first_texts(weights, rounds))


def _not_measured() -> Iterator[Bar]:
    note = f"its weights are not on this machine: h2o-magic pull {REAL_MODEL}"
    total = len(questions())
    for settings in ("temperature 0", "a seed"):
        name = _same_name(settings)
        yield Bar(name, math.nan, f"of {total}", least=total, note=note)
    unit = f"of {total}"
    yield Bar(_RIGHT, math.nan, unit, least=_LEAST_RIGHT, note=note)
    yield Bar(_FIRST, math.nan, "s", most=_MOST_FIRST_S, note=note)


_RIGHT = f"{_TITLE}: right answers, recommended system text"
_FIRST = f"{_TITLE} in memory: a cell's first text"


def _same_name(settings: str) -> str:
    return f"{_TITLE}, {settings}: texts as the engine's alone"


def _rule() -> Bar:
    """Return how often the right answer to one question is taken for another's.

    That the rule lets no wrong answer through, to the extent that this tells. Questions
    that have an answer in common are left out.
    """
    pairs = [
        (asked, other)
        for asked in questions()
        for other in questions()
        if not set(asked.accepted) & set(other.accepted)
    ]
    taken = [
        asked.text
        for asked, other in pairs
        if asked.is_right(f"The answer is {other.accepted[0]}.")
    ]
    return Bar(
        "scoring: answers to other questions taken for right",
        len(taken),
        f"of {len(pairs)}",
        most=0,
        note=str(taken[:3]) if taken else "",
    )


async def _answers(path: Path) -> list[Bar]:
    """Return how many texts are the same, and how many are right."""
    async with _engine(path) as engine, own_server(_SLOTS) as ours:
        bars = []
        greedy: _Texts = []
        for settings, more in (("temperature 0", _GREEDY), ("a seed", _SEEDED)):
            pairs = [
                await _in_turn(engine, ours, path, place, more)
                for place in range(len(questions()))
            ]
            bars.append(_same(settings, more, pairs))
            greedy = greedy or [alone for alone, _ in pairs]
        for name, system in _SYSTEM.items():
            recommended = system == _ENTRY.system
            texts = greedy if recommended else await _greedy(engine, system)
            bars.append(_right(name, system, texts))
    return bars


async def _in_turn(
    engine: Address, ours: Address, path: Path, place: int, more: Mapping[str, Any]
) -> tuple[str, str]:
    """Return the texts of the engine alone and of our server."""
    body = _body(questions()[place].text, _ENTRY.system, more)
    asked = {
        engine: {**body, **_UNCACHED},
        ours: {**body, "model": str(path)},
    }
    order = (engine, ours) if place % 2 else (ours, engine)
    said = {each: await asyncio.to_thread(_text, each, asked[each]) for each in order}
    return said[engine], said[ours]


async def _greedy(engine: Address, system: str | None) -> _Texts:
    return [
        await asyncio.to_thread(
            _text, engine, {**_body(question.text, system, _GREEDY), **_UNCACHED}
        )
        for question in questions()
    ]


def _body(question: str, system: str | None, more: Mapping[str, Any]) -> dict[str, Any]:
    told = [] if system is None else [{"role": "system", "content": system}]
    messages = [*told, {"role": "user", "content": question}]
    return {"messages": messages, "max_tokens": _LENGTH, **more}


def _text(server: Address, body: Mapping[str, Any]) -> str:
    """Ask for a whole answer, and return its text."""
    headers = {
        "Authorization": f"Bearer {server.key}",
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(server.url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as reply:
        answer = json.load(reply)
    return str(answer["choices"][0]["message"]["content"])


def _same(
    settings: str, more: Mapping[str, Any], pairs: Sequence[tuple[str, str]]
) -> Bar:
    others = [
        question.text
        for question, (alone, ours) in zip(questions(), pairs, strict=True)
        if alone != ours
    ]
    told = ", ".join(f"{name} {value:g}" for name, value in more.items())
    return Bar(
        _same_name(settings),
        len(pairs) - len(others),
        f"of {len(pairs)}",
        least=len(pairs),
        note=f"{told}; others: {others[:3]}" if others else told,
    )


def _right(name: str, system: str | None, texts: _Texts) -> Bar:
    """Return how many of the answers with a system text are right."""
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for question, text in zip(questions(), texts, strict=True):
        asked[question.category] += 1
        right[question.category] += question.is_right(text)
    recommended = system == _ENTRY.system
    return Bar(
        _RIGHT if recommended else f"right answers, system text: {name}",
        right.total(),
        f"of {len(texts)}",
        least=_LEAST_RIGHT if recommended else None,
        note=", ".join(f"{kind} {right[kind]}/{asked[kind]}" for kind in asked),
    )


async def _first_texts(weights: Weights, rounds: int) -> list[Bar]:
    """Return how long a cell waits for its first text, and the engine's own reader."""
    async with _engine(weights.path) as engine:
        with _kernel(weights) as kernel:
            await _round(engine, kernel, 0)
            waits, heard = zip(
                *[await _round(engine, kernel, n) for n in range(1, rounds + 1)],
                strict=True,
            )
    firsts = [one.times[0] - one.asked for one in heard]
    rates = [len(one.gaps) / (one.times[-1] - one.times[0]) for one in heard]
    beside = {
        "engine": statistics.median(firsts),
        "h2o_magic": statistics.median(waits),
    }
    note = (
        f"{rounds} rounds: {min(waits):.3f} to {max(waits):.3f}; the engine's first "
        f"token {beside['engine']:.3f} ({min(firsts):.3f} to {max(firsts):.3f})"
    )
    return [
        Bar.median(_FIRST, waits, "s", most=_MOST_FIRST_S, note=note, beside=beside),
        Bar.median(
            "later than the engine's first token",
            ((ours - own) * 1000 for ours, own in zip(waits, firsts, strict=True)),
            "ms",
            beside=beside,
        ),
        Bar.median("tokens/s of the engine alone, 1 stream", rates, "tokens/s"),
    ]


async def _round(engine: Address, kernel: Kernel, number: int) -> tuple[float, Heard]:
    """Ask both; return the cell's wait in seconds, and what the engine said."""
    question = _ASKED.format(_COUNTRIES[number % len(_COUNTRIES)])
    waited = _wait(kernel, question) if number % 2 else None
    body = _body(question, _ENTRY.system, _ENTRY.sampling)
    heard = await ask(engine.url, engine.key, body)
    if heard.status != 200 or len(heard.times) < 2:
        raise RuntimeError(f"the engine alone failed: {heard}")
    return _wait(kernel, question) if waited is None else waited, heard


def _wait(kernel: Kernel, question: str) -> float:
    run = kernel.run(f"%%h2o --new --max-new-tokens {_LENGTH}\n{question}")
    return _first_text(run) - run.sent


def _first_text(run: CellRun) -> float:
    """Return when the answer's first text was shown; small print is no text of it."""
    return next(
        message.time
        for message in run.shown
        if message.markdown.strip() and not message.markdown.startswith("<sub>")
    )


@asynccontextmanager
async def _engine(path: Path) -> AsyncIterator[Address]:
    """Run the engine alone, with as much room as our server gives it."""
    room = plan_memory(path, _SLOTS, default_memory())
    threads = [] if room.threads is None else ["--threads", str(room.threads)]
    async with started(
        "benchmarks.server.engine_alone",
        *[str(path), "--slots", str(room.slots), "--capacity", str(room.capacity)],
        *["--cache", str(room.prompt_cache // 2**20), *threads],
    ) as address:
        yield address


@contextmanager
def _kernel(weights: Weights) -> Iterator[Kernel]:
    """Start a kernel whose questions the weights answer, with a server of its own."""
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as home,
        _server_ended(Path(home)),
        running_kernel(
            H2O_MAGIC_HOME=home, JPY_SESSION_NAME=f"{home}/real.ipynb"
        ) as kernel,
    ):
        kernel.run("%load_ext h2o_magic")
        kernel.run(f"%config H2OMagics.model = {weights.model!r}")
        kernel.run("%config H2OMagics.strict = True")
        yield kernel


@contextmanager
def _server_ended(home: Path) -> Iterator[None]:
    """End the server of this home, by its process id, when the block is left."""
    try:
        yield
    finally:
        for runtime in home.glob("server-*.json"):
            with suppress(ProcessLookupError):
                os.kill(json.loads(runtime.read_text())["pid"], signal.SIGTERM)
            deadline = time.monotonic() + _PATIENCE
            while runtime.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
