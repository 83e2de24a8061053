"""A small Hugging Face hub on the loopback: repositories in memory, and every failure.

It speaks the part of the hub's protocol that downloads need, as of 2025: the listing
with checksums (``/api/models/OWNER/NAME?blobs=true``), ``HEAD`` and ``GET`` of
``/OWNER/NAME/resolve/main/FILE`` with ranges, and contents at another origin, to which
the hub redirects.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "4" * 40


@dataclass
class Remote:
    """A repository, and how it behaves.

    `refusal` is the status and error code of every answer; `file_refusals` those of the
    next answers to a GET of a content, each used once. `cuts` are places, counted from
    the beginning of the file, where the next answers break off. `more` are bytes that a
    content has beyond those that were announced; without `checksums` none is told.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    licence: str | None = None
    refusal: tuple[int, str] | None = None
    files_refusal: tuple[int, str] | None = None
    content_refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    damaged: bool = False
    checksums: bool = True
    more: int = 0
    commit: str = COMMIT
    hold: threading.Event | None = None


@dataclass
class Hub:
    """The hub: its repositories, and what was asked of it."""

    url: str = ""
    contents_url: str = ""
    repositories: dict[str, Remote] = field(default_factory=dict)
    refused_token: str = "hf_wrong"
    #: Method, path, range and token of each request, by who got it: hub or contents.
    asked: dict[str, list[tuple[str, str, str | None, str | None]]] = field(
        default_factory=lambda: {"hub": [], "contents": []}
    )

    def add(self, name: str, files: dict[str, bytes], licence: str = "mit") -> Remote:
        self.repositories[name] = Remote(files, licence)
        return self.repositories[name]

    def ranges(self) -> list[str | None]:
        """Return the ranges of contents that were asked for."""
        return [asked[2] for asked in self.asked["contents"]]


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, hub: Hub, part: str, *args: object) -> None:
        self.hub = hub
        self.part = part
        super().__init__(*args)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        token = self.headers.get("Authorization")
        asked = (self.command, self.path, self.headers.get("Range"), token)
        self.hub.asked[self.part].append(asked)
        path = self.path.partition("?")[0]
        if self.part == "contents":
            _, owner, name, file = path.split("/", 3)
            self._content(self.hub.repositories[f"{owner}/{name}"], file)
        elif token == f"Bearer {self.hub.refused_token}":
            self._end(401, {})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)", path):
            self._listing(found[1])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/main/(.+)", path):
            self._resolve(*found.groups())
        else:
            self._end(404, {})

    def _remote(self, name: str) -> Remote:
        return self.hub.repositories.get(name, Remote(refusal=(404, "RepoNotFound")))

    def _listing(self, name: str) -> None:
        remote = self._remote(name)
        if remote.refusal:
            self._refuse(*remote.refusal)
            return
        siblings = [
            {
                "rfilename": file,
                "size": len(content),
                "lfs": {"sha256": _sha256(content), "size": 1, "pointerSize": 1}
                if remote.checksums
                else None,
            }
            for file, content in remote.files.items()
        ]
        card = {"license": remote.licence} if remote.licence else {}
        listing = {"id": name, "siblings": siblings, "cardData": card}
        body = json.dumps(listing).encode()
        self._end(200, {"Content-Type": "application/json"}, body)

    def _resolve(self, name: str, file: str) -> None:
        remote = self._remote(name)
        if refusal := remote.refusal or remote.files_refusal:
            self._refuse(*refusal)
            return
        content = remote.files[file]
        headers = {
            "X-Repo-Commit": remote.commit,
            "X-Linked-Etag": f'"{_sha256(content)[: 64 if remote.checksums else 40]}"',
            "X-Linked-Size": str(len(content)),
            "Location": f"{self.hub.contents_url}/{name}/{file}",
        }
        self._end(302, headers)

    def _content(self, remote: Remote, file: str) -> None:
        if remote.content_refusals:
            status, headers = remote.content_refusals.pop(0)
            self._end(status, headers)
            return
        content = remote.files[file]
        if remote.damaged:
            content = bytes(reversed(content))
        content += bytes(remote.more)
        begin, status, headers = 0, 200, {}
        if remote.ranges and (asked := self.headers.get("Range")):
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
            status = 206
            headers = {
                "Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"
            }
        self.send_response(status)
        headers["Content-Length"] = str(len(content) - begin)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        end = remote.cuts.pop(0) if remote.cuts else len(content)
        self.wfile.write(content[begin:end])
        self.wfile.flush()
        if remote.hold is not None:
            remote.hold.wait(60)
        if end < len(content):
            self.close_connection = True

    def _refuse(self, status: int, code: str) -> None:
        self._end(status, {"X-Error-Code": code} if code else {})

    def _end(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _listening(hub: Hub, part: str) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, hub, part))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Run a hub, and beside it where its contents are, on threads."""
    hub = Hub()
    with ExitStack() as kept:
        hub.url = kept.enter_context(_listening(hub, "hub"))
        hub.contents_url = kept.enter_context(_listening(hub, "contents"))
        yield hub
