"""One model in a process of its own, behind llama.cpp's HTTP server.

``python -m h2o_magic.server.engine`` reads its configuration from standard input: one
line of JSON, since arguments and environment can be read by others. Once the model is
loaded it writes ``{"url": ...}`` to standard output, and ends when standard input does,
which is when its parent has ended. What the engine prints goes to standard error.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

#: The exit status after a model that the engine refused.
REFUSED = 3
#: Of `prctl` (Linux): the signal sent when the parent has ended.
_PARENT_DEATH_SIGNAL = 1
#: In which a thread of the engine, which is not waited for, prints why it refused.
_LAST_WORDS_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What to load, and how to serve it.

    `key` and `prefix` are random: they keep all but the parent out. `context` is in
    tokens, for all slots together; `prompt_cache` and `memory` (beyond which the
    process gets none) in bytes. `length` limits answers that have no limit, and `batch`
    is what is read at a time, in tokens. `pooling` and `sampling` are llama.cpp's. For
    models without a template there are `stop` texts, and `special`, which writes
    control tokens as their texts.
    """

    path: str
    alias: str
    key: str = field(repr=False)
    prefix: str = field(repr=False)
    parent: int
    slots: int
    context: int
    prompt_cache: int
    memory: int
    length: int
    batch: int
    embeds: bool = False
    pooling: int = 0
    threads: int | None = None
    http_threads: int = 16
    mapped: bool = False
    special: bool = False
    projector: str = ""
    template: str = ""
    sampling: Mapping[str, float] = field(default_factory=dict)
    stop: tuple[str, ...] = ()

    def as_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"


def _parameters(config: EngineConfig) -> Any:
    import xllamacpp  # noqa: PLC0415 - the parent needs none of it

    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = config.path, {config.alias}
    if not config.mapped:
        # Who writes into a file that is mapped ends the process (SIGBUS).
        params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_threads_http = config.http_threads
    params.api_keys, params.api_prefix = [config.key], config.prefix
    params.cors_origins, params.ui, params.endpoint_slots = "", False, False
    params.endpoint_metrics = True
    params.n_parallel, params.n_ctx = config.slots, config.context
    params.n_predict = config.length
    params.kv_unified = True
    params.cache_ram_mib = config.prompt_cache // 2**20
    params.n_batch = params.n_ubatch = config.batch
    params.warmup, params.verbosity = False, 1
    params.special = config.special
    if config.embeds:
        params.embedding, params.pooling_type = True, config.pooling
    if config.projector:
        params.mmproj.path = config.projector
    if config.template:
        params.chat_template = config.template
    params.antiprompt = list(config.stop)
    for name, value in config.sampling.items():
        setattr(params.sampling, name, value)
    if config.threads is not None:
        params.cpuparams.n_threads = config.threads
        params.cpuparams_batch.n_threads = config.threads
    return params


def _end_with_parent(parent: int) -> None:
    """End even while a model is loaded, when no other thread of Python runs (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it has ended before
            os._exit(0)


def _limit_memory(size: int) -> None:
    """Limit this process's own memory, where possible; mapped files do not count."""
    with suppress(ImportError, OSError, ValueError):  # Windows; a lower limit is set
        import resource  # noqa: PLC0415 - not on every platform

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (size, hard))


def main() -> None:
    # A line of the engine's must not be taken for ours.
    handshake = os.dup(1)
    os.dup2(2, 1)
    config = EngineConfig(**json.loads(sys.stdin.buffer.readline()))
    _end_with_parent(config.parent)
    params = _parameters(config)
    _limit_memory(config.memory)
    try:
        import xllamacpp  # noqa: PLC0415

        server = xllamacpp.Server(params)
    except RuntimeError:
        time.sleep(_LAST_WORDS_SECONDS)
        sys.exit(REFUSED)
    # Loading has put the engine's own handlers in place of Python's.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.write(handshake, json.dumps({"url": server.listening_address}).encode() + b"\n")
    os.close(handshake)
    sys.stdin.buffer.read()
    # No cleanup: closing an engine that has just started can wait for ever.
    os._exit(0)


if __name__ == "__main__":
    main()
