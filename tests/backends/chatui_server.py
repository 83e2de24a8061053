"""A chat-ui of 2024 to 2026 on a scripted socket: sessions, trees, JSON lines.

It follows the recordings of the real server in what it demands and answers, and can be
of another age: without the root in a new conversation, without ``/api/v2``, without
generations, with plain JSON instead of multipart. A model that sees a dialogue answers
with what `says` makes of its messages.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import Any

from tests.backends.scripted import Answer, Request, answer, document

Dialogue = list[tuple[str, str]]

_STEPS = (
    ("create", "POST", "/conversation"),
    ("generate", "POST", "/conversation/[^/]+"),
    ("stop", "POST", "/conversation/[^/]+/stop-generating"),
    ("delete", "DELETE", "/conversation/[^/]+"),
    ("tree", "GET", "/api/v2/conversations/[^/]+"),
    ("old tree", "GET", "/api/conversation/[^/]+"),
    ("models", "GET", "/api/models"),
    ("v2 models", "GET", "/api/v2/models"),
)
STARTED = {"type": "status", "status": "started"}
ALIVE = {"type": "status", "status": "keepAlive"}
FINISHED = {"type": "status", "status": "finished"}
BAD = document({"message": "An error occurred", "errorId": "1"}, status=500)
LOST = document({"message": "Conversation not found"}, status=404)
PAGE = answer(
    b"<!doctype html><html><head><title>ChatUI</title></head></html>",
    status=404,
    content_type="text/html",
)


def token(text: str) -> dict[str, Any]:
    return {"type": "stream", "token": text.ljust(16, "\0")}


def final(text: str, *, interrupted: bool = False) -> dict[str, Any]:
    return {"type": "finalAnswer", "text": text, "interrupted": interrupted}


def failed(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "status", "status": "error", "message": words, **more}


def lines(*updates: Any, **kwargs: Any) -> Answer:
    """A stream with one update a line; a bytes object is sent as it is."""
    kwargs.setdefault("content_type", "application/jsonl")
    pieces = [
        u
        if isinstance(u, bytes)
        else json.dumps(u, ensure_ascii=False).encode() + b"\n"
        for u in updates
    ]
    return answer(pieces, **kwargs)


def says(*texts: str) -> Answer:
    whole = "".join(texts)
    return lines(
        STARTED, ALIVE, *map(token, texts), final(whole), b" " * 4096, FINISHED
    )


def step(request: Request) -> str:
    """Name the step of the protocol that `request` is, or return its path."""
    for name, method, path in _STEPS:
        if request.method == method and re.fullmatch(path, request.path):
            return name
    return request.path


def question(request: Request) -> dict[str, Any]:
    """The question in a multipart or JSON body, read by Python's own mail parser."""
    kind = request.headers["content-type"]
    if not kind.startswith("multipart/form-data"):
        return dict(request.json)
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.body)
    (part,) = message.get_payload()
    assert part["Content-Disposition"] == 'form-data; name="data"'
    return dict(json.loads(part.get_payload(decode=True)))


@dataclass
class Conversation:
    session: str
    model: str
    preprompt: str
    messages: list[dict[str, Any]]

    def dialogue(self, end: str) -> Dialogue:
        """What the model sees of the branch that ends with a message."""
        by_id = {m["id"]: m for m in self.messages}
        way = [*by_id[end]["ancestors"], end]
        return [(by_id[i]["from"], by_id[i]["content"]) for i in way]


@dataclass
class ChatUIScript:
    """The answers of one server.

    Attributes
    ----------
    queues : dict
        Answers to be given instead of the usual ones, by step, in turn.
    seen : list
        What the model has seen for each answer.
    """

    says: Callable[[Dialogue], str] = lambda dialogue: str(len(dialogue) // 2)
    multipart: bool = True
    tells_root: bool = True
    api: str = "v2"
    generations: bool = True
    queues: dict[str, list[Answer]] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    seen: list[Dialogue] = field(default_factory=list)

    def then(self, name: str, *answers: Answer) -> ChatUIScript:
        self.queues.setdefault(name, []).extend(answers)
        return self

    def __call__(self, request: Request) -> Answer:
        name = step(request)
        if queue := self.queues.get(name):
            return queue.pop(0)
        cookie = request.headers.get("cookie", "")
        session = cookie.partition("hf-chat=")[2] or uuid.uuid4().hex
        reply = self._reply(name, request, session)
        if request.method != "POST":
            return reply
        line = f"Set-Cookie: hf-chat={session}; Path=/; HttpOnly; Secure\r\n".encode()
        status, _, rest = reply.head.partition(b"\r\n")
        return Answer(
            status + b"\r\n" + line + rest,
            reply.pieces,
            reply.end,
            reply.gates,
            reply.terminal,
        )

    def _reply(self, name: str, request: Request, session: str) -> Answer:
        if name == "create":
            return self._create(request.json, session)
        key = request.path.split("/")[-2 if name == "stop" else -1]
        found = self.conversations.get(key)
        if name in ("tree", "old tree") and (name == "tree") != (self.api == "v2"):
            return PAGE
        if found is None or found.session != session:
            return LOST
        if name == "generate":
            return self._generate(found, request)
        if name == "delete":
            del self.conversations[key]
        return self._tree(name, key, found) if "tree" in name else answer()

    def _tree(self, name: str, key: str, found: Conversation) -> Answer:
        if name == "tree":
            return document({"json": self._whole(found), "meta": {"v": 1}})
        shown = ("id", "from", "content")
        bare = [{name: m[name] for name in shown} for m in found.messages]
        return document({"id": key, "messages": bare})

    def _create(self, wanted: dict[str, Any], session: str) -> Answer:
        key, root = uuid.uuid4().hex[:24], str(uuid.uuid4())
        first = {"id": root, "from": "system", "content": "", "ancestors": []}
        first["content"] = wanted.get("preprompt", "")
        made = Conversation(session, wanted["model"], str(first["content"]), [first])
        self.conversations[key] = made
        whole = {"json": self._whole(made), "meta": {"v": 1}}
        more = {"conversation": json.dumps(whole)} if self.tells_root else {}
        return document({"conversationId": key, **more})

    def _whole(self, found: Conversation) -> dict[str, Any]:
        return {
            "messages": found.messages,
            "rootMessageId": found.messages[0]["id"],
            "model": found.model,
        }

    def _generate(self, found: Conversation, request: Request) -> Answer:
        if not request.headers.get("origin", "").endswith(request.headers["host"]):
            return document({"error": "Invalid referer for POST request"}, status=403)
        multipart = request.headers["content-type"].startswith("multipart/")
        if multipart != self.multipart:
            return BAD
        asked = question(request)
        by_id = {m["id"]: m for m in found.messages}
        if asked.get("id") not in by_id or not asked["inputs"]:
            return BAD
        parent = by_id[asked["id"]]
        way = [*parent["ancestors"], parent["id"]]
        mine = {
            "id": str(uuid.uuid4()),
            "from": "user",
            "content": asked["inputs"].replace("\r\n", "\n"),
            "ancestors": way,
        }
        found.messages.append(mine)
        self.seen.append(found.dialogue(mine["id"]))
        text = self.says(self.seen[-1])
        reply = {
            "id": str(uuid.uuid4()),
            "from": "assistant",
            "content": text,
            "ancestors": [*way, mine["id"]],
        }
        if self.generations:
            reply["generationId"] = asked["generationId"]
        found.messages.append(reply)
        return says(text)
