"""A gpt-gm server whose answers a test writes: real sockets, scripted text.

A script is a list of steps: a text is sent as one token, an Event is waited for before
the next step, a dict is sent as an event of its own, CUT closes the connection. After
the last step the final event is sent. A number in place of the steps is the status of
an error.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONVERSATION = "0" * 24
CUT = object()
Step = str | threading.Event | dict[str, Any] | object


class StandIn:
    """The server's state as a test sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.script: Sequence[Step] | int = ["Hello", " world"]
        self.requests: list[tuple[str, str, Any]] = []
        self.sent = threading.Semaphore(0)  # released for every token on the wire
        self.stopped = threading.Event()  # a client asked to stop
        self.stops = 0  # how often
        self.details: dict[str, Any] = {"finish_reason": "eos_token"}

    def bodies(self, path: str) -> list[Any]:
        """What was posted to exactly `path`."""
        return [b for verb, p, b in self.requests if (verb, p) == ("POST", path)]

    @property
    def asked(self) -> list[Any]:
        """The bodies of the questions."""
        return self.bodies(f"/conversation/{CONVERSATION}")


@contextmanager
def stand_in() -> Iterator[StandIn]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    state = StandIn(f"http://127.0.0.1:{server.server_address[1]}")
    server.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield state
    finally:
        state.stops += 1
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def state(self) -> StandIn:
        return self.server.state  # type: ignore[attr-defined, no-any-return]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._note()
        if self.path == "/__data.json":  # a page without a list of models
            self._json({"type": "data", "nodes": [{"type": "data", "data": [{}]}]})
        else:
            self._reply(200, "text/html", b"<p>chat</p>")

    def do_DELETE(self) -> None:
        self._note()
        self._reply(200, "text/plain", b"")

    def do_POST(self) -> None:
        body = self._note()
        if self.path == "/settings":
            self._json({"type": "redirect", "status": 303, "location": "/"})
        elif self.path == "/conversation":
            reply: dict[str, Any] = {"conversationId": CONVERSATION}
            if isinstance(body, dict) and "messages" in body:
                reply["messages"] = len(body["messages"])
            self._json(reply)
        elif self.path.endswith("/stop-generating"):
            self.state.stops += 1
            self.state.stopped.set()
            self._reply(200, "text/plain", b"")
        else:
            self._generate()

    def _note(self) -> Any:
        text = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        try:
            body = json.loads(text)
        except ValueError:
            body = text
        self.state.requests.append((self.command, self.path, body))
        return body

    def _json(self, value: object) -> None:
        self._reply(200, "application/json", json.dumps(value).encode())

    def _reply(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "hf-chat=1; Path=/; HttpOnly")
        self.end_headers()
        self.wfile.write(body)

    def _generate(self) -> None:
        script = self.state.script
        if isinstance(script, int):
            body = json.dumps({"error": "No such luck."}).encode()
            self._reply(script, "application/json", body)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._play(script)
        except OSError:
            self.close_connection = True  # the client went away

    def _play(self, script: Sequence[Step]) -> None:
        said: list[str] = []
        stops = self.state.stops
        for step in script:
            if isinstance(step, threading.Event):
                while not step.wait(0.02):
                    if self.state.stops > stops:
                        self.close_connection = True
                        return
            elif step is CUT:
                self.close_connection = True
                return
            elif isinstance(step, dict):
                self._event(step)
            elif isinstance(step, str):
                said.append(step)
                self._event(_token(step, special=False))
                self.state.sent.release()
        final = _token("</s>", special=True)
        final |= {"generated_text": "".join(said), "details": self.state.details}
        self._event(final)
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, value: dict[str, Any]) -> None:
        data = b"data:" + json.dumps(value).encode() + b"\n\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


def _token(text: str, *, special: bool) -> dict[str, Any]:
    token = {"id": 1, "text": text, "logprob": -0.1, "special": special}
    return {"token": token, "generated_text": None, "details": None}
