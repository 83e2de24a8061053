"""Call a drawing function as often as a viewer can use it, and no more.

The first request draws at once; more requests within the interval are joined into one
draw at its end, on a thread of the pacer's own, so that text never waits for the next
token to be seen.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable


class Pacer:
    """Limits how often `draw` is called.

    Use it as a context manager; on leaving, a request that still waits is dropped,
    since whoever ends the view draws its last state. A draw that fails is the last one.
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._wake = threading.Condition()
        self._waiting = False
        self._closed = False
        self._next = 0.0
        # IPython finds the cell that output belongs to in the context.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._run,), name="h2o_magic-pacer", daemon=True
        )

    def request(self) -> None:
        """Ask for a draw: now if the last one was long enough ago, else soon."""
        with self._wake:
            if self._closed:
                return
            if time.monotonic() >= self._next:
                self._draw_now()
            else:
                self._waiting = True
                self._wake.notify()

    def again(self) -> None:
        """Draw once more, soon; for a draw that has left something out."""
        self._waiting = True
        self._wake.notify()

    def __enter__(self) -> Pacer:
        """Start the thread that draws joined requests."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End the thread; nothing is drawn after this."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _draw_now(self) -> None:
        self._waiting = False
        try:
            self._next = self._draw() + time.monotonic()
        except Exception:  # of showing: the answer goes on
            self._closed = True

    def _run(self) -> None:
        with self._wake:
            while not self._closed:
                if not self._waiting:
                    self._wake.wait()
                    continue
                delay = self._next - time.monotonic()
                if delay > 0:
                    self._wake.wait(delay)
                    continue
                self._draw_now()
