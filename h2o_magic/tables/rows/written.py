"""Which files runs have written, so that another run may replace them.

One that was changed since is the user's own.
"""

from __future__ import annotations

import os
from pathlib import Path

from h2o_magic.config import paths
from h2o_magic.config.json_file import PrivateFile

#: Files that are remembered.
_MOST = 500


def note_written(path: Path) -> None:
    """Remember that a run has written a file."""
    entry = _state(path)

    def with_entry(known: dict[str, str]) -> dict[str, str]:
        known.pop(_name(path), None)
        return dict([*known.items(), (_name(path), entry)][-_MOST:])

    _file().change(with_entry)


def is_of_a_run(path: Path) -> bool:
    """Return whether a run has written a file, and nobody has changed it since."""
    return _file().read().get(_name(path)) == _state(path)


def _file() -> PrivateFile[str]:
    return PrivateFile(
        paths.written_file(),
        what="files of runs",
        load=lambda _name, state: str(state),
        dump=str,
    )


def _name(path: Path) -> str:
    return os.path.realpath(path)


def _state(path: Path) -> str:
    found = path.stat()
    return f"{found.st_size} {found.st_mtime_ns}"
