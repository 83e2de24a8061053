"""Whether a process is running."""

from __future__ import annotations

import os


def is_running(pid: int) -> bool:
    if os.name == "nt":
        return True  # asking would do harm: there, signal 0 is Ctrl+C
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
