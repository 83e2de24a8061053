"""The file that holds the token which clients of a shared server must know."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path

from h2o_magic.errors import ConfigurationError

__all__ = ["read_token"]

_SHORTEST = 16
_LARGEST_FILE = 4096


def read_token(path: Path) -> str:
    """Return the token in the file at `path`, without white space around it.

    Raises
    ------
    ConfigurationError
        If it cannot be read or is no regular file, others may read it, too, or it
        holds no token of at least 16 printable ASCII characters. No message repeats
        what it holds.
    """
    try:
        # Who opens a pipe waits for its writer else.
        with open(path, "rb", opener=_open_at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            held = file.read(_LARGEST_FILE) if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the token file {path}: {error.strerror}; write one with "
            f"`openssl rand -hex 32 > {path}; chmod 600 {path}`"
        ) from error
    if not stat.S_ISREG(mode):
        raise ConfigurationError(
            f"expected the token file {path} to be a regular file, got a pipe or "
            "device: write the token into a file"
        )
    if mode & 0o077 and sys.platform != "win32":
        raise ConfigurationError(
            f"expected the token file {path} to be readable by you only, got mode "
            f"{mode & 0o777:04o}: run `chmod 600 {path}`"
        )
    token = held.decode("ascii", "replace").strip()
    if len(token) < _SHORTEST or not re.fullmatch(r"[!-~]+", token):
        raise ConfigurationError(
            f"expected the token file {path} to hold one word of at least {_SHORTEST} "
            f"printable ASCII characters, got {len(token)} characters that do not do"
        )
    return token


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
