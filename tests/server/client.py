"""A bare client, so that tests see what is on the wire."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

DEFAULTS = {
    "temperature": 0.4,
    "truncate": 2048,
    "max_new_tokens": 1024,
    "do_sample": True,
    "repetition_penalty": 1.2,
    "return_full_text": False,
    "details": True,
}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def words(self) -> str:
        """What an error says, in whichever dialect."""
        error = self.json["error"]
        found = error["message"] if isinstance(error, dict) else error
        assert isinstance(found, str)
        return found

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def events(self) -> list[dict[str, Any]]:
        return read_events(self.body)


def read_events(body: bytes) -> list[dict[str, Any]]:
    parts = [part for part in body.decode("utf-8").split("\n\n") if part]
    return [json.loads(part[5:]) for part in parts if part.startswith("data:")]


@dataclass
class Client:
    """A client of the server at `url`."""

    url: str
    token: str
    headers: dict[str, str] = field(default_factory=dict)

    def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> http.client.HTTPResponse:
        """Send a request and return the answer once its head is there."""
        return self.start(method, path, body, headers).getresponse()

    def start(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> http.client.HTTPConnection:
        """Send a request.

        A header given as None is left out.
        """
        wanted: dict[str, str | None] = {
            "Accept": "application/json",
            "Authorization": f"Bearer {self.token}",
            "Connection": "close",
        }
        if isinstance(body, dict | list):
            body = json.dumps(body)
            wanted["Content-Type"] = "application/json"
        wanted |= self.headers | dict(headers or {})
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        connection.putrequest(
            method, path, skip_host="Host" in wanted, skip_accept_encoding=True
        )
        data = body.encode() if isinstance(body, str) else body or b""
        if data or method in ("POST", "PATCH", "PUT"):
            wanted.setdefault("Content-Length", str(len(data)))
        for name, value in wanted.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(data)
        return connection

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Reply:
        with self.open(method, path, body, headers) as answer:
            heads = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, heads, answer.read())

    def converse(self, model: str = "llama-13b", **extra: Any) -> str:
        reply = self.call("POST", "/conversation", {"model": model, **extra})
        assert reply.status == 200, reply
        found = reply.json["conversationId"]
        assert isinstance(found, str)
        return found

    def open_answer(
        self, conversation: str, text: str, **parameters: Any
    ) -> http.client.HTTPResponse:
        return self.open(
            "POST", f"/conversation/{conversation}", turn(text, parameters)
        )

    def ask(
        self, conversation: str, text: str, **parameters: Any
    ) -> list[dict[str, Any]]:
        reply = self.call(
            "POST", f"/conversation/{conversation}", turn(text, parameters)
        )
        assert reply.status == 200, reply
        return reply.events

    def answer(self, text: str, model: str = "llama-13b", **parameters: Any) -> Any:
        """Ask in a new conversation, and return the last event."""
        return self.ask(self.converse(model), text, **parameters)[-1]

    def failure(self, model: str, **parameters: Any) -> Any:
        """Ask what fails, and return the error: an answer of its own, or the end."""
        path = f"/conversation/{self.converse(model)}"
        reply = self.call("POST", path, turn("hi", parameters))
        return reply.events[-1] if reply.status == 200 else reply.json

    def busy_slots(self) -> int:
        found = self.call("GET", "/health").json["busy_slots"]
        assert isinstance(found, int)
        return found


def turn(text: str, parameters: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """Return the body of a question; a parameter given as None is left out."""
    chosen = {k: v for k, v in (DEFAULTS | dict(parameters)).items() if v is not None}
    body = {"inputs": text, "parameters": chosen, "stream": True}
    return {**body, "options": {"use_cache": False, **options}}


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until `condition` holds; fail when it does not come to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)
