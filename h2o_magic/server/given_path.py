"""A model that is asked for by the path of its GGUF file.

The path must be absolute: a relative one would be taken from the server's folder, and
the user means the notebook's.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["given_file", "why_no_file"]

_SUFFIX = ".gguf"


def given_file(name: str) -> Path | None:
    """Return the GGUF file that `name` is the absolute path of, or None."""
    path = _path(name)
    given = path.suffix.lower() == _SUFFIX and path.is_absolute() and _is_file(path)
    return path if given else None


def why_no_file(name: str) -> str | None:
    """Return why `name` names no GGUF file; None where it is not meant as a path."""
    path = _path(name)
    if path.is_absolute():
        return _why_not(path)
    # In `owner/repository:file.gguf` the file is one of the hub's.
    if path.suffix.lower() == _SUFFIX and ":" not in name:
        return (
            f"cannot use the relative path {name!r}, since the server's folder is not "
            "the notebook's: give an absolute path"
        )
    return None


def _why_not(path: Path) -> str:
    if not _is_file(path):
        return f"there is no file {str(path)!r}: check the path"
    return f"expected a GGUF file, whose name ends in {_SUFFIX}, got {str(path)!r}"


def _path(name: str) -> Path:
    # Unlike `Path.expanduser`, this leaves an unknown user's home as it is.
    return Path(os.path.expanduser(name))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a path, not readable, a zero byte
        return False
