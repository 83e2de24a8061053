"""Standard output of ``h2o-magic``, and the exit status when it takes nothing."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from h2o_magic.rendering.streams import write


def put(text: str) -> int:
    """Write to standard output; return the exit status."""
    return after(write(text, sys.stdout))


def after(error: Exception | None) -> int:
    """Return the exit status after a write, and say why it failed, if it did."""
    if error is None:
        return 0
    with suppress(Exception):  # Python would flush it again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):  # as of `| head`
        why = getattr(error, "strerror", None) or error
        write(f"h2o-magic: cannot write the output: {why}\n", sys.stderr)
    return 1
