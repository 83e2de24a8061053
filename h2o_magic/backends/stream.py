"""The iterator that a backend hands out for one answer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Iterator

from h2o_magic.backends.http import Cancellation
from h2o_magic.chat.events import Event


class AnswerStream(Iterator[Event]):
    """The events of one answer. Any thread may close it.

    Iterating after `close` ends without a `Finished` event and without an error.
    """

    def __init__(
        self, events: Generator[Event, None, None], cancellation: Cancellation
    ) -> None:
        self._events = events
        self._cancellation = cancellation
        self._iterating = threading.RLock()

    def __next__(self) -> Event:
        with self._iterating:
            return next(self._events)

    def close(self) -> None:
        """Stop the answer, here and on the server, if it has not ended.

        If another thread waits for the next event, its wait ends, and that thread
        tells the server.
        """
        self._cancellation.cancel()
        if not self._iterating.acquire(blocking=False):
            return  # another thread is iterating it, which ends it now
        try:
            # ValueError: this thread is in the middle of it.
            with contextlib.suppress(ValueError):
                self._events.close()
        finally:
            self._iterating.release()
