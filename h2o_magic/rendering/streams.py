"""Writing to a stream, whatever it is: a terminal, a pipe, a file, or a test's own.

Nothing here raises: what can be shown never decides what is kept.
"""

from __future__ import annotations

import codecs
import errno
import os
import shutil
from typing import Any, TextIO

#: What stands for the marks of this package where an encoding lacks them.
_ASCII = {"·": "-", "…": "...", "→": "->", "✓": "*", "█": "#", "░": ".", "■": "*"}
#: Dashes, quotation marks and bullets.
_ASCII |= dict(
    zip("\u2013\u2014\u2018\u2019\u201c\u201d\u2022", "--''\"\"*", strict=True)
)


def _plainer(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_ASCII.get(mark, "?") for mark in lacking), error.end


codecs.register_error("h2o_magic", _plainer)


def write(text: str, stream: Any) -> Exception | None:
    """Write `text`; return the error if the stream, which may be None, did not take it.

    What its encoding lacks is replaced: by ASCII that means the same, or by ``?``.
    """
    if stream is None:
        return OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        try:
            stream.write(_encodable(text, getattr(stream, "encoding", None)))
        except UnicodeEncodeError:  # it has not said what it lacks
            stream.write(_encodable(text, "ascii"))
        if hasattr(stream, "flush"):
            stream.flush()
    except Exception as error:  # it is closed, full, or without a reader
        return error
    return None


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether somebody reads a stream as it comes."""
    try:
        return stream is not None and stream.isatty()
    except Exception:  # it is closed, or an object of a test's own
        return False


def can_redraw(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal whose line can be written over."""
    dumb = os.environ.get("TERM", "") in ("dumb", "unknown")
    return is_terminal(stream) and not dumb


def columns() -> int:
    """Return the width of the terminal; 80 where it has none."""
    return shutil.get_terminal_size().columns


def _encodable(text: str, encoding: object) -> str:
    """Return what an encoding has of a text; all of it, if the encoding is unknown."""
    try:
        name = str(encoding)
        return text.encode(name, "h2o_magic").decode(name)
    except (LookupError, UnicodeError):
        return text
