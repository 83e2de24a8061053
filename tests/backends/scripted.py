"""A server of raw sockets that answers byte for byte what a test writes.

Recordings of the real server (tests/recordings/gpt-gm) are replayed with it, re-cut
into pieces of any size. It misbehaves on request: it cuts, stalls, closes idle
connections, and sends what no HTTP library would send.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs

RECORDINGS = Path(__file__).parent.parent / "recordings" / "gpt-gm"


@dataclass(frozen=True)
class Request:
    """What a client sent; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int  # the how manieth connection of this server it came on

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode(), keep_blank_values=True)


@dataclass(frozen=True)
class Answer:
    """What is sent: a head, then pieces of the body, then an end."""

    head: bytes
    pieces: tuple[bytes, ...] = ()
    end: Literal["keep", "close", "hold"] = "keep"
    gates: dict[int, threading.Event] = field(default_factory=dict)
    terminal: bytes = b""

    def cut(self, size: int) -> Answer:
        """The same bytes, `size` of them to a send, head and all."""
        wire = self.head + b"".join(self.pieces) + self.terminal
        parts = tuple(wire[i : i + size] for i in range(0, len(wire), size))
        return replace(self, head=b"", pieces=parts, terminal=b"")


def answer(
    body: bytes | list[bytes] = b"",
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    content_type: str | None = "application/json",
    end: Literal["keep", "close", "hold", "cut"] = "keep",
    chunked: bool = True,
    gates: dict[int, threading.Event] | None = None,
) -> Answer:
    """An answer written by a test. "cut" closes before the body's end."""
    pieces = [body] if isinstance(body, bytes) else body
    lines = [f"HTTP/1.1 {status} X"]
    lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    if chunked:
        lines.append("Transfer-Encoding: chunked")
        pieces = [b"%x\r\n%s\r\n" % (len(p), p) for p in pieces if p]
    elif end == "close":
        lines.append("Connection: close")  # and no length: the end is the end
    elif "Content-Length" not in (headers or {}):
        lines.append(f"Content-Length: {sum(map(len, pieces))}")
    head = "\r\n".join([*lines, "", ""]).encode()
    terminal = b"0\r\n\r\n" if chunked and end not in ("cut", "hold") else b""
    return Answer(
        head,
        tuple(pieces),
        "close" if end in ("cut", "close") else end,
        gates or {},
        terminal,
    )


def document(value: Any, **kwargs: Any) -> Answer:
    return answer(json.dumps(value).encode(), **kwargs)


def events(*documents: Any, **kwargs: Any) -> Answer:
    """A stream with one event for each document; a bytes object is sent as it is."""
    pieces = [
        d if isinstance(d, bytes) else b"data:%s\n\n" % json.dumps(d).encode()
        for d in documents
    ]
    kwargs.setdefault("content_type", "text/event-stream")
    return answer(pieces, **kwargs)


def token(text: str, **more: Any) -> dict[str, Any]:
    return {
        "token": {"id": 5, "text": text, "logprob": -0.1, "special": False, **more},
        "generated_text": None,
        "details": None,
    }


def final(text: str, details: Any = None) -> dict[str, Any]:
    special = {"id": 2, "text": "</s>", "logprob": -0.1, "special": True}
    return {"token": special, "generated_text": text, "details": details}


def load(case: str, folder: Path = RECORDINGS) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads((folder / f"{case}.json").read_text())
    return recording


def recorded_body(case: str, folder: Path = RECORDINGS) -> bytes:
    chunks = load(case, folder)["response"]["chunks"]
    return b"".join(base64.b64decode(data) for _, data in chunks)


def recorded(case: str, folder: Path = RECORDINGS) -> Answer:
    """A recorded answer, byte for byte."""
    response = load(case, folder)["response"]
    headers = response["headers"]
    lines = [f"HTTP/1.1 {response['status']} X", *(f"{k}: {v}" for k, v in headers)]
    head = ("\r\n".join([*lines, "", ""])).encode("latin-1")
    pieces = [base64.b64decode(data) for _, data in response["chunks"]]
    names = {name.lower(): value for name, value in headers}
    chunked = names.get("transfer-encoding") == "chunked"
    if chunked:
        pieces = [b"%x\r\n%s\r\n" % (len(p), p) for p in pieces if p]
    end: Literal["keep", "close", "hold"] = "keep"
    if response["end"] == "cut":
        end = "close"
    elif response["end"] != "complete":
        end = "hold"
    terminal = b"0\r\n\r\n" if chunked and response["end"] == "complete" else b""
    return Answer(head, tuple(pieces), end, terminal=terminal)


