"""Bytes to the JSON objects on their lines, as chat-ui writes its updates.

Pure and incremental.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from h2o_magic.backends.sse import LineDecoder

__all__ = ["ObjectDecoder"]

_JSON_BLANKS = " \t"
_JSON = json.JSONDecoder()


class ObjectDecoder:
    """Make JSON objects of bytes that have one on a line, or several.

    Text is UTF-8; bytes that are not are replaced. Of a line that has something else
    in it, what stands before that is used, and the next line is read as if nothing had
    been. Lists, numbers and texts are dropped.
    """

    def __init__(self) -> None:
        self._lines = LineDecoder()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take the next bytes and return the objects on the lines they complete."""
        return _objects(self._lines.feed(data))

    def flush(self) -> list[dict[str, Any]]:
        """Return the objects on the last line, if the bytes ended without its end."""
        return _objects(self._lines.flush())


def _objects(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in lines:
        text, place = line.decode("utf-8", errors="replace").strip(_JSON_BLANKS), 0
        try:
            while place < len(text):
                value, place = _JSON.raw_decode(text, place)
                if isinstance(value, dict):
                    found.append(value)
                while place < len(text) and text[place] in _JSON_BLANKS:
                    place += 1
        except (ValueError, RecursionError):
            continue  # no JSON from here on
    return found
