"""The file with the running server's address and token, for this user's programs."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from h2o_magic.config.folders import make_private


@dataclass(frozen=True, slots=True)
class Runtime:
    """The file's content; `instance` is a random id of this run of the server."""

    url: str
    token: str = field(repr=False)
    pid: int
    instance: str
    version: str
    log: str | None

    def write(self, path: Path) -> None:
        """Write the file atomically and for this user only (mode 0600)."""
        make_private(path.parent)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
        try:
            os.replace(temporary, path)
        except OSError:
            temporary.unlink()
            raise

    def remove(self, path: Path) -> None:
        # It may be another server's by now.
        with suppress(OSError, ValueError, TypeError, KeyError):
            if json.loads(path.read_text("utf-8"))["instance"] == self.instance:
                path.unlink()
