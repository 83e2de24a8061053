"""A lock that is granted first come, first served, with a list of who waits."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from h2o_magic.config.forks import in_child
from h2o_magic.errors import MisuseError

# Seconds between two checks: Windows lets nobody interrupt a wait without an end.
_POLL = 0.2

T = TypeVar("T")


@dataclass(frozen=True)
class _Place:
    thread: threading.Thread = field(default_factory=threading.current_thread)
    awake: threading.Event = field(default_factory=threading.Event)


class FifoLock(Generic[T]):
    """Held by the first of those who entered it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[T, _Place] = {}
        in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._places = {}

    @property
    def holders(self) -> tuple[T, ...]:
        """Who holds the lock, followed by those who wait for it, in order."""
        return tuple(self._places)

    def enter(self, holder: T) -> bool:
        """Go to the end of the queue, unless in it; return whether the lock is held.

        A thread with another place in the queue would wait for ever: a MisuseError.
        """
        with self._lock:
            if holder in self._places:
                return next(iter(self._places)) is holder
            place = _Place()
            if any(p.thread is place.thread for p in self._places.values()):
                raise MisuseError(
                    "an answer of this conversation is still being read here: read it "
                    "to its end or close it before the next question"
                )
            self._places[holder] = place
            if len(self._places) == 1:
                place.awake.set()
        return place.awake.is_set()

    def wait(self, holder: T) -> None:
        """Wait until `holder` has the lock, or :meth:`wake` is called for it."""
        place = self._places[holder]
        while not place.awake.wait(_POLL):
            pass

    def wake(self, holder: T) -> None:
        """End the wait of `holder`, from any thread."""
        if place := self._places.get(holder):
            place.awake.set()

    def move(self, holder: T, place: int) -> None:
        """Put `holder` at a place in the queue, from 1, the first of those that wait.

        Nothing is done if it is not among them.
        """
        with self._lock:
            first, *waiting = self._places or [holder]
            if holder not in waiting:
                return
            waiting.remove(holder)
            waiting.insert(place - 1, holder)
            self._places = {each: self._places[each] for each in (first, *waiting)}

    def leave(self, holder: T) -> None:
        """Leave the queue, or release the lock to the next in it."""
        with self._lock:
            self._places.pop(holder, None)
            for place in list(self._places.values())[:1]:
                place.awake.set()