DROP = Answer(b"", end="close")  # no answer at all
Script = Callable[[Request], Answer]


class ScriptedServer:
    """Answers each request as its script says, and remembers the requests."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.left = threading.Semaphore(0)  # released when a client has left
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def calls(self) -> list[str]:
        return [f"{r.method} {r.path}" for r in self.requests]

    def asked(self, call: str) -> list[Request]:
        return [r for r in self.requests if f"{r.method} {r.path}" == call]

    def close(self) -> None:
        self._closing = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._sockets):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(timeout=60)
            assert not thread.is_alive()

    def _listen(self) -> None:
        while not self._closing:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(sock)
            number = len(self._sockets)
            thread = threading.Thread(target=self._serve, args=(sock, number))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with sock, sock.makefile("rb") as stream, suppress(OSError):
            while request := _read_request(stream, number):
                self.requests.append(request)
                reply = self.script(request)
                try:
                    self._send(sock, reply)
                    if reply.end == "hold":
                        stream.read(1)  # until the client leaves
                finally:
                    if reply.end == "hold":
                        self.left.release()
                if reply.end != "keep":
                    break

    def _send(self, sock: socket.socket, reply: Answer) -> None:
        sock.sendall(reply.head)
        for index, piece in enumerate(reply.pieces):
            if index in reply.gates:
                while not reply.gates[index].wait(0.05):
                    if self._closing:
                        return
            sock.sendall(piece)
        sock.sendall(reply.terminal)


def _read_request(stream: Any, number: int) -> Request | None:
    line = stream.readline().decode("latin-1")
    if not re.fullmatch(r"[A-Z]+ \S+ HTTP/1.1\r\n", line):
        return None  # the end, or a client that speaks TLS
    method, path, _ = line.split(" ")
    headers: dict[str, str] = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    size = int(headers.get("content-length", 0))
    body = stream.read(size)
    if len(body) < size:
        return None  # the client was stopped between the head and the body
    return Request(method, path, headers, body, number)


@contextmanager
def serving(script: Script) -> Iterator[ScriptedServer]:
    server = ScriptedServer(script)
    try:
        yield server
    finally:
        server.close()


class GptGmScript:
    """The routes of a gpt-gm server; each gives its queued answers, then the usual."""

    CONVERSATION = "6b0325b8a8e89309e9596fd6"

    def __init__(self, *generate: Answer) -> None:
        self.queues: dict[str, list[Answer]] = {"generate": list(generate)}
        self.usual = {
            "page": recorded("get-root"),
            "settings": recorded("settings-ok-json"),
            "create": recorded("conversation-create"),
            "generate": recorded("generate-first-turn"),
            "stop": recorded("stop-generating"),
            "delete": recorded("delete"),
        }

    def then(self, step: str, *answers: Answer) -> GptGmScript:
        self.queues.setdefault(step, []).extend(answers)
        return self

    def __call__(self, request: Request) -> Answer:
        step = self.step(request)
        queue = self.queues.get(step, [])
        return queue.pop(0) if queue else self.usual[step]

    @staticmethod
    def step(request: Request) -> str:
        """Name the step of the protocol that `request` is, or return its path."""
        for name, method, path in _STEPS:
            if request.method == method and re.fullmatch(path, request.path):
                return name
        return request.path


_STEPS = (
    ("page", "GET", "(/chat)?/"),
    ("settings", "POST", "(/chat)?/settings"),
    ("create", "POST", "(/chat)?/conversation"),
    ("generate", "POST", "(/chat)?/conversation/[^/]+"),
    ("stop", "POST", "(/chat)?/conversation/[^/]+/stop-generating"),
    ("delete", "DELETE", "(/chat)?/conversation/[^/]+"),
)
