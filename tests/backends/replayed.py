"""Recorded answers of every kind of server, byte for byte."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.backends.scripted import Answer, Request, Script, answer

_RECORDINGS = Path(__file__).parent.parent / "recordings"

#: What an application of this kind says where it has nothing.
NOTHING = answer(b'{"detail":"Not Found"}', status=404)


def replayed(name: str) -> Answer:
    """Return a recorded answer: ``openai/vllm_api_server/models``."""
    recording = json.loads((_RECORDINGS / f"{name}.json").read_text("utf-8"))
    response: dict[str, Any] = recording["response"]
    chunks = [base64.b64decode(data) for _, data in response["chunks"]]
    headers = dict(response["headers"])
    chunked = any(name.lower() == "transfer-encoding" for name in headers)
    lines = [f"HTTP/1.1 {response['status']} X"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if not chunked:
        return Answer(head, tuple(chunks))
    pieces = tuple(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in chunks if piece)
    return Answer(head, pieces, terminal=b"0\r\n\r\n")


def routes(answers: Mapping[str, Answer], otherwise: Answer = NOTHING) -> Script:
    """Return a script that answers by path."""

    def script(request: Request) -> Answer:
        return answers.get(request.path, otherwise)

    return script
