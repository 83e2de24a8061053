"""Stored answers for what a program asks without a session."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from h2o_magic.backends.base import Backend
from h2o_magic.backends.replay.backend import ReplayBackend
from h2o_magic.backends.replay.replayed import Replayed
from h2o_magic.config.replay import ReplayChoice
from h2o_magic.prompts.secrets.guard import Guard


def replaying(
    choice: ReplayChoice, server: Backend, name: str, key: str | None
) -> Backend:
    """Return a backend that answers for a server of this name, with this key.

    A relative folder is below the current one. No weights are compared.
    """
    guard = Guard("", os.environ, {}, [key] if key else [])
    replayed = Replayed.of(choice, Path(), name, mask=guard.masked, warn=warnings.warn)
    return ReplayBackend(lambda: server, replayed, choice.mode)
