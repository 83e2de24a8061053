"""Other libraries' own calls: those that the engine's own server serves, ours serves.

Each library is installed in an environment of its own, and asks as it does by default:
for text, a stream, an answer of a class, the use of a tool. Both servers have the demo
weights for what is said, and SmolLM2, if it is on this machine, for tools.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from benchmarks.apparatus.environments import InstallationError, made, node_packages
from benchmarks.bars import Bar
from benchmarks.parts import Options
from benchmarks.server.processes import Address, own_server, started
from h2o_magic.config.models import REAL_MODEL
from h2o_magic.weights.files import BUILT_IN, find_weights
from h2o_magic.weights.gguf import read_header

__all__ = ["measure"]

_ROOT = Path(__file__).parents[2]
_SCRIPTS = _ROOT / "benchmarks" / "clients"
_DEMO = "demo"
_SLOTS = 4
_PATIENCE = 900  # seconds, for all calls of a library to one server


@dataclass(frozen=True)
class _Library:
    """What is installed, its packages whose releases are told, and its script."""

    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    script: str

    @property
    def name(self) -> str:
        return self.packages[0]

    @property
    def is_for_node(self) -> bool:
        return self.script.endswith(".mjs")


def _of_python(requirement: str, script: str, package: str = "") -> _Library:
    package = package or requirement
    return _Library((requirement,), (package,), f"benchmarks.clients.{script}")


_LIBRARIES = (
    _of_python("litellm", "litellm_calls"),
    _of_python("langchain-openai", "langchain_calls"),
    _of_python("llama-index-llms-openai-like", "llama_index_calls"),
    _of_python("pydantic-ai-slim[openai]", "pydantic_ai_calls", "pydantic-ai-slim"),
    _of_python("instructor", "instructor_calls"),
    _of_python("openai-agents", "openai_agents_calls"),
    _of_python("smolagents[openai]", "smolagents_calls", "smolagents"),
    _of_python("llm", "llm_calls"),
    _Library(
        ("ai", "@ai-sdk/openai-compatible", "zod"),
        ("ai", "@ai-sdk/openai-compatible"),
        "ai_sdk_calls.mjs",
    ),
)

#: Nothing is fetched from elsewhere, or told to anybody.
_QUIET = {
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NO_PROXY": "127.0.0.1",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
}

#: A server's places: url, key and model for what is said, and the same for tools.
_Places: TypeAlias = tuple[str, ...]
#: Why each call failed, by its name; empty if it passed.
_Outcomes: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class _Servers:
    engine: _Places
    ours: _Places


def measure(options: Options) -> Iterator[Bar]:
    """Yield a figure for each library: of calls that pass, how many do with ours."""
    return iter(asyncio.run(_measured(options)))


async def _measured(options: Options) -> list[Bar]:
    async with _servers() as servers:
        return [
            await asyncio.to_thread(_figure, library, servers, options.keep)
            for library in _LIBRARIES
        ]


def _figure(library: _Library, servers: _Servers, keep: Path | None) -> Bar:
    with _folder(library, keep) as folder:
        try:
            command, releases = _installed(library, folder)
        except InstallationError as error:
            note = f"not measured: it cannot be installed here ({error})"
            return Bar(library.name, math.nan, "calls", note=note)
        engine = _outcomes(command, servers.engine, folder)
        ours = _outcomes(command, servers.ours, folder)
    print(_rows(releases, engine, ours), flush=True)
    return _bar(releases, engine, ours)


@contextmanager
def _folder(library: _Library, keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        folder = keep.resolve() / library.name
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()


def _installed(library: _Library, folder: Path) -> tuple[list[str], str]:
    """Install a library; return what runs its script, and which releases there are."""
    if library.is_for_node:
        versions = node_packages(folder, *library.requirements)
        script = shutil.copy(_SCRIPTS / library.script, folder)
        command = ["node", str(script)]
    else:
        environment = made(folder / "environment", *library.requirements)
        versions = {name: environment.version(name) for name in library.packages}
        command = [str(environment.python), "-m", library.script]
    return command, ", ".join(f"{name} {versions[name]}" for name in library.packages)


def _outcomes(command: Sequence[str], places: _Places, folder: Path) -> _Outcomes:
    """Run a script against a server, and return what it told of each call."""
    try:
        done = subprocess.run(
            [*command, *places],
            check=False,
            cwd=folder,
            env=os.environ | _QUIET | {"PYTHONPATH": str(_ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
        )
        said, failed = done.stdout, done.stderr if done.returncode else b""
    except subprocess.TimeoutExpired as error:
        said, failed = error.stdout or b"", f"no end after {_PATIENCE} s".encode()
    if failed:  # what libraries log of calls that fail is told by the script
        print(f"{command[-1]}: {failed.decode()[-2000:]}", file=sys.stderr, flush=True)
    lines = said.decode().splitlines()
    told = [json.loads(line) for line in lines if line.startswith('{"call"')]
    return {one["call"]: one["failed"] for one in told}


def _rows(releases: str, engine: _Outcomes, ours: _Outcomes) -> str:
    """Return a table of the calls: whether each passes against both, and why not."""
    rows = [(releases, "engine", "ours", "")]
    for call in {**engine, **ours}:
        verdicts = [_passed(outcomes, call) for outcomes in (engine, ours)]
        why = ours.get(call, "not tried") if verdicts == [True, False] else ""
        why = why or engine.get(call, "not tried")
        marks = ["yes" if passed else "no" for passed in verdicts]
        rows.append((call, marks[0], marks[1], " ".join(why.split())[:100]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def _bar(releases: str, engine: _Outcomes, ours: _Outcomes) -> Bar:
    passing = [call for call in engine if _passed(engine, call)]
    name = f"{releases}: pass as with the engine's own"
    if not passing:
        note = "not measured: none passes with the engine's own server"
        return Bar(name, math.nan, "calls", note=note)
    missed = [call for call in passing if not _passed(ours, call)]
    note = f"missed: {'; '.join(missed)}" if missed else ""
    count = len(passing)
    return Bar(name, count - len(missed), f"of {count}", least=count, note=note)


def _passed(outcomes: _Outcomes, call: str) -> bool:
    return outcomes.get(call) == ""


@asynccontextmanager
async def _servers() -> AsyncIterator[_Servers]:
    demo = BUILT_IN / "demo-llama.gguf"
    weights = find_weights(REAL_MODEL)
    real = None if weights is None or weights.demo else weights.path
    async with own_server(_SLOTS) as own, _engine(demo) as engine:
        if real is None:
            ours, theirs = (_place(each, _DEMO) for each in (own, engine))
            yield _Servers(engine=theirs * 2, ours=ours * 2)
            return
        async with _engine(real) as another:
            ours = (*_place(own, _DEMO), *_place(own, str(real)))
            theirs = (*_place(engine, _DEMO), *_place(another, REAL_MODEL))
            yield _Servers(engine=theirs, ours=ours)


@asynccontextmanager
async def _engine(path: Path) -> AsyncIterator[Address]:
    """Run the engine's own server, with the whole context for each slot."""
    capacity = _SLOTS * read_header(path).context_length
    options = ["--slots", str(_SLOTS), "--capacity", str(capacity), "--cache", "0"]
    async with started(
        "benchmarks.server.engine_alone",
        *[str(path), *options, "--threads", "1"],
    ) as address:
        yield address


def _place(address: Address, model: str) -> _Places:
    return address.url.partition("/v1/")[0], address.key, model
