"""How much memory this machine has, or this container may use."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["memory_of_machine"]

#: Where Linux keeps the limit of a container: version 2, then 1, of control groups.
_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_of_machine() -> int | None:
    """Return the memory that programs can use here, in bytes; None if unknown."""
    known = [size for size in (_installed(), *map(_limit, _LIMITS)) if size]
    return min(known, default=None)


def _installed() -> int | None:
    if sys.platform == "win32":
        return _installed_on_windows()
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _installed_on_windows() -> int | None:
    """Ask ``GetPhysicallyInstalledSystemMemory``, which answers in KiB."""
    size = ctypes.c_ulonglong()
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    found = kernel.GetPhysicallyInstalledSystemMemory(ctypes.byref(size))
    return size.value * 1024 if found else None


def _limit(path: Path) -> int | None:
    """Return a container's limit; None if there is none (``max``)."""
    with suppress(OSError, ValueError):
        return int(path.read_text("ascii"))
    return None
