"""A real server process, shared by the tests of this folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.server.client import Client, until
from tests.server.tiny_gguf import write_llama


@dataclass(frozen=True)
class Serving:
    """A server process and how to reach it."""

    process: subprocess.Popen[bytes]
    runtime_file: Path
    log_file: Path
    url: str
    token: str

    def client(self) -> Client:
        return Client(self.url, self.token)

    def wait(self) -> int:
        return self.process.wait(timeout=60)


Start = Callable[..., Serving]


def _start(folder: Path, *options: str, prelude: str = "") -> Serving:
    runtime, log = folder / "runtime.json", folder / "server.log"
    program = f"{prelude}\nfrom h2o_magic import cli\nraise SystemExit(cli.main())"
    command = [sys.executable, "-c", program, "serve"]
    command += ["--runtime-file", str(runtime), "--log-file", str(log), *options]
    # Nobody's own weights take part: the hub's cache is an empty one.
    process = subprocess.Popen(
        command,
        env=os.environ | {"HF_HUB_CACHE": str(folder / "hub")},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    until(lambda: runtime.exists() or process.poll() is not None)
    assert process.poll() is None, process.stderr and process.stderr.read()
    written = json.loads(runtime.read_text())
    return Serving(process, runtime, log, written["url"], written["token"])


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts servers with options, and what Python runs first, if anything.

    Those that still run at the end are ended.
    """
    started: list[Serving] = []

    def start(*options: str, prelude: str = "") -> Serving:
        folder = tmp_path_factory.mktemp("server")
        started.append(_start(folder, *options, prelude=prelude))
        return started[-1]

    yield start
    for serving in started:
        serving.process.terminate()
        serving.wait()
        if serving.process.stderr:
            serving.process.stderr.close()


@pytest.fixture(scope="session")
def serving(start: Start) -> Serving:
    """The server that most tests talk to."""
    return start("--idle-minutes", "0")


@pytest.fixture
def client(serving: Serving) -> Client:
    """A client of the server that most tests talk to."""
    return serving.client()


@pytest.fixture(scope="session")
def endless(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model whose greedy answers go on for seconds: only a limit ends them."""
    path = tmp_path_factory.mktemp("weights") / "endless.gguf"
    return str(write_llama(path, context=8192, layers=8))


@pytest.fixture(scope="session")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model whose tokens are bytes, all of them about equally likely."""
    path = tmp_path_factory.mktemp("weights") / "noisy.gguf"
    return str(write_llama(path, context=2048))
