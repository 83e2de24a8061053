"""What the engine prints: sifted, since it repeats what a client sent.

It prints to the descriptors of standard output and error, whatever Python does with
its own. What it says of a schema quotes the schema, over several lines. So only lines
that it prints while it loads a model get into the log; the others are counted.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable

__all__ = ["Sieve", "sift_output"]

_log = logging.getLogger(__name__)

#: A line of llama.cpp's about loading, such as ``0.00.42.834 E llama_model_load: ...``,
#: or an assertion of its own, whose text is a piece of its source.
_ABOUT_LOADING = re.compile(
    r"\d+(\.\d+){3} [EW] +"
    r"(llama_model_load(_from_file_impl)?|llama_init_from_model|llama_context"
    r"|llama_kv_cache|(cmn +)?common_init_\w*|common_fit_params"
    r"|common_chat_templates_init|srv +(load_model|init)"
    r"|ggml_aligned_malloc|ggml_backend_\w+|gguf_init_from_\w+): [^\n]*"
    r"|[\w./\\:-]+:\d+: GGML_ASSERT\([^\n]*\) failed"
)
#: What the first line of a quotation holds: the words of a client follow, and they can
#: look like any line.
_QUOTES = re.compile(r"llg|llguidance|panicked|grammar", re.IGNORECASE)
_QUOTING_SECONDS = 1.0
_LONGEST_LINE = 1000


def sift_output() -> None:
    """Take all that is printed from now on, and log what is no secret.

    A full pipe loses lines, but it never holds the engine up.
    """
    reading, writing = os.pipe()
    if sys.platform != "win32":
        os.set_blocking(writing, False)
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    os.close(writing)
    threading.Thread(
        target=_read, args=(reading,), name="engine output", daemon=True
    ).start()


class Sieve:
    """Logs lines that are about loading a model, and counts those that it withholds.

    The count is logged at each power of two, so that no flood of lines fills the log.

    Parameters
    ----------
    now
        The time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._quoted_until = -1.0
        self.withheld = 0

    def take(self, line: str) -> None:
        """Log a line, or withhold it."""
        if _QUOTES.search(line):
            self._quoted_until = self._now() + _QUOTING_SECONDS
        quoted = self._now() < self._quoted_until
        if not quoted and _ABOUT_LOADING.fullmatch(line):
            _log.warning("engine", extra={"fields": {"line": line}})
        elif line.strip():
            self._withhold()

    def _withhold(self) -> None:
        self.withheld += 1
        if self.withheld & (self.withheld - 1) == 0:
            fields = {"engine_lines_withheld": self.withheld}
            _log.info("engine", extra={"fields": fields})


def _read(reading: int) -> None:
    sieve = Sieve()
    with os.fdopen(reading, "rb") as printed:
        begins = True
        while part := printed.readline(_LONGEST_LINE):
            # The rest of a long line is no line of its own, whatever it looks like.
            if begins:
                sieve.take(part.decode("utf-8", "replace").rstrip("\r\n"))
            begins = part.endswith(b"\n")
