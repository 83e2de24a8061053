"""Find this user's local server, or start it.

One server serves all kernels of a user on a machine. It writes a runtime file (mode
0600) with its address and token; kernels read it and ask ``/health`` before they trust
it. A file lock keeps two kernels from starting two servers at once.
"""

from __future__ import annotations

import atexit
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from h2o_magic.config import paths
from h2o_magic.config.folders import make_private
from h2o_magic.config.forks import in_child
from h2o_magic.config.processes import is_running
from h2o_magic.config.url import Endpoint, is_loopback
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    H2OMagicError,
    MissingExtraError,
    TimedOutError,
)

#: Seconds to wait for a new server to listen. It takes well under one; a cold disk on
#: a busy machine may need many.
START_TIMEOUT = 60.0
_STOP_TIMEOUT = 10.0
_ANSWER_TIMEOUT = 5.0

# Where a server's files are if the user's own folder cannot be written. Only this
# process finds that server, and so ends it.
_temporary: Path | None = None

# A server outlives the kernel that starts it. Its handle is kept, since dropping it
# would warn about a child that still runs, and polled, so that none stays a zombie.
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, slots=True)
class ServerState:
    """A local server that runs, and what it says of itself if it `answers` in time."""

    endpoint: Endpoint
    pid: int
    answers: bool = False
    version: str = ""
    uptime: float = 0.0
    slots: int = 0
    busy_slots: int = 0
    loaded: Sequence[str] = ()


def find_running() -> ServerState | None:
    """Return the local server that runs and answers, or None; starts nothing."""
    found = server_at(_runtime_file())
    return found if found and found.answers else None


def _leave_to_parent() -> None:
    atexit.unregister(_stop_temporary)


in_child(_leave_to_parent)


def server_at(runtime_file: Path) -> ServerState | None:
    """Return the server that a runtime file names, also one that is too busy to answer.

    None if the file is missing or damaged, or the server has ended.
    """
    try:
        runtime = json.loads(runtime_file.read_text("utf-8"))
        endpoint, pid = Endpoint(runtime["url"], runtime["token"]), runtime["pid"]
        try:
            health = _send(endpoint, "GET", "/health")
        except TimedOutError:
            return ServerState(endpoint, pid) if is_running(pid) else None
        if health["instance"] != runtime["instance"]:
            return None
        said = ("version", "uptime", "slots", "busy_slots", "loaded")
        known = {name: health[name] for name in said}
        return ServerState(endpoint, pid, answers=True, **known)
    except (OSError, ValueError, KeyError, TypeError, H2OMagicError):
        return None


def known_token() -> str:
    """Return the local server's token, as its file has it; empty without one."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(_runtime_file().read_text("utf-8"))["token"])
    return ""


def _send(endpoint: Endpoint, verb: str, path: str, document: object = None) -> Any:
    """Return the JSON of a response; a BackendError if there is none."""
    from h2o_magic.backends.http import (  # noqa: PLC0415 - needed for questions only
        HttpClient,
        Timeouts,
    )

    if not is_loopback(urlsplit(endpoint.url).hostname or ""):
        raise ConfigurationError("not a loopback address")
    timeouts = Timeouts(*[_ANSWER_TIMEOUT] * 4)
    with closing(HttpClient(endpoint, timeouts=timeouts)) as client:
        every = range(100, 600)
        with client.send(verb, path, document=document, accepted=every) as reply:
            return reply.json()


def is_installed() -> bool:
    return importlib.util.find_spec("xllamacpp") is not None


def find_or_start(idle_minutes: float | None = None) -> Endpoint:
    """Return the local server's address; `idle_minutes` of 0 keeps it running."""
    found = server_at(_runtime_file())
    if found is not None and not _is_outdated(found):
        return found.endpoint
    if not is_installed():
        raise MissingExtraError("the local server", "local")
    try:
        return _start_locked(idle_minutes)
    except OSError as error:
        return _start_in_temporary(error, idle_minutes)


