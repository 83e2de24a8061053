"""Where the server's log goes, and how its lines look.

Each line is a JSON object. No prompt, answer, token or key stands in one: of an error
the log has the kind and the place, and its words only where they are about the server's
own files and settings. Only a process that breaks down leaves other lines at the end:
where in the program that was, from :mod:`faulthandler`.

What the engine prints is sifted, since it repeats what a client sent: what it says of a
schema quotes the schema, over several lines. It prints to the descriptors of standard
output and error, whatever Python does with its own. So only lines that it prints while
it loads a model get into the log; the others are counted.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from h2o_magic.errors import ConfigurationError, MessagesError, ParameterError

_log = logging.getLogger(__name__)

_LARGEST_LOG = 2**20
_SELDOM_SECONDS = 60.0
_MOST_KINDS = 100

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


def open_log(path: Path) -> int:
    """Open a log file for this user only, anew if it is large."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the log file {path}: {error.strerror}; choose another"
        ) from error
    if os.fstat(file).st_size > _LARGEST_LOG:
        os.ftruncate(file, 0)
    return file


def start_log(file: int | None) -> None:
    """Begin to log: into an open file, or to what is standard error now.

    The descriptor `file` is used up. All other output is sifted from now on.
    """
    stream = os.fdopen(os.dup(2) if file is None else file, "w", encoding="utf-8")
    faulthandler.enable(stream)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for foreign in ("asyncio", "uvicorn.error"):
        logging.getLogger(foreign).addFilter(Seldom())
    sift_output()


class Seldom(logging.Filter):
    """Lets the first line of a message through, and the same one again after a minute.

    What others log can be brought about as often as a client likes; and of an error it
    may tell the words, below the first line.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` is logged."""
        first = record.getMessage().partition("\n")[0]
        record.msg, record.args = first, None
        last = self._last.get(first)
        if last is not None and record.created - last < _SELDOM_SECONDS:
            return False
        if len(self._last) >= _MOST_KINDS:
            self._last.clear()
        self._last[first] = record.created
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``event``, and its fields.

    The fields are the mapping ``fields`` that a record was given as ``extra``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _kind(record.exc_info[1])
            line["at"] = _places(record.exc_info[1])
        return json.dumps(line)


def _kind(error: BaseException) -> str:
    name = type(error).__name__
    # What is wrong with a client's words repeats them; the engine does so as well.
    about_us = isinstance(error, ConfigurationError) and not isinstance(
        error, ParameterError | MessagesError
    )
    return f"{name}: {error}" if about_us else name


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


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
