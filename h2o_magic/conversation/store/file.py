"""The file on the disk: making it, and what SQLite leaves beside it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_creating = threading.Lock()


def create(path: Path) -> None:
    """Make a file and its folder if need be, for this user only."""
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)  # whatever the umask is
    # A kernel may still have the file open that these are of; with a new one it must
    # not share them.
    remove_leftovers(path)
    # SQLite gives its helper files the mode of the file itself. The file must not be
    # opened if it is there: closing it would drop the locks that this process holds.
    with _creating, suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        path.chmod(0o600)


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one of the same name; None without one."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def remove_leftovers(path: Path) -> None:
    """Remove SQLite's helper files beside a file that was moved or deleted.

    Who makes the file anew does this before, if there are any. So, while the lock is
    held, those that there are stay those of the old file.
    """
    if not _leftovers(path):
        return
    with suppress(OSError), _locked(path.parent):
        for helper in _leftovers(path):
            helper.unlink()


def _leftovers(path: Path) -> list[Path]:
    # In this order: the helper files of a new file are there after the file itself.
    helpers = [Path(f"{path}{end}") for end in ("-wal", "-shm")]
    there = [helper for helper in helpers if helper.exists()]
    return [] if path.exists() else there


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time do something in a folder."""
    if sys.platform == "win32":  # no file is deleted there while a program has it open
        yield
    else:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
