"""Paths of this package's files: in ``H2O_MAGIC_HOME``, else as platformdirs says."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import platformdirs

_APP = "h2o_magic"


def runtime_file() -> Path:
    """The file that names the local server; machines may share a home folder."""
    node = re.sub(r"[^A-Za-z0-9.-]", "_", platform.node()) or "localhost"
    return _home(platformdirs.user_data_path(_APP)) / f"server-{node}.json"


def store_file() -> Path:
    return _home(platformdirs.user_data_path(_APP)) / "conversations.sqlite3"


def servers_file() -> Path:
    return _home(platformdirs.user_config_path(_APP)) / "servers.json"


def aliases_file() -> Path:
    return _home(platformdirs.user_config_path(_APP)) / "aliases.json"


def presets_file() -> Path:
    return _home(platformdirs.user_config_path(_APP)) / "presets.json"


def model_lists_file() -> Path:
    return _home(platformdirs.user_cache_path(_APP)) / "model-lists.json"


def log_file() -> Path:
    return _home(platformdirs.user_log_path(_APP)) / "server.log"


def make_private(folder: Path) -> None:
    """Make a folder, and those above it, for this user only, whatever the umask."""
    if not folder.exists():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)


def _home(default: Path) -> Path:
    home = os.environ.get("H2O_MAGIC_HOME")
    return Path(home).expanduser().absolute() if home else default
