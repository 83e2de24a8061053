"""Ending the local server that a test started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def runtime(home: Path) -> dict[str, Any]:
    """Return what the local server of `home` wrote about itself."""
    (path,) = home.glob("server-*.json")
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


@contextlib.contextmanager
def ended_at_exit(home: Path) -> Iterator[Path]:
    """End the server that uses `home`, by its own process id."""
    try:
        yield home
    finally:
        for path in home.glob("server-*.json"):
            pid = json.loads(path.read_text())["pid"]
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
                wait_until_gone(path)


def wait_until_gone(path: Path) -> None:
    deadline = time.monotonic() + 60
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not path.exists()
