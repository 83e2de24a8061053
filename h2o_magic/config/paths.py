"""Paths of this package's files: in ``H2O_MAGIC_HOME``, else as platformdirs says."""

from __future__ import annotations

import errno
import os
import platform
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs

_APP = "h2o_magic"

#: Stands for a home folder that is not known: nothing can be found or made below it.
_NOWHERE = Path(os.devnull)
#: What hindered the use of files, as far as that was told.
_told: set[Path] = set()


def runtime_file() -> Path:
    """The file that names the local server; machines may share a home folder."""
    node = re.sub(r"[^A-Za-z0-9.-]", "_", platform.node()) or "localhost"
    return _home(platformdirs.user_data_path) / f"server-{node}.json"


def store_file() -> Path:
    return _home(platformdirs.user_data_path) / "conversations.sqlite3"


def servers_file() -> Path:
    return _home(platformdirs.user_config_path) / "servers.json"


def aliases_file() -> Path:
    return _home(platformdirs.user_config_path) / "aliases.json"


def presets_file() -> Path:
    return _home(platformdirs.user_config_path) / "presets.json"


def model_lists_file() -> Path:
    return _home(platformdirs.user_cache_path) / "model-lists.json"


def log_file() -> Path:
    return _home(platformdirs.user_log_path) / "server.log"


def make_private(folder: Path) -> None:
    """Make a folder, and those above it, for this user only, whatever the umask."""
    if _NOWHERE in folder.parents:
        raise FileNotFoundError(errno.ENOENT, "the home folder is not known")
    try:
        folder.stat()
    except FileNotFoundError:
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)


def expanded(path: str) -> Path:
    """Return a path as an absolute one; below an unknown home, one that cannot be."""
    found = os.path.expanduser(path)  # unlike that of a Path, it raises nothing
    if found.startswith("~"):
        return _NOWHERE / path
    with suppress(OSError):  # the current folder was deleted
        return Path(found).absolute()
    return Path(found)


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


def _home(default: Callable[[str], Path]) -> Path:
    home = os.environ.get("H2O_MAGIC_HOME")
    if home:
        return expanded(home)
    try:
        return default(_APP)
    except RuntimeError:
        return _NOWHERE / "~"
