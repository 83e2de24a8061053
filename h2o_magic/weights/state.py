"""Tells whether the files of a model are still those that were loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from h2o_magic.weights.names import part_names

#: The path, and size in bytes, time of change in ns and inode of each part.
FileState: TypeAlias = tuple[Path, tuple[tuple[int, int, int], ...]]


def state_of(path: Path) -> FileState:
    """Return the state of the weights at `path`; what is missing is left out."""
    parts = []
    for name in part_names(path.name):
        try:
            status = path.with_name(name).stat()
        except OSError:  # whoever reads the file says what is wrong with it
            continue
        parts.append((status.st_size, status.st_mtime_ns, status.st_ino))
    return path, tuple(parts)
