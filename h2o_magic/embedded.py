"""Find this user's local server, or start it.

One server serves all kernels of a user on a machine. It writes a runtime file (mode
0600) with its address and token; kernels read it and ask ``/health`` before they trust
it. A file lock keeps two kernels from starting two servers at once.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from h2o_magic import places
from h2o_magic.endpoint import Endpoint
from h2o_magic.errors import ConnectionFailedError, MissingExtraError

__all__ = ["ServerState", "locate", "running"]

#: Seconds to wait for a new server to listen. It takes well under one; a cold disk on
#: a busy machine may need many.
START_TIMEOUT = 60.0
_HEALTH_TIMEOUT = 5.0

# A started server outlives its starter. Its handle is kept, since dropping it would
# warn about a child that still runs, and keeps the ended ones from staying zombies.
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, slots=True)
class ServerState:
    """A local server that runs and answers.

    Attributes
    ----------
    endpoint : Endpoint
        Its address and token.
    pid : int
        Its process.
    version : str
        Version of the package it runs.
    uptime : float
        Seconds since it began to listen.
    slots, busy_slots : int
        How many answers it writes at once, and how many it is writing now.
    loaded : tuple of str
        Models in memory.
    """

    endpoint: Endpoint
    pid: int
    version: str
    uptime: float
    slots: int
    busy_slots: int
    loaded: tuple[str, ...]


def running() -> ServerState | None:
    """Return the local server that runs, or None; starts nothing."""
    try:
        runtime = json.loads(places.runtime_file().read_text("utf-8"))
        endpoint = Endpoint(runtime["url"], runtime["token"])
        health = _health(endpoint)
        if health.get("instance") != runtime["instance"]:
            return None
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return None
    return ServerState(
        endpoint=endpoint,
        pid=health["pid"],
        version=health["version"],
        uptime=health["uptime"],
        slots=health["slots"],
        busy_slots=health["busy_slots"],
        loaded=tuple(health["loaded"]),
    )


def locate() -> Endpoint:
    """Return the local server's address and token, starting the server if need be.

    Raises
    ------
    MissingExtraError
        If the server is not installed.
    ConnectionFailedError
        If it does not start; the message says where its log is.
    """
    state = running()
    if state is None:
        with _starting():
            state = running() or _start()
    return state.endpoint


@contextmanager
def _starting() -> Iterator[None]:
    """Hold the lock under which one kernel starts the server."""
    path = places.runtime_file().with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=START_TIMEOUT):
            yield
    except Timeout:
        raise ConnectionFailedError(
            f"another kernel has been starting the local server for "
            f"{START_TIMEOUT:.0f} s and is not done: see {places.log_file()}"
        ) from None


def _start() -> ServerState:
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtraError("the local server", "local")
    process = _spawn()
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        state = running()
        if state is not None:
            return state
        if process.poll() is not None:
            raise ConnectionFailedError(
                f"the local server ended at once (exit status {process.returncode}): "
                f"{_last_line(places.log_file())} (log: {places.log_file()})"
            )
        time.sleep(0.02)
    process.kill()
    raise ConnectionFailedError(
        f"the local server did not listen within {START_TIMEOUT:.0f} s: "
        f"see {places.log_file()}"
    )


def _spawn() -> subprocess.Popen[bytes]:
    for ended in [p for p in _started if p.poll() is not None]:
        _started.remove(ended)
    log = places.log_file()
    command = [sys.executable, "-m", "h2o_magic.cli", "serve"]
    command += ["--runtime-file", str(places.runtime_file()), "--log-file", str(log)]
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
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab")


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "it left no log"
    return lines[-1] if lines else "its log is empty"


def _health(endpoint: Endpoint) -> dict[str, Any]:
    """Ask the server for its state, on a connection of its own.

    This runs before every question, so it takes the standard library's bare client:
    about a millisecond on loopback.
    """
    parts = urlsplit(endpoint.url)
    if parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError("not a loopback address")
    connection = http.client.HTTPConnection(
        parts.hostname, parts.port, timeout=_HEALTH_TIMEOUT
    )
    try:
        headers = {"Authorization": f"Bearer {endpoint.token}"}
        connection.request("GET", "/health", headers=headers)
        health = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    if not isinstance(health, dict):
        raise TypeError("expected an object")
    return health
