"""Calls of the engine's routes share a connection, and survive its end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from h2o_magic.errors import GenerationError
from h2o_magic.server.engine import Engine
from h2o_magic.server.engine_calls import EngineCalls
from h2o_magic.weights.memory import MemoryPlan


@contextmanager
def scripted(*connections: list[bytes]) -> Iterator[tuple[EngineCalls, list[bytes]]]:
    """Answer each connection's requests in turn, then close it; collect them."""
    requests: list[bytes] = []

    def serve() -> None:
        for answers in connections:
            accepted, _ = listening.accept()
            with accepted:
                for answer in answers:
                    requests.append(accepted.recv(65536))
                    for place in range(0, len(answer), 7):
                        accepted.sendall(answer[place : place + 7])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        port = listening.getsockname()[1]
        calls = EngineCalls(f"http://127.0.0.1:{port}", "/secret", "key")
        yield calls, requests
        thread.join()
        calls.close()


def answer(body: bytes, status: str = "200 OK") -> bytes:
    length = f"content-length: {len(body)}"
    return f"HTTP/1.1 {status}\r\nServer: x\r\n{length}\r\n\r\n".encode() + body


def test_a_connection_is_used_again() -> None:
    with scripted([answer(b'{"a": 1}'), answer(b'{"a": 2}')]) as (calls, requests):
        assert calls.call("POST", "/x", {"b": "é"}) == {"a": 1}
        assert calls.call("GET", "/y") == {"a": 2}
    assert requests[0].startswith(b"POST /secret/x HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer key\r\n" in requests[0]
    assert requests[0].endswith(b'\r\n\r\n{"b": "\\u00e9"}')
    assert requests[1].startswith(b"GET /secret/y HTTP/1.1\r\n")


def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    with scripted([answer(b'{"a": 1}')], [answer(b'{"a": 2}')]) as (calls, _):
        assert calls.call("GET", "/x") == {"a": 1}
        assert calls.call("GET", "/x") == {"a": 2}


@pytest.mark.parametrize(
    "said", [b"", b"nonsense\r\n\r\n", answer(b"{"), b"HTTP/1.1 200 OK\r\n\r\n{}"]
)
def test_an_answer_that_is_none_is_an_error(said: bytes) -> None:
    with (
        scripted([said]) as (calls, _),
        pytest.raises(GenerationError, match="does not respond"),
    ):
        calls.call("GET", "/x")


def test_an_error_of_the_engine_is_told_in_its_words() -> None:
    body = b'{"error": {"message": "no such thing", "code": 400}}'
    with (
        scripted([answer(body, "400 Bad Request")]) as (calls, _),
        pytest.raises(GenerationError, match="no such thing"),
    ):
        calls.call("GET", "/x")


def test_the_real_engine_is_asked_more_often_than_it_keeps_a_connection(
    noisy: str,
) -> None:
    with closing(Engine(Path(noisy), MemoryPlan(1, 512, 512, threads=1))) as engine:
        for _ in range(250):
            assert engine.tokenize("abc", markers=False) == list(b"abc")


def test_many_threads_may_call_at_once(noisy: str) -> None:
    wrong: list[object] = []

    def ask(number: int) -> None:
        text = "abc" * number
        for _ in range(20):
            if len(found := engine.tokenize(text, markers=False)) != len(text):
                wrong.append(found)

    with closing(Engine(Path(noisy), MemoryPlan(1, 512, 512, threads=1))) as engine:
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
