"""Whether a process runs."""

from __future__ import annotations

import os


def lives(pid: int) -> bool:
    """Return whether a process runs; True where that cannot be asked without harm."""
    if os.name == "nt":
        return True  # there, signal 0 is Ctrl+C
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
