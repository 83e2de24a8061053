"""The recorded exchanges of seven OpenAI-compatible servers, and how they are read.

The table in the recordings' README says what each of them is; it is read from there.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.backends.scripted import Answer

FOLDER = Path(__file__).parent.parent / "recordings" / "openai"


@dataclass(frozen=True)
class Cell:
    """What the README's table says of one exchange."""

    status: int
    stream: bool = False
    events: int = 0
    finishes: tuple[str, ...] = ()
    usage: bool = False
    error: bool = False
    pings: int = 0
    done: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Recording:
    server: str
    case: str
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.server}/{self.case}"

    @property
    def call(self) -> str:
        return f"{self.request['method']} {self.request['path']}"

    @property
    def status(self) -> int:
        return int(self.response["status"])

    @property
    def pieces(self) -> list[bytes]:
        return [base64.b64decode(data) for _, data in self.response["chunks"]]

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def cell(self) -> Cell:
        return table()[self.server, self.case]

    @property
    def stop(self) -> tuple[str, ...]:
        """The stop texts that the recorded request asked for."""
        asked = self.request["body"]
        stop = asked.get("stop", ()) if isinstance(asked, dict) else ()
        return (stop,) if isinstance(stop, str) else tuple(stop)

    @property
    def model(self) -> str:
        asked = self.request["body"]
        named = asked.get("model") if isinstance(asked, dict) else None
        return named if isinstance(named, str) else "tiny-llama"

    def answer(self) -> Answer:
        """The recorded answer, byte for byte, with its framing and its end."""
        lines = [f"HTTP/1.1 {self.status} {self.response['reason']}"]
        lines += [f"{name}: {value}" for name, value in self.response["headers"]]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        pieces = [piece for piece in self.pieces if piece]
        clean = self.response["end"] == "clean"
        terminal = b""
        if self.response["framing"] == "chunked":
            pieces = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
            terminal = b"0\r\n\r\n" if clean else b""
        closing = not clean or self.response["framing"] == "close"
        return Answer(
            head, tuple(pieces), "close" if closing else "keep", terminal=terminal
        )


@dataclass
class Reading:
    """A stream, read a second time in the plainest way."""

    text: str = ""
    reasoning: str = ""
    reason: str | None = None
    usage: tuple[int, int] | None = None
    seconds: float | None = None
    model: str = ""
    error: Any = None
    documents: list[dict[str, Any]] = field(default_factory=list)


@cache
def recordings() -> dict[str, Recording]:
    found = {}
    for path in sorted(FOLDER.glob("*/*.json")):
        whole = json.loads(path.read_text())
        server = path.parent.name
        found[f"{server}/{path.stem}"] = Recording(
            server, path.stem, whole["request"], whole["response"]
        )
    return found


def load(name: str) -> Recording:
    return recordings()[name]


@cache
def table() -> dict[tuple[str, str], Cell]:
    text = (FOLDER / "README.md").read_text()
    rows = [line.split("|")[1:-1] for line in text.split("\n") if line.startswith("| ")]
    begin = next(i for i, row in enumerate(rows) if row[0].strip() == "case")
    servers = [name.strip() for name in rows[begin][1:]]
    cells = {}
    for row in rows[begin + 1 :]:
        case, *columns = (column.strip() for column in row)
        for server, column in zip(servers, columns, strict=True):
            if column:
                cells[server, case.strip("`")] = _cell(column)
    return cells


def _cell(text: str) -> Cell:
    status, *words = text.replace("*", "").split()
    events = next((int(w[1:]) for w in words if re.fullmatch(r"S\d+", w)), None)
    finishes = [w for w in words if re.fullmatch(r"[a-z]+(/[a-z]+)*", w)]
    finishes = [w for w in finishes if w not in ("cut", "text", "empty")]
    pings = next((int(w[1:]) for w in words if re.fullmatch(r"P\d+", w)), 0)
    return Cell(
        int(status),
        stream=events is not None,
        events=events or 0,
        finishes=tuple(f for w in finishes for f in w.split("/")),
        usage=bool({"u:own", "u:in"} & set(words)),
        error="err-event" in words,
        pings=pings,
        done="D" in words,
        cut="cut" in words,
    )


def read_again(recording: Recording) -> Reading:
    """Read a recorded stream: whole, line by line, with nothing held back."""
    reading = Reading()
    for line in recording.body.decode("utf-8", "replace").replace("\r", "").split("\n"):
        if not line.startswith("data: ") or line == "data: [DONE]":
            continue
        try:
            document = json.loads(line.removeprefix("data: "))
        except ValueError:
            continue  # the last line of a stream that was cut
        reading.documents.append(document)
        _add(reading, document)
    reading.text = _before_stop(reading.text, recording.stop)
    return reading


def read_document(recording: Recording) -> Reading:
    """Read a recorded answer that is one document."""
    reading = Reading()
    document = json.loads(recording.body)
    reading.documents.append(document)
    message = document["choices"][0].pop("message")
    document["choices"][0]["delta"] = message
    _add(reading, document)
    reading.text = _before_stop(reading.text, recording.stop)
    return reading


def _add(reading: Reading, document: dict[str, Any]) -> None:
    if "error" in document:
        reading.error = reading.error or document["error"]
        return
    reading.model = document.get("model", reading.model)
    if usage := document.get("usage"):
        reading.usage = (usage["prompt_tokens"], usage["completion_tokens"])
    if timings := document.get("timings"):
        reading.seconds = timings["predicted_ms"] / 1000
    for choice in document["choices"]:
        if choice["index"] == 0:
            reading.text += choice["delta"].get("content") or ""
            reading.reasoning += choice["delta"].get("reasoning_content") or ""
            reading.reason = choice.get("finish_reason") or reading.reason


def _before_stop(text: str, stop: tuple[str, ...]) -> str:
    places = [text.index(s) for s in stop if s in text]
    return text[: min(places)] if places else text
