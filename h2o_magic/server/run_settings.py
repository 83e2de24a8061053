"""How the server is to run, checked before it begins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from h2o_magic.errors import ConfigurationError

__all__ = ["Settings", "check"]

_LAST_PORT = 65535
#: The engine ends the process if it is asked for more.
_MOST_SLOTS = 128


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run.

    Attributes
    ----------
    runtime_file : Path
        Where to leave address and token for this user's programs.
    port : int
        Port on 127.0.0.1; 0 takes a free one.
    slots : int
        Answers that one model writes at once.
    idle_minutes : float
        Minutes without a request after which the server ends; 0 for never.
    memory : int or None
        Memory for all models together, in bytes; None for a share of the machine's.
    log_file : Path or None
        Where to write the log; None for standard error.
    """

    runtime_file: Path
    port: int = 0
    slots: int = 4
    idle_minutes: float = 15.0
    memory: int | None = None
    log_file: Path | None = None


def check(settings: Settings) -> None:
    """Check the numbers.

    Raises
    ------
    ConfigurationError
        If one is out of its range.
    """
    if not 0 <= settings.port <= _LAST_PORT:
        raise _error("port", f"0 (a free one) to {_LAST_PORT}", settings.port)
    if not 1 <= settings.slots <= _MOST_SLOTS:
        raise _error("slots", f"1 to {_MOST_SLOTS}", settings.slots)
    minutes = settings.idle_minutes
    if not (math.isfinite(minutes) and minutes >= 0):
        raise _error("idle-minutes", "0 (never) or more", minutes)


def _error(option: str, expected: str, got: float) -> ConfigurationError:
    return ConfigurationError(f"expected --{option} to be {expected}, got {got}")
