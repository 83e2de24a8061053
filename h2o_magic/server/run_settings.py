"""How the server is to run, checked before it begins; the token of a shared one."""

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
_MOST_SLOTS = 128
_LONGEST_QUEUE = 10_000
_SHORTEST_TOKEN = 16
_LARGEST_TOKEN_FILE = 4096


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run.

    Attributes
    ----------
    runtime_file : Path or None
        Where to leave address and token for this user's programs; None for a server
        whose clients know its token from elsewhere.
    idle_minutes : float
        Minutes without a request after which the server ends; 0 for never.
    host : str
        Name or address to listen on.
    port : int
        Port; 0 takes a free one.
    slots : int
        Answers that one model writes at once.
    queue : int
        Answers that may wait, for all models together.
    memory : int or None
        Memory for all models together, in bytes; None for a share of the machine's.
    grace : float
        Seconds that running answers may take to end after the first signal.
    models : tuple of str or None
        The only models that can be asked for; None for all that are known.
    token_file : Path or None
        Holds the token of a server that is shared with others; None for the user's
        own, which makes one up.
    log_file : Path or None
        Where to write the log; None for standard error.
    """

    runtime_file: Path | None
    idle_minutes: float
    host: str = "127.0.0.1"
    port: int = 0
    slots: int = 4
    queue: int = 64
    memory: int | None = None
    grace: float = 0.0
    models: tuple[str, ...] | None = None
    token_file: Path | None = None
    log_file: Path | None = None

    @property
    def shared(self) -> bool:
        """Whether the server is for others, too."""
        return self.token_file is not None


def check(settings: Settings) -> None:
    """Check the numbers, and that each of the only models fits into the memory."""
    if not 0 <= settings.port <= _LAST_PORT:
        raise _error("port", f"0 (a free one) to {_LAST_PORT}", settings.port)
    if not 1 <= settings.slots <= _MOST_SLOTS:
        raise _error("slots", f"1 to {_MOST_SLOTS}", settings.slots)
    if not 0 <= settings.queue <= _LONGEST_QUEUE:
        raise _error("queue", f"0 to {_LONGEST_QUEUE}", settings.queue)
    if not _is_length(settings.idle_minutes):
        raise _error("idle-minutes", "0 (never) or more", settings.idle_minutes)
    if not _is_length(settings.grace):
        raise _error("grace", "0 or more seconds", settings.grace)
    if not settings.host.strip():
        raise ConfigurationError("expected --host to be a name or address, got none")
    if settings.shared and settings.runtime_file is not None:
        raise ConfigurationError(
            "expected --runtime-file or --token-file, got both: a shared server leaves "
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
    """Return the token in the file at `path`, which only its owner may read.

    No message repeats what it holds.
    """
    try:
        # Who opens a pipe waits for its writer else.
        with open(path, "rb", opener=_open_at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            held = file.read(_LARGEST_TOKEN_FILE) if stat.S_ISREG(mode) else b""
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
    if len(token) < _SHORTEST_TOKEN or not re.fullmatch(r"[!-~]+", token):
        raise ConfigurationError(
            f"expected the token file {path} to hold one word of at least "
            f"{_SHORTEST_TOKEN} printable ASCII characters, got another text of "
            f"{len(token)} characters"
        )
    return token


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
