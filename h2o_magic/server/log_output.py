"""The server's log: where it goes, and what its lines contain.

Each line is a JSON object without any prompt, answer, token or key: of an error it has
the type and the place, and the message only if that is about the server's own files and
settings. Only a crash adds other lines, those of :mod:`faulthandler`.

Engines print, and may quote what a client sent, over several lines. So only lines about
loading a model are logged; the others are counted.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from h2o_magic.config.folders import make_private
from h2o_magic.errors import ConfigurationError, MessagesError, ParameterError

_log = logging.getLogger(__name__)

_MAX_LOG = 2**20
_REPEAT_SECONDS = 60.0
_MAX_MESSAGES = 100

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
#: In the first line of a quotation: text of a client follows, which can look like any
#: line.
_QUOTES = re.compile(r"llg|llguidance|panicked|grammar", re.IGNORECASE)
_QUOTING_SECONDS = 1.0


def open_log(path: Path) -> int:
    """Open a log file for this user only; a large one is truncated."""
    try:
        make_private(path.parent)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the log file {path}: {error.strerror}; choose another"
        ) from error
    if os.fstat(file).st_size > _MAX_LOG:
        os.ftruncate(file, 0)
    return file


def start_log(file: int | None) -> None:
    """Log into the open `file`, or to standard error as it is now; filter all else."""
    if file is None:  # where there is none, its number may be another file's
        file = os.dup(2) if sys.stderr else os.open(os.devnull, os.O_WRONLY)
    stream = os.fdopen(file, "w", encoding="utf-8")
    faulthandler.enable(stream)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for foreign in ("asyncio", "aiohttp", "h2o_magic.server.connections"):
        logging.getLogger(foreign).addFilter(RepeatFilter())


class RepeatFilter(logging.Filter):
    """Lets the first line of a message through, and the same one again after a minute.

    Clients can cause what libraries log, and its later lines may quote them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        first = record.getMessage().partition("\n")[0]
        record.msg, record.args = first, None
        last = self._last.get(first)
        if last is not None and record.created - last < _REPEAT_SECONDS:
            return False
        if len(self._last) >= _MAX_MESSAGES:
            self._last.clear()
        self._last[first] = record.created
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``event``, extra fields."""

    def format(self, record: logging.LogRecord) -> str:
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
    # Errors about a client's input quote it, and so do the engine's.
    about_us = isinstance(error, ConfigurationError) and not isinstance(
        error, ParameterError | MessagesError
    )
    return f"{name}: {error}" if about_us else name


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


class OutputFilter:
    """Logs lines about loading a model, and how many others there are: 1, 2, 4, 8..."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._quoted_until = -1.0
        self.withheld = 0

    def take(self, line: str) -> None:
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
