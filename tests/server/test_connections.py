"""Whoever reaches the port, but has no token, keeps nobody else out."""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from h2o_magic.server.connections import resolve
from h2o_magic.server.log_output import RepeatFilter
from tests.server.client import Client, until
from tests.server.conftest import Serving, Start
from tests.server.test_openai_routes import CHAT

HALF = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[tuple[Client, Path]]:
    """A server that can open few files, and its log."""
    runtime, log = tmp_path / "runtime.json", tmp_path / "server.log"
    command = [sys.executable, "-m", "h2o_magic.cli", "serve"]
    command += [f"--runtime-file={runtime}", f"--log-file={log}"]
    limited = ["sh", "-c", 'ulimit -n 300; exec "$@"', "sh", *command]
    process = subprocess.Popen(limited, stdin=subprocess.DEVNULL)
    try:
        until(runtime.exists)
        written = json.loads(runtime.read_text())
        yield Client(written["url"], written["token"]), log
    finally:
        process.terminate()
        process.wait(60)


def address(client: Client) -> tuple[str, int]:
    host, port = client.url.removeprefix("http://").split(":")
    return host, int(port)


def test_half_heads_take_no_place_from_who_asks(narrow: tuple[Client, Path]) -> None:
    client, log = narrow
    with ExitStack() as kept:
        for _ in range(400):
            half = kept.enter_context(socket.create_connection(address(client)))
            half.sendall(HALF)
        assert client.call("GET", "/health").status == 200
        assert client.call("GET", "/v1/models").status == 200
    assert log.stat().st_size < 10_000


IMPATIENT = """
from h2o_magic.server import access, listening
access._DRAIN_SECONDS = listening.Connection.head_seconds = 0.5
"""


@pytest.fixture(scope="module")
def impatient(start: Start) -> Serving:
    """A server that waits half a second where others wait for some."""
    return start(prelude=IMPATIENT)


def test_a_refusal_waits_for_no_body_that_does_not_come(impatient: Serving) -> None:
    with socket.create_connection(address(impatient.client()), timeout=30) as silent:
        silent.sendall(
            f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Content-Length: 1000\r\n\r\n".encode()
        )
        assert silent.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_a_head_that_does_not_end_is_not_waited_for(impatient: Serving) -> None:
    with socket.create_connection(address(impatient.client()), timeout=30) as slow:
        slow.sendall(HALF)
        assert slow.recv(1) == b""


def test_a_head_that_grows_without_end_is_refused(serving: Serving) -> None:
    with socket.create_connection(address(serving.client()), timeout=30) as greedy:
        greedy.sendall(HALF + b"x" * 70_000)
        assert greedy.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_the_server_may_open_what_the_system_lets_it(serving: Serving) -> None:
    limits = Path(f"/proc/{serving.process.pid}/limits")
    if not limits.exists():
        pytest.skip("this system does not show limits as files")
    (line,) = [row for row in limits.read_text().splitlines() if "open files" in row]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert line.split()[3:5] == [str(hard), str(hard)]


def test_what_others_log_again_and_again_is_logged_seldom() -> None:
    repeats = RepeatFilter()
    passed = []
    for second in range(121):
        text = "no more files\nexception=ValueError('said')"
        record = logging.LogRecord("asyncio", 40, "f.py", 1, text, (), None)
        record.created = float(second)
        if repeats.filter(record):
            passed.append(record.getMessage())
    assert passed == ["no more files"] * 3


def test_what_the_server_writes_waits_for_no_acknowledgement() -> None:
    async def option_of_a_connection() -> int:
        options: asyncio.Queue[int] = asyncio.Queue()

        def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            options.put_nowait(
                accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            )
            writer.close()

        listening = resolve("127.0.0.1", 0).listen()
        async with await asyncio.start_server(note, sock=listening):
            with socket.create_connection(listening.getsockname()):
                return await options.get()

    assert asyncio.run(option_of_a_connection())
