"""A file that is read twice: it must be the same one both times."""

from __future__ import annotations

from pathlib import Path

from h2o_magic.errors import ConfigurationError


class Snapshot:
    """A file as it was when a run began."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state = self._now()

    def check(self) -> None:
        """Raise a ConfigurationError if the file is another one by now."""
        if self._now() != self._state:
            raise ConfigurationError(
                f"{self._path} has changed since the run began: run it again"
            )

    def _now(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_size, found.st_mtime_ns