def _start_locked(idle_minutes: float | None) -> Endpoint:
    with _start_lock():
        found = server_at(_runtime_file())
        if found is not None and _is_outdated(found):
            _stop(found)
            found = None
        return (found or _start(idle_minutes)).endpoint


def _start_in_temporary(why: OSError, idle_minutes: float | None) -> Endpoint:
    """Start a server with its files in a temporary folder: a conversation goes on."""
    global _temporary  # noqa: PLW0603 - it is a fact about this process
    folder = _runtime_file().parent
    try:
        if _temporary is None:
            _temporary = Path(tempfile.mkdtemp(prefix="h2o_magic-"))
            atexit.register(_stop_temporary, _temporary)
        return _start_locked(idle_minutes)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the local server's files in {folder}: "
            f"{why.strerror or why}; set H2O_MAGIC_HOME to a folder of yours"
        ) from error


def _stop_temporary(folder: Path) -> None:
    state = find_running()
    if state is not None:
        _stop(state)
    shutil.rmtree(folder, ignore_errors=True)


def unload_models(files: Sequence[Path]) -> None:
    """Unload the models in these files; a ConfigurationError if one answers."""
    state = find_running()
    if state is None:
        return
    with suppress(BackendError):
        document = {"paths": [str(file) for file in files]}
        answer = _send(state.endpoint, "POST", "/api/unload", document)
        if isinstance(answer, dict) and answer.get("in_use"):
            raise ConfigurationError(
                "the model is answering right now: stop its answers first, or wait"
            )


def log_file() -> Path:
    path = paths.log_file()
    return path if _temporary is None else _temporary / path.name


def _runtime_file() -> Path:
    path = paths.runtime_file()
    return path if _temporary is None else _temporary / path.name


def _is_outdated(found: ServerState) -> bool:
    return found.answers and found.version != _version() and found.busy_slots == 0


@cache
def _version() -> str:
    return importlib.metadata.version("h2o-magic")


def _stop(state: ServerState) -> None:
    with suppress(BackendError):
        _send(state.endpoint, "POST", "/shutdown")
    deadline = time.monotonic() + _STOP_TIMEOUT
    while find_running() is not None and time.monotonic() < deadline:
        time.sleep(0.02)


@contextmanager
def _start_lock() -> Iterator[None]:
    """Hold the lock under which one kernel starts the server."""
    path = _runtime_file().with_suffix(".mutex")
    make_private(path.parent)
    try:
        with FileLock(path, timeout=START_TIMEOUT, mode=0o600):
            yield
    except Timeout:
        raise ConnectionFailedError(
            "another kernel is still starting the local server after "
            f"{START_TIMEOUT:.0f} s: see {log_file()}"
        ) from None


def _start(idle_minutes: float | None) -> ServerState:
    process = _spawn(_runtime_file(), log_file(), idle_minutes)
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        state = find_running()
        if state is not None:
            return state
        if process.poll() is not None:
            raise ConnectionFailedError(
                f"the local server exited at once (exit status {process.returncode}): "
                f"{_last_line(log_file())} (log: {log_file()})"
            )
        time.sleep(0.02)
    process.kill()
    raise ConnectionFailedError(
        f"the local server did not start within {START_TIMEOUT:.0f} s: see {log_file()}"
    )


def _spawn(
    runtime_file: Path, log: Path, idle_minutes: float | None
) -> subprocess.Popen[bytes]:
    for ended in [p for p in _started if p.poll() is not None]:
        _started.remove(ended)
    command = [sys.executable, "-m", "h2o_magic.cli", "serve"]
    command += ["--runtime-file", str(runtime_file), "--log-file", str(log)]
    if idle_minutes is not None:
        command += ["--idle-minutes", str(idle_minutes)]
    with _open_private(log) as output:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            **_detached(),
        )
    _started.append(process)
    return process


def _detached() -> dict[str, Any]:
    """Return what keeps the child alive when the kernel is interrupted or ends."""
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS
        return {"creationflags": flags}
    return {"start_new_session": True}


def _open_private(path: Path) -> IO[bytes]:
    make_private(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab")


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "it left no log"
    return lines[-1] if lines else "its log is empty"
