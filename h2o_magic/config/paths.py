"""Paths of this package's files: in ``H2O_MAGIC_HOME``, else as platformdirs says."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs

from h2o_magic.config.folders import NOWHERE

_APP = "h2o_magic"


def runtime_file() -> Path:
    """The file that names the local server; machines may share a home folder."""
    node = re.sub(r"[^A-Za-z0-9.-]", "_", platform.node()) or "localhost"
    return _home(platformdirs.user_data_path) / f"server-{node}.json"


def store_file() -> Path:
    return _home(platformdirs.user_data_path) / "conversations.sqlite3"


def ledger_file() -> Path:
    """The answers to the rows of tables."""
    return _home(platformdirs.user_data_path) / "tables.sqlite3"


def written_file() -> Path:
    """The files that runs over tables have written."""
    return _home(platformdirs.user_data_path) / "tables-written.json"


def answers_folder() -> Path:
    """The user's own store of answers that are replayed."""
    return _home(platformdirs.user_data_path) / "answers"


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


def expanded(path: str) -> Path:
    """Return a path as an absolute one; below an unknown home, one that cannot be."""
    found = os.path.expanduser(path)  # unlike that of a Path, it raises nothing
    if found.startswith("~"):
        return NOWHERE / path
    with suppress(OSError):  # the current folder was deleted
        return Path(found).absolute()
    return Path(found)


def shortened(name: str, base: Path) -> str:
    """Return the path of a file of weights as people write it: below `base`, or ``~``.

    Other names, and other paths, stay as they are.
    """
    path = Path(name)
    if not name.endswith(".gguf") or not path.is_absolute():
        return name
    for folder, sign in ((base, ""), (Path(os.path.expanduser("~")), "~/")):
        with suppress(ValueError):
            return sign + path.relative_to(os.path.realpath(folder)).as_posix()
    return name


def lengthened(name: str, base: Path) -> str:
    """Return what :func:`shortened` was given, on this machine."""
    path = Path(os.path.expanduser(name))
    if not name.endswith(".gguf") or path.is_absolute():
        return str(path) if name.startswith("~/") else name
    found = base / path
    return str(found) if found.is_file() else name


def _home(default: Callable[[str], Path]) -> Path:
    home = os.environ.get("H2O_MAGIC_HOME")
    if home:
        return expanded(home)
    try:
        return default(_APP)
    except RuntimeError:
        return NOWHERE / "~"
