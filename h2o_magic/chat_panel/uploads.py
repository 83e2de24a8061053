"""The files that views send along with questions, in pieces.

Jupyter takes messages of 10 MB at most, so that a file comes before the message that
names it: at once, unless the page is closed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from h2o_magic.prompts.attachments import LARGEST, too_large

#: Seconds after its last piece in which a file is surely named, if it ever is.
_STALE = 120.0


class Uploads:
    """The bytes that have come from each view, until a question takes them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}  # when a view sent its last piece
        self._files: dict[str, list[bytearray]] = {}  # by view

    def add(
        self, view: str, message: Mapping[str, Any], pieces: Iterable[memoryview]
    ) -> None:
        """Add a piece of the file with the number `file`; `at` is how much came."""
        self._last[view] = self._clock()
        files, number = self._files.setdefault(view, []), int(message["file"])
        if message["at"] == 0:
            files[number:] = [bytearray()]  # what an earlier try left goes
        for piece in pieces:
            if len(files[number]) + len(piece) > LARGEST:
                raise too_large("a file")
            files[number] += piece

    def forget(self, view: str) -> None:
        """Forget what has come from a view: its page is closed."""
        self._files.pop(view, None)

    def forget_stale(self) -> None:
        """Forget what has come from pages that went away without a word."""
        for view, at in list(self._last.items()):
            if self._clock() - at > _STALE:
                self.forget(view)
                del self._last[view]

    def take(self, view: str, names: Iterable[str]) -> list[tuple[str, bytes]]:
        """Return a view's files with their names, and forget them."""
        files = map(bytes, self._files.pop(view, []))
        return list(zip(names, files, strict=False))
