"""Whoever reaches the port, but has no token, keeps nobody else out."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path

import psutil
import pytest

from h2o_magic.server.connections import resolve
from h2o_magic.server.log_output import RepeatFilter
from tests.server.client import Client, until
from tests.server.conftest import Serving, Start
from tests.server.routes import WITH_BODY, of_a_conversation
from tests.server.test_openai_routes import CHAT, body, sse

HALF = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


#: A server for which time alone solves nothing.
PATIENT = """
from h2o_magic import cli
from h2o_magic.server import bodies, connections
bodies._SECONDS = connections._HEAD_SECONDS = 600
raise SystemExit(cli.main())
"""


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[tuple[Client, Path]]:
    """A server that can open few files, and its log."""
    runtime, log = tmp_path / "runtime.json", tmp_path / "server.log"
    command = [sys.executable, "-c", PATIENT, "serve"]
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


def test_who_is_being_answered_keeps_its_place_when_all_are_taken(
    narrow: tuple[Client, Path], endless: str
) -> None:
    client, _ = narrow
    with ExitStack() as kept:
        asked = body(endless, stream=True, max_tokens=8000)
        answer = kept.enter_context(client.open("POST", CHAT, asked))
        while answers(client):
            kept.enter_context(begun(client, CHAT, 2))
        for _ in range(100):
            assert answer.readline()
    until(lambda: answers(client))


def answers(client: Client) -> bool:
    try:
        return client.call("GET", "/health").status == 200
    except (ConnectionError, HTTPException):
        return False


IMPATIENT = """
from h2o_magic.server import bodies, connections
bodies._DRAIN_SECONDS = bodies._SECONDS = connections._HEAD_SECONDS = 0.5
connections._READ_SECONDS = 0.5
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


@pytest.mark.parametrize("path", WITH_BODY)
def test_a_body_that_is_announced_as_too_large_is_not_waited_for(
    impatient: Serving, path: str
) -> None:
    client = impatient.client()
    path = of_a_conversation(client, path)
    with begun(client, path, 16 * 2**20 + 1) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


@contextmanager
def begun(client: Client, path: str, size: int) -> Iterator[socket.socket]:
    """Send a head and the first byte of so many."""
    with socket.create_connection(address(client), timeout=30) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {client.token}\r\n"
            f"Content-Length: {size}\r\n\r\n{{".encode()
        )
        yield connection


@pytest.mark.parametrize("path", [CHAT, "/settings", "/conversation", "/api/unload"])
def test_a_body_that_comes_too_slowly_is_cut_off(impatient: Serving, path: str) -> None:
    client = impatient.client()
    with begun(client, of_a_conversation(client, path), 1000) as connection:
        answer = connection.recv(1000)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"expected the body at" in answer


def test_a_body_that_trickles_is_cut_off_too(impatient: Serving) -> None:
    """Each byte comes in time, and all of them never would."""
    client = impatient.client()
    with begun(client, CHAT, 1000) as connection, ended_by_peer():
        for _ in range(1000):
            connection.sendall(b" ")
            time.sleep(0.05)
        pytest.fail("it waited for every byte")


@contextmanager
def ended_by_peer() -> Iterator[None]:
    """Expect that the other side closes a connection meanwhile."""
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        yield


def received(connection: socket.socket) -> bytes:
    """Return everything until the other side closes."""
    parts = []
    with suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_who_reads_nothing_of_an_answer_loses_it(impatient: Serving) -> None:
    client = impatient.client()
    asked = json.dumps(body(messages=[{"role": "user", "content": "x" * 12_000_000}]))
    server = psutil.Process(impatient.process.pid)
    with socket.create_connection(address(client), timeout=60) as connection:
        connection.sendall(request(client, asked, path="/apply-template"))
        here = connection.getsockname()
        assert connection.recv(10) == b"HTTP/1.1 2"
        until(lambda: here not in [c.raddr for c in server.net_connections("tcp")])
        assert len(received(connection)) < 12_000_000


def request(
    client: Client, asked: str, version: str = "1.1", path: str = CHAT
) -> bytes:
    """Return a request for an answer, as bytes."""
    return (
        f"POST {path} HTTP/{version}\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {client.token}\r\n"
        f"Content-Length: {len(asked)}\r\n\r\n{asked}"
    ).encode()


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("stream", [True, False])
def test_who_will_send_no_more_still_gets_the_answer(
    serving: Serving, endless: str, *, stream: bool, version: str
) -> None:
    client = serving.client()
    asked = json.dumps(body(endless, stream=stream, max_tokens=400))
    with socket.create_connection(address(client), timeout=60) as connection:
        connection.sendall(request(client, asked, version))
        connection.shutdown(socket.SHUT_WR)
        answer = final(received(connection))
    assert answer.startswith(f"HTTP/{version} 200 ".encode())
    assert re.search(rb'"finish_reason": ?"length"', answer)
    assert (b"data: [DONE]\n\n" in answer) is stream


def final(answer: bytes) -> bytes:
    """Return an answer without the interim responses before it."""
    return re.sub(rb"^(HTTP/1.1 1\d\d [^\r]*\r\n\r\n)+", b"", answer)


def test_a_stream_of_who_will_send_no_more_has_whole_events(
    serving: Serving, endless: str
) -> None:
    client = serving.client()
    asked = json.dumps(body(endless, stream=True, max_tokens=400))
    with socket.create_connection(address(client), timeout=60) as connection:
        connection.sendall(request(client, asked))
        connection.shutdown(socket.SHUT_WR)
        answer = HTTPResponse(connection, method="POST")
        answer.begin()
        events = sse(answer.read())
    assert [json.loads(event)["object"] for event in events[:-1]]
    assert events[-1] == "[DONE]"


@pytest.mark.parametrize("stream", [True, False])
def test_who_has_gone_has_no_slot_for_long(
    serving: Serving, endless: str, *, stream: bool
) -> None:
    client = serving.client()
    asked = json.dumps(body(endless, stream=stream, max_tokens=8000))
    with socket.create_connection(address(client), timeout=60) as connection:
        connection.sendall(request(client, asked))
        until(lambda: client.busy_slots() == 1)
    until(lambda: client.busy_slots() == 0)


def test_who_goes_while_a_long_prompt_is_read_has_no_slot_for_long(
    serving: Serving, endless: str
) -> None:
    client = serving.client()
    long = [{"role": "user", "content": "x" * 7000}]
    asked = json.dumps(body(endless, messages=long, cache_prompt=False))
    for _ in range(3):
        with socket.create_connection(address(client), timeout=60) as connection:
            connection.sendall(request(client, asked))
            until(lambda: client.busy_slots() == 1)
        until(lambda: client.busy_slots() == 0)


def test_an_expectation_that_nobody_knows_breaks_nothing(serving: Serving) -> None:
    client = serving.client()
    headers = {"Expect": "the unexpected"}
    assert client.call("GET", "/health", headers=headers).status == 417
    assert "Unhandled" not in serving.log_file.read_text()


def test_a_head_that_does_not_end_is_not_waited_for(impatient: Serving) -> None:
    with socket.create_connection(address(impatient.client()), timeout=30) as slow:
        slow.sendall(HALF)
        assert slow.recv(1) == b""


def test_a_head_that_grows_without_end_is_refused(serving: Serving) -> None:
    with socket.create_connection(address(serving.client()), timeout=30) as greedy:
        greedy.sendall(HALF + b"x" * 70_000)
        answer = greedy.recv(1000)
    assert answer.split()[1] == b"400"
    assert b"aiohttp" not in answer
    assert b'"type": "invalid_request_error"' in answer


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
