"""The files that views send along with questions, in pieces.

Jupyter takes messages of 10 MB at most, so that a file comes before the message that
names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from h2o_magic.prompts.attachments import LARGEST, too_large


class Uploads:
    """The bytes that have come from each view, until a question takes them."""

    def __init__(self) -> None:
        self._files: dict[str, list[bytearray]] = {}  # by view

    def add(
        self, view: str, message: Mapping[str, Any], pieces: Iterable[memoryview]
    ) -> None:
        """Add a piece of the file with the number `file`; `at` is how much came."""
        files, number = self._files.setdefault(view, []), int(message["file"])
        if message["at"] == 0:
            files[number:] = [bytearray()]  # what an earlier try left goes
        for piece in pieces:
            if len(files[number]) + len(piece) > LARGEST:
                raise too_large("a file")
            files[number] += piece

    def take(self, view: str, names: Iterable[str]) -> list[tuple[str, bytes]]:
        """Return a view's files with their names, and forget them."""
        files = map(bytes, self._files.pop(view, []))
        return list(zip(names, files, strict=False))
