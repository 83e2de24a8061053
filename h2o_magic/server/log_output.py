"""Where the server's log goes, and what the engine prints."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from h2o_magic.errors import ConfigurationError

__all__ = ["open_log", "start_log"]

_LARGEST_LOG = 2**20


def open_log(path: Path) -> int:
    """Open a log file for this user only, anew if it is large; return its descriptor.

    Raises
    ------
    ConfigurationError
        If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the log file {path}: {error.strerror}; choose another"
        ) from error
    if os.fstat(file).st_size > _LARGEST_LOG:
        os.ftruncate(file, 0)
    return file


def start_log(file: int | None) -> None:
    """Begin to log: into an open file, which gets all other output too, or to stderr.

    The descriptor `file` is used up.
    """
    if file is not None:
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
