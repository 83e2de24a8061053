"""Find this user's local server, or start it.

One server serves all kernels of a user on a machine. It writes a runtime file (mode
0600) with its address and token; kernels read it and ask ``/health`` before they trust
it. A file lock keeps two kernels from starting two servers at once.
"""

from __future__ import annotations

import atexit
import http.client
import importlib.metadata
import importlib.util
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from h2o_magic.backends.local.client import ServerState, call, state_of
from h2o_magic.backends.local.process import last_line, spawn
from h2o_magic.config import paths as places
from h2o_magic.config.processes import is_running
from h2o_magic.config.url import Endpoint
from h2o_magic.errors import (
    ConfigurationError,
    ConnectionFailedError,
    MissingExtraError,
)

#: Seconds to wait for a new server to listen. It takes well under one; a cold disk on
#: a busy machine may need many.
START_TIMEOUT = 60.0
_END_TIMEOUT = 10.0

# Where the files of a server are whose user's own folder cannot be written. Only this
# process finds that server, and so ends it.
_aside: Path | None = None


def running() -> ServerState | None:
    """Return the local server that runs and answers, or None; starts nothing."""
    found = _found()
    return found if isinstance(found, ServerState) else None


def _found() -> ServerState | Endpoint | None:
    """Return the local server that runs; only its address if it does not answer now.

    While the engine loads a large model, nothing else may run in the server's process.
    A second server beside it would load the model once more.
    """
    try:
        runtime = json.loads(_runtime_file().read_text("utf-8"))
        endpoint = Endpoint(runtime["url"], runtime["token"])
        try:
            return state_of(endpoint, runtime["instance"])
        except TimeoutError:
            return endpoint if is_running(runtime["pid"]) else None
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return None  # not there, not whole, or not answering
    except ConfigurationError:
        return None  # it names no address that can be used


def installed() -> bool:
    """Return whether the local server can be started here."""
    return importlib.util.find_spec("xllamacpp") is not None


def locate(idle_minutes: float | None = None) -> Endpoint:
    """Return the local server's address and token, starting the server if need be.

    Parameters
    ----------
    idle_minutes
        How long a server that is started here waits for a request before it ends, 0 for
        ever; None for what the environment says, or the default.

    Raises
    ------
    MissingExtraError
        If the server is not installed.
    ConnectionFailedError
        If it does not start; the message says where its log is.
    ConfigurationError
        If its files cannot be written.
    """
    found = _found()
    if found is not None and not _outdated(found):
        return _endpoint(found)
    if not installed():
        raise MissingExtraError("the local server", "local")
    try:
        return _found_or_started(idle_minutes)
    except OSError as error:
        return _start_aside(error, idle_minutes)


def _found_or_started(idle_minutes: float | None) -> Endpoint:
    with _starting():
        found = _found()
        if isinstance(found, ServerState) and _outdated(found):
            _end(found)
            found = None
        return _endpoint(found or _start(idle_minutes))


def _endpoint(found: ServerState | Endpoint) -> Endpoint:
    return found.endpoint if isinstance(found, ServerState) else found


def _start_aside(why: OSError, idle_minutes: float | None) -> Endpoint:
    """Start a server whose files are in a temporary folder, since others cannot be.

    A conversation goes on, if only in memory, where nothing can be written.
    """
    global _aside  # noqa: PLW0603 - it is a fact about this process
    folder = _runtime_file().parent
    try:
        if _aside is None:
            _aside = Path(tempfile.mkdtemp(prefix="h2o_magic-"))
            atexit.register(_end_aside, _aside)
        return _found_or_started(idle_minutes)
    except OSError as error:
        raise ConfigurationError(
            f"the local server's files cannot be written in {folder}: "
            f"{why.strerror or why}; set H2O_MAGIC_HOME to a folder of yours"
        ) from error


def unload(paths: Sequence[Path]) -> None:
    """Let the local server, if one runs, let go of the models in these files.

    Raises
    ------
    ConfigurationError
        If one of them is answering right now.
    """
    state = running()
    if state is None:
        return
    with suppress(OSError, ValueError, http.client.HTTPException):
        asked = {"paths": [str(path) for path in paths]}
        answer = json.loads(call(state.endpoint, "POST", "/api/unload", asked))
        if isinstance(answer, dict) and answer.get("in_use"):
            raise ConfigurationError(
                "the model is answering right now: stop its answers first, or wait"
            )


def _end_aside(folder: Path) -> None:
    state = running()
    if state is not None:
        _end(state)
    shutil.rmtree(folder, ignore_errors=True)


def log_file() -> Path:
    """Return the path of the log of the server that this process starts."""
    path = places.log_file()
    return path if _aside is None else _aside / path.name


def _runtime_file() -> Path:
    path = places.runtime_file()
    return path if _aside is None else _aside / path.name


def _outdated(found: ServerState | Endpoint) -> bool:
    """Return whether an idle server runs another version than this package's."""
    return (
        isinstance(found, ServerState)
        and found.version != _version()
        and found.busy_slots == 0
    )


@cache
def _version() -> str:
    return importlib.metadata.version("h2o-magic")


def _end(state: ServerState) -> None:
    """Ask a server to end, and wait until it does not answer any more."""
    with suppress(OSError, http.client.HTTPException):
        call(state.endpoint, "POST", "/shutdown")
    deadline = time.monotonic() + _END_TIMEOUT
    while running() is not None and time.monotonic() < deadline:
        time.sleep(0.02)


@contextmanager
def _starting() -> Iterator[None]:
    """Hold the lock under which one kernel starts the server."""
    path = _runtime_file().with_suffix(".mutex")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=START_TIMEOUT):
            yield
    except Timeout:
        raise ConnectionFailedError(
            f"another kernel has been starting the local server for "
            f"{START_TIMEOUT:.0f} s and is not done: see {log_file()}"
        ) from None


def _start(idle_minutes: float | None) -> ServerState:
    process = spawn(_runtime_file(), log_file(), idle_minutes)
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        state = running()
        if state is not None:
            return state
        if process.poll() is not None:
            raise ConnectionFailedError(
                f"the local server ended at once (exit status {process.returncode}): "
                f"{last_line(log_file())} (log: {log_file()})"
            )
        time.sleep(0.02)
    process.kill()
    raise ConnectionFailedError(
        f"the local server did not listen within {START_TIMEOUT:.0f} s: "
        f"see {log_file()}"
    )
