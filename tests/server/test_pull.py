"""Fetching weights from the hub, and every way in which that fails: one clear line."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

from h2o_magic.catalogue import MODELS
from h2o_magic.errors import (
    ConfigurationError,
    ConnectionFailedError,
    MissingExtraError,
)
from h2o_magic.server.pull import pull


class Hub:
    """Stands in for the hub: a listing, and what was fetched."""

    def __init__(self, files: list[str], failure: Exception | None) -> None:
        self.files = files
        self.failure = failure
        self.fetched: list[tuple[str, str]] = []

    def model_info(self, _repository: str) -> SimpleNamespace:
        siblings = [SimpleNamespace(rfilename=file) for file in self.files]
        return SimpleNamespace(siblings=siblings)

    def download(self, repository: str, file: str) -> str:
        if self.failure:
            raise self.failure
        self.fetched.append((repository, file))
        return f"/cache/{file}"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Hub]:
    def make(files: list[str], failure: Exception | None = None) -> Hub:
        made = Hub(files, failure)
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: made)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", made.download)
        return made

    return make


@pytest.mark.parametrize(
    ("name", "files", "file"),
    [
        ("llama-13b", ["README.md", "h.Q2_K.gguf", "h.Q4_K_M.gguf"], "h.Q4_K_M.gguf"),
        ("falcon-7b", ["f-q8_0.gguf", "f-Q4_0.gguf"], "f-Q4_0.gguf"),
        ("owner/repo", ["a.Q8_0.gguf", "a.q4_0.gguf"], "a.q4_0.gguf"),
        ("owner/repo", ["only.gguf"], "only.gguf"),
        ("owner/repo:B.gguf", ["a.gguf", "b.gguf"], "b.gguf"),
    ],
)
def test_pull_fetches_the_file_that_fits(
    hub: Callable[..., Hub], name: str, files: list[str], file: str
) -> None:
    made = hub(files)
    assert pull(name) == Path("/cache") / file
    repository = MODELS[name].repository if name in MODELS else "owner/repo"
    assert made.fetched == [(repository, file)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lama-13b", "did you mean 'llama-13b'"),
        ("a/b/c", "expected a model's name or owner/repository"),
        ("/b", "expected a model's name or owner/repository"),
        ("owner/repo", r"its GGUF files: none"),
        ("owner/repo:x.gguf", r"has no file 'x.gguf'"),
    ],
)
def test_pull_says_what_it_cannot_find(
    hub: Callable[..., Hub], name: str, words: str
) -> None:
    hub(["README.md"])
    with pytest.raises(ConfigurationError, match=words):
        pull(name)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("Data processing error: No space left on device (os error 28)"),
    ],
)
def test_pull_says_that_the_disk_is_full(
    hub: Callable[..., Hub], error: Exception
) -> None:
    hub(["m.gguf"], error)
    with pytest.raises(ConnectionFailedError, match="the disk is full"):
        pull("owner/repo")


def test_pull_gives_the_first_line_of_an_unforeseen_failure(
    hub: Callable[..., Hub],
) -> None:
    hub(["m.gguf"], RuntimeError("\n\n  odd  \nmore"))
    with pytest.raises(ConnectionFailedError, match=r"hub: odd$"):
        pull("owner/repo")
    hub(["m.gguf"], RuntimeError())
    with pytest.raises(ConnectionFailedError, match=r"hub: RuntimeError$"):
        pull("owner/repo")


def test_pull_refuses_a_name_that_no_repository_can_have() -> None:
    with pytest.raises(ConfigurationError, match="expected owner/repository"):
        pull("own er/repo")


def test_pull_without_the_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"downloading weights.*\[local\]"):
        pull("llama-13b")


#: Status and error code with which the loopback hub answers, by repository.
REFUSALS = {
    "gated": (403, "GatedRepo"),
    "gated-without-token": (401, "GatedRepo"),
    "forbidden": (403, ""),
    "missing": (404, "RepoNotFound"),
    "hidden": (401, "RepoNotFound"),
    "broken": (500, ""),
}
FILE = b"GGUF and more"


class HubHandler(BaseHTTPRequestHandler):
    """A hub whose repositories hold one file, or refuse."""

    def do_GET(self) -> None:
        parts = self.path.split("/")
        listing = parts[1] == "api"
        name = parts[4] if listing else parts[2]
        if self.headers.get("Authorization") == "Bearer hf_wrong":
            self.send_error(401)
        elif name in REFUSALS:
            self.refuse(*REFUSALS[name])
        elif name == "gated-files" and not listing:
            self.refuse(403, "GatedRepo")
        elif name == "lost-files" and not listing:
            self.refuse(404, "EntryNotFound")
        elif listing:
            listed = {"id": f"owner/{name}", "siblings": [{"rfilename": "m.gguf"}]}
            self.give(json.dumps(listed).encode())
        else:
            self.give(FILE)

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def give(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0123"')
        self.send_header("X-Repo-Commit", "4" * 40)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A hub on the loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), HubHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run_pull(
    name: str, endpoint: str, cache: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `h2o-magic pull` in a process that knows no other hub and no token."""
    kept = {key: value for key, value in os.environ.items() if key != "HF_TOKEN"}
    kept |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        [sys.executable, "-m", "h2o_magic.cli", "pull", name],
        env=kept | {"HF_HUB_DISABLE_PROGRESS_BARS": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_pull_fetches_from_a_real_hub(endpoint: str, tmp_path: Path) -> None:
    done = run_pull("owner/open", endpoint, tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes() == FILE


@pytest.mark.parametrize(
    ("repository", "words"),
    [
        ("gated", "set HF_TOKEN"),
        ("gated-without-token", "set HF_TOKEN"),
        ("gated-files", "set HF_TOKEN"),
        ("forbidden", "set HF_TOKEN"),
        ("missing", "has no public repository 'owner/missing'"),
        ("hidden", "has no public repository 'owner/hidden'"),
        ("lost-files", "or not the file"),
        ("broken", "500"),
    ],
)
def test_a_refusal_of_the_hub_is_one_line(
    endpoint: str, tmp_path: Path, repository: str, words: str
) -> None:
    done = run_pull(f"owner/{repository}", endpoint, tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr


def test_a_token_that_the_hub_refuses_is_named(endpoint: str, tmp_path: Path) -> None:
    done = run_pull("owner/open", endpoint, tmp_path, HF_TOKEN="hf_wrong")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "HF_TOKEN" in done.stderr
    assert "hf_wrong" not in done.stderr


def test_a_hub_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    """It is asked once: each further try would be a line, too."""
    with ThreadingHTTPServer(("127.0.0.1", 0), HubHandler) as server:
        closed = f"http://127.0.0.1:{server.server_port}"
    done = run_pull("owner/open", closed, tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "cannot fetch owner/open from the Hugging Face hub: " in done.stderr


def test_offline_mode_is_one_line(endpoint: str, tmp_path: Path) -> None:
    done = run_pull("owner/open", endpoint, tmp_path, HF_HUB_OFFLINE="1")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "HF_HUB_OFFLINE" in done.stderr
