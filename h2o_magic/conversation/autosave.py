"""Saves something that changes often, soon after each change but not each time."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Autosave:
    """Calls `save` within `every` seconds of a change, from its own thread."""

    def __init__(self, save: Callable[[], None], every: float = 0.5) -> None:
        self._save = save
        self._every = every
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._timer: threading.Timer | None = None
        self._closed = False

    def touch(self) -> None:
        with self._lock:
            if self._timer is None and not self._closed:
                self._timer = threading.Timer(self._every, self._run)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Save no more; a save that is under way is waited for."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
        with self._saving:
            pass

    def _run(self) -> None:
        with self._saving:
            with self._lock:
                self._timer = None
                if self._closed:
                    return
            self._save()
