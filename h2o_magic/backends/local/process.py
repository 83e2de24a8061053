"""The process of a local server, which outlives the kernel that starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

# A started server outlives its starter. Its handle is kept, since dropping it would
# warn about a child that still runs, and keeps the ended ones from staying zombies.
_started: list[subprocess.Popen[bytes]] = []


def spawn(
    runtime_file: Path, log: Path, idle_minutes: float | None = None
) -> subprocess.Popen[bytes]:
    """Start the local server, which writes these two files, and return its process.

    It ends after `idle_minutes` without a request; None for its own default.
    """
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
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab")


def last_line(log: Path) -> str:
    """Return the last line of a log, or why there is none."""
    try:
        lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "it left no log"
    return lines[-1] if lines else "its log is empty"
