"""IPython shells for tests, each ended with its test."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

__all__ = ["ipython"]


@contextmanager
def ipython() -> Iterator[InteractiveShell]:
    """Make the running IPython shell, one that writes no history file."""
    config = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell.instance(config=config)
    try:
        yield shell
    finally:
        InteractiveShell.clear_instance()
        # Else every shell is kept, and collects garbage when the process ends.
        atexit.unregister(shell.atexit_operations)
