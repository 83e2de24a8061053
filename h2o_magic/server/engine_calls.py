"""Calls of the engine's own HTTP routes on a loopback port.

Two such calls precede each answer, so they use an open connection and no general HTTP
client, which would take longer than the engine does.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from h2o_magic.errors import GenerationError
from h2o_magic.server.engine_stream import failure

_TIMEOUT = 60.0


class EngineCalls:
    """Makes calls, from any thread, and keeps one connection open.

    Not more than one: each takes one of the engine's few HTTP threads, also when idle.
    """

    def __init__(self, url: str, prefix: str, key: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._prefix = prefix
        self._headers = f"Host: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
        self._kept: socket.socket | None = None
        self._lock = threading.Lock()

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        try:
            status, text = self._ask(self._request(method, path, body))
            value: dict[str, Any] = json.loads(text)
        except (OSError, ValueError) as error:
            raise GenerationError(f"the engine does not respond: {error!r}") from error
        if status != 200:
            raise failure(value)
        return value

    def wake(self, path: str) -> None:
        try:
            self._ask(self._request("GET", path, None))
        except (OSError, ValueError) as error:
            raise GenerationError(f"the engine does not respond: {error!r}") from error

    def close(self) -> None:
        self._keep(None)

    def _request(self, method: str, path: str, body: object) -> bytes:
        data = json.dumps(body).encode()
        head = (
            f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        return head.encode() + data

    def _ask(self, request: bytes) -> tuple[int, bytes]:
        kept = self._swap(None)
        if kept is not None:
            # The engine closes a connection after a while, which proves nothing.
            with suppress(OSError):
                return self._exchange(kept, request)
        fresh = socket.create_connection(self._address, _TIMEOUT)
        return self._exchange(fresh, request)

    def _exchange(self, connection: socket.socket, request: bytes) -> tuple[int, bytes]:
        try:
            connection.sendall(request)
            answer = _read(connection)
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return answer

    def _keep(self, connection: socket.socket | None) -> None:
        former = self._swap(connection)
        if former is not None:
            former.close()

    def _swap(self, connection: socket.socket | None) -> socket.socket | None:
        with self._lock:
            former, self._kept = self._kept, connection
        return former


def _read(connection: socket.socket) -> tuple[int, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _receive(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.1 (\d{3})", head)
    length = re.search(rb"(?i)\r\nContent-Length: *(\d+)", head)
    if status is None or length is None:
        raise ValueError(f"expected a response with Content-Length, got {head[:80]!r}")
    parts, missing = [body], int(length[1]) - len(body)
    while missing > 0:
        parts.append(_receive(connection))
        missing -= len(parts[-1])
    return int(status[1]), b"".join(parts)


def _receive(connection: socket.socket) -> bytes:
    received = connection.recv(2**16)
    if not received:
        raise ConnectionResetError("it closed the connection")
    return received
