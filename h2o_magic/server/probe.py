"""Tries in a process of its own whether the engine can load a file.

Some files crash the engine (one with the same token twice in its vocabulary did), and
the server with it. The engine also runs the chat template while it loads, and blocks
everything else meanwhile: so it is tried here with limits of time and memory.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from h2o_magic.errors import ConfigurationError
from h2o_magic.rendering.tables import one_line
from h2o_magic.weights.files import BUILT_IN
from h2o_magic.weights.gguf import read_header
from h2o_magic.weights.memory import file_size
from h2o_magic.weights.names import unsplit_name

#: Seconds that loading may take: these, and one more for so many bytes.
_SECONDS = 60.0
_BYTES_PER_SECOND = 50_000_000
#: Seconds of computing that the chat template may take; real ones take less than one.
_TEMPLATE_SECONDS = 5.0
#: Memory beside the file, in bytes; for the chat template without the file.
_HEADROOM = 4 * 2**30
_TEMPLATE_HEADROOM = 2 * 2**30
#: Of `prctl` (Linux): the signal sent when the parent process has ended.
_PARENT_DEATH_SIGNAL = 1
_SMALL = BUILT_IN / "demo-llama.gguf"

_REFUSED = 3
_LONGEST = 300
#: Why the engine refuses a file, in its words, most specific first.
_REFUSALS = (
    re.compile(r"gguf_init_from_\w+: (?!failed to read)(.+)"),
    re.compile(
        r"error loading model: (?:error loading model \w+: )?(?!.*failed to load)(.+)"
    ),
)
#: Why it cannot run a chat template.
_TEMPLATE = re.compile(
    r"^Error: (.+)|common_chat_templates_init: error: (.+)"
    r"|chat template parsing error: (?!std::exception|.*failed: $)(.+)",
    re.M,
)
_CRASH = re.compile(r"(GGML_ASSERT\(.+\) failed)")

_running: set[subprocess.Popen[bytes]] = set()


def probe(
    path: Path,
    *,
    seconds: float | None = None,
    template_seconds: float = _TEMPLATE_SECONDS,
    template_memory: int = _TEMPLATE_HEADROOM,
) -> None:
    """Load and unload the model at `path` in another process. Blocks.

    That may take `seconds` (None for a limit that grows with the file), and the chat
    template `template_seconds` of CPU time and `template_memory` bytes.
    """
    size = file_size(path)
    limit = _SECONDS + size / _BYTES_PER_SECOND if seconds is None else seconds
    limits = (size + _HEADROOM, template_seconds, template_memory)
    given = [str(path), *map(str, limits)]
    child = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "h2o_magic.server.probe", *given],
        # Without this the engine starts a debugger when it crashes.
        env=os.environ | {"GGML_NO_BACKTRACE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _running.add(child)
    try:
        _, said = child.communicate(timeout=limit)
        if child.returncode == 0:
            return
        why = _reason(said.decode("utf-8", "replace"), child.returncode)
    except subprocess.TimeoutExpired:
        why = f"loading takes more than {limit:.0f} s"
    finally:
        child.kill()
        child.communicate()
        _running.discard(child)
    raise ConfigurationError(
        f"the engine cannot load {unsplit_name(path.name)}: {why}: take another file"
    )


def end_probes() -> None:
    for child in list(_running):
        child.kill()


def _reason(said: str, status: int) -> str:
    if status == -getattr(signal, "SIGPROF", 0):
        return "its chat template takes too long"
    if status == -getattr(signal, "SIGKILL", 0):
        return "it was killed while loading, most likely because memory ran out"
    crashed = status != _REFUSED
    if template := _TEMPLATE.search(said):
        words = one_line(template[template.lastindex or 0])[:_LONGEST]
        return f"its chat template is broken, {words}"
    for pattern in (_CRASH,) if crashed else _REFUSALS:
        found: list[str] = pattern.findall(said)
        if found:
            words = one_line(found[-1])[:_LONGEST]
            return f"it crashes, {words}" if crashed else words
    return "it crashes" if crashed else "it gives no reason"


def _limit_memory(size: int) -> None:
    """Limit the memory of this process, where possible; mapped files do not count."""
    with suppress(ImportError, OSError, ValueError):  # Windows; a lower limit is set
        import resource  # noqa: PLC0415 - not on every platform

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (size, hard))


def _limit_cpu(seconds: float) -> None:
    """Let the system end this process, since no Python runs in the engine; 0: never."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _load(path: Path, template: str | None = None) -> bool:
    import xllamacpp  # noqa: PLC0415 - only the child needs it

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    if template is not None:
        params.chat_template = template
    params.hostnames, params.port, params.ui = ["127.0.0.1"], 0, False
    params.n_parallel, params.n_ctx, params.n_batch = 1, 64, 32
    params.warmup, params.cache_ram_mib, params.verbosity = False, 0, 1
    # The stack of each thread counts as memory.
    params.n_threads_http = params.cpuparams.n_threads = 2
    # Weights rearranged for speed would be copies.
    params.no_extra_bufts = True
    try:
        _loaded.append(xllamacpp.Server(params))
    except RuntimeError:
        return False
    return True


#: Kept until the process ends.
_loaded: list[Any] = []


def _try(
    path: Path, memory: int, template_seconds: float, template_memory: int
) -> bool:
    """Run the template on small weights first, where loading takes no time."""
    _end_with_parent()
    import xllamacpp  # noqa: F401, PLC0415 - only the child needs it; costs seconds

    template = read_header(path).chat_template
    if template:
        _limit_memory(template_memory)
        _limit_cpu(template_seconds)
        if not _load(_SMALL, template):
            return False
        _limit_cpu(0)
    _limit_memory(memory)
    return _load(path)


if __name__ == "__main__":
    _path, _memory, _seconds, _most = sys.argv[1:]
    if not _try(Path(_path), int(_memory), float(_seconds), int(_most)):
        sys.exit(_REFUSED)  # flushes what the engine printed
    # No cleanup: closing an engine that has just started can wait for ever.
    os._exit(0)
