"""Tries in a process of its own whether the engine can load a file.

The engine checks much of what a file says, but not all: some foreign files make it end
the process (a vocabulary with the same token twice was seen to). It is better to lose
a process that does nothing else than the server with everybody's answers.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from h2o_magic.errors import ConfigurationError
from h2o_magic.server.split_files import whole_name
from h2o_magic.tables import one_line

__all__ = ["probe"]

_REFUSED = 3
_LONGEST = 300
#: The engine's words for why it refuses a file, most telling first, and for why it
#: broke down. Lines that only say that something failed are passed over.
_REFUSALS = (
    re.compile(r"gguf_init_from_\w+: (?!failed to read)(.+)"),
    re.compile(
        r"error loading model: (?:error loading model \w+: )?(?!.*failed to load)(.+)"
    ),
)
_BREAKDOWN = re.compile(r"(GGML_ASSERT\(.+\) failed)")


def probe(path: Path) -> None:
    """Load the model at `path` and let go of it, elsewhere. Blocks.

    Raises
    ------
    ConfigurationError
        If the engine refuses it, or breaks down over it; says why.
    """
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "h2o_magic.server.probe", str(path)],
        # Without this the engine calls a debugger when it breaks down.
        env=os.environ | {"GGML_NO_BACKTRACE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode == 0:
        return
    said = done.stderr.decode("utf-8", "replace")
    raise ConfigurationError(
        f"the engine cannot load {whole_name(path.name)}: "
        f"{_reason(said, done.returncode)}: take another file"
    )


def _reason(said: str, status: int) -> str:
    if status == -getattr(signal, "SIGKILL", 0):
        return "it was killed while loading, most likely for want of memory"
    broke = status != _REFUSED
    for pattern in (_BREAKDOWN,) if broke else _REFUSALS:
        found: list[str] = pattern.findall(said)
        if found:
            words = one_line(found[-1])[:_LONGEST]
            return f"it breaks down over it, {words}" if broke else words
    return "it breaks down over it" if broke else "it does not say why"


def _load(path: str) -> bool:
    """Load a model with as little beside the weights as can be."""
    import xllamacpp  # noqa: PLC0415 - only the child needs it

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.hostnames, params.port, params.ui = ["127.0.0.1"], 0, False
    params.n_parallel, params.n_ctx, params.n_batch = 1, 64, 32
    params.warmup, params.cache_ram_mib, params.verbosity = False, 0, 1
    # Weights rearranged for speed would be copies; here the file itself is enough.
    params.no_extra_bufts = True
    try:
        # Kept, so that nobody lets go of it before the process ends.
        globals()["_loaded"] = xllamacpp.Server(params)
    except RuntimeError:
        return False
    return True


if __name__ == "__main__":
    if not _load(sys.argv[1]):
        sys.exit(_REFUSED)  # in order, so that all of the engine's words come out
    # Not in order: letting go of an engine that just began can wait for ever.
    os._exit(0)
