"""Whether a process is running."""

from __future__ import annotations

import os


def is_running(pid: int) -> bool:
    """Return whether a process is running; True where asking would do harm."""
    if os.name == "nt":
        return True  # there, signal 0 is Ctrl+C
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
