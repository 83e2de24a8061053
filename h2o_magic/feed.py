"""What happens to a conversation, told to those who listen.

The values are frozen, but for the answer in :class:`Grew`, which goes on growing: no
text is copied. They come from whatever thread asks, while no lock is held.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from h2o_magic.asking import Answer
from h2o_magic.turns import Turn

__all__ = ["Began", "Changed", "Configured", "Ended", "Feed", "Grew", "News", "Waits"]

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # else it would be written into a cell


@dataclass(frozen=True, slots=True)
class Waits:
    """A question waits for the answers before it in a thread, or gave that up."""

    thread: str


@dataclass(frozen=True, slots=True)
class Began:
    """A question is about to be sent; its turn is in the record."""

    thread: str
    turn: Turn


@dataclass(frozen=True, slots=True)
class Grew:
    """An event of an answer came, be it text, reasoning, or what the server notes."""

    thread: str
    turn_id: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Ended:
    """An answer has ended, in whatever way: `turn` is as it is kept.

    A turn that nothing came of may not be kept. Then ``Changed`` follows.
    """

    thread: str
    turn: Turn


@dataclass(frozen=True, slots=True)
class Changed:
    """The turns of a thread are others now, or those of all (None)."""

    thread: str | None = None


@dataclass(frozen=True, slots=True)
class Configured:
    """A setting has another value; the current thread is one of the settings."""

    setting: str


News: TypeAlias = Waits | Began | Grew | Ended | Changed | Configured


class Feed:
    """Tells listeners what happens. Any thread may tell, listen and stop listening."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[News], object], ...] = ()

    def listen(self, callback: Callable[[News], object]) -> Callable[[], None]:
        """Call `callback` with all that happens, and return what ends that.

        It is called in the thread in which it happens, which waits: it should return
        soon, and ask nothing. What it raises goes to this module's logger.
        """

        # Equal callbacks are told apart: each ends its own listening.
        def listener(news: News) -> None:
            callback(news)

        def end() -> None:
            with self._lock:
                self._listeners = tuple(
                    other for other in self._listeners if other is not listener
                )

        with self._lock:
            self._listeners += (listener,)
        return end

    def tell(self, news: News) -> None:
        """Tell all who listen; what one of them raises disturbs nobody."""
        for listener in self._listeners:
            try:
                listener(news)
            except Exception:
                _log.exception("a listener failed at %s", type(news).__name__)
