"""Where the server's log goes, and how its lines look.

Each line is a JSON object. No prompt, answer, token or key stands in one: of an error
the log has the kind and the place, and its words only where they are about the server's
own files and settings. Only a process that breaks down leaves other lines at the end:
where in the program that was, from :mod:`faulthandler`.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import traceback
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from h2o_magic.errors import ConfigurationError, MessagesError, ParameterError
from h2o_magic.server.engine_output import sift_output

__all__ = ["JsonLines", "Seldom", "open_log", "start_log"]

_LARGEST_LOG = 2**20
_SELDOM_SECONDS = 60.0
_MOST_KINDS = 100


def open_log(path: Path) -> int:
    """Open a log file for this user only, anew if it is large; return its descriptor.

    Raises
    ------
    ConfigurationError
        If it cannot be written.
    """
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
