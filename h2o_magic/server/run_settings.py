"""The settings of the server, checked before it starts; a shared server's token."""

from __future__ import annotations

import math
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from h2o_magic.errors import ConfigurationError
from h2o_magic.weights.files import find_weights
from h2o_magic.weights.memory import default_memory, plan_memory

_LAST_PORT = 65535
#: The engine ends the process if it is asked for more.
_MAX_SLOTS = 128
_MAX_QUEUE = 10_000
_MIN_TOKEN = 16
_MAX_TOKEN_FILE = 4096


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run: each field is an option of ``h2o-magic serve``."""

    runtime_file: Path | None  # None for a server whose clients know its token
    idle_minutes: float  # without a request; 0 for never
    host: str = "127.0.0.1"
    port: int = 0  # 0 takes a free one
    slots: int = 4  # answers that one model writes at once
    queue: int = 64  # answers that may wait, for all models together
    memory: int | None = None  # bytes for all models; None for a share of the machine's
    grace: float = 0.0  # seconds for running answers to end after the first signal
    models: tuple[str, ...] | None = None  # the only ones; None for all that are known
    token_file: Path | None = None  # a shared server's; None generates a token
    log_file: Path | None = None  # None for standard error

    @property
    def shared(self) -> bool:
        return self.token_file is not None


def check(settings: Settings) -> None:
    if not 0 <= settings.port <= _LAST_PORT:
        raise _error("port", f"0 (a free one) to {_LAST_PORT}", settings.port)
    if not 1 <= settings.slots <= _MAX_SLOTS:
        raise _error("slots", f"1 to {_MAX_SLOTS}", settings.slots)
    if not 0 <= settings.queue <= _MAX_QUEUE:
        raise _error("queue", f"0 to {_MAX_QUEUE}", settings.queue)
    if not _is_length(settings.idle_minutes):
        raise _error("idle-minutes", "0 (never) or more", settings.idle_minutes)
    if not _is_length(settings.grace):
        raise _error("grace", "0 or more seconds", settings.grace)
    if not settings.host.strip():
        raise ConfigurationError("expected --host to be a name or address, got none")
    if settings.shared and settings.runtime_file is not None:
        raise ConfigurationError(
            "expected --runtime-file or --token-file, got both: a shared server writes "
            "no file for this user's notebooks, which have a server of their own"
        )
    memory = default_memory() if settings.memory is None else settings.memory
    for name in settings.models or ():
        weights = find_weights(name, memory)
        if weights is not None and not weights.demo:
            plan_memory(weights.path, settings.slots, memory)


def _is_length(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _error(option: str, expected: str, got: float) -> ConfigurationError:
    return ConfigurationError(f"expected --{option} to be {expected}, got {got}")


def read_token(path: Path) -> str:
    """Return the token in a file that only its owner may read; no error shows it."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            held = file.read(_MAX_TOKEN_FILE) if stat.S_ISREG(mode) else b""
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
    if len(token) < _MIN_TOKEN or not re.fullmatch(r"[!-~]+", token):
        raise ConfigurationError(
            f"expected the token file {path} to hold one word of at least "
            f"{_MIN_TOKEN} printable ASCII characters, got "
            f"{len(token)} other characters"
        )
    return token


def _open_at_once(path: str, flags: int) -> int:  # a pipe would wait for its writer
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
