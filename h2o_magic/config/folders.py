"""Folders for the user's files: making them, and what hinders that."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

#: Stands for a home folder that is not known: nothing can be found or made below it.
NOWHERE = Path(os.devnull)

#: What hindered the use of files, as far as that was told.
_told: set[Path] = set()


def make_private(folder: Path) -> None:
    """Make a folder, and those above it, for this user only, whatever the umask."""
    if NOWHERE in folder.parents:
        raise FileNotFoundError(errno.ENOENT, "the home folder is not known")
    missing = []
    while not _is_there(folder):
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        each.chmod(0o700)


def _is_there(folder: Path) -> bool:
    try:
        if stat.S_ISDIR(folder.stat().st_mode):
            return True
    except FileNotFoundError:
        return False
    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def is_news(file: Path) -> bool:
    """Return whether what hinders the use of a file was not told yet.

    Several files lie below a folder that cannot be read or written, which is told once.
    """
    what = hindrance(file)
    known = what in _told
    _told.add(what)
    return not known


def hindrance(file: Path) -> Path:
    """Return what hinders the use of a file: itself, or the last folder there is."""
    return next(filter(os.path.lexists, (file, *file.parents)), file)
