"""A lock that is granted first come, first served, with a list of who waits.

One that waits can be held back: those behind it go first.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from h2o_magic.config.forks import in_child
from h2o_magic.errors import MisuseError

# Seconds between two checks: Windows lets nobody interrupt a wait without an end.
_POLL = 0.2

T = TypeVar("T")


@dataclass
class _Place:
    held: bool = False
    thread: threading.Thread = field(default_factory=threading.current_thread)
    awake: threading.Event = field(default_factory=threading.Event)


class FifoLock(Generic[T]):
    """Owned by the first of those who entered it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[T, _Place] = {}
        self._owner: T | None = None  # the first; None if all are held
        in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._places = {}
        self._owner = None

    @property
    def holders(self) -> tuple[T, ...]:
        """Who owns the lock, followed by those who wait for it, in order."""
        return tuple(self._places)

    @property
    def owner(self) -> T | None:
        """Who owns the lock; None if all are held back, or nobody is there."""
        return self._owner

    def enter(self, holder: T) -> bool:
        """Go to the end of the queue, unless in it; return whether it owns the lock.

        A thread with another place in the queue would wait for ever: a MisuseError.
        """
        with self._lock:
            if holder in self._places:
                return self._owner == holder
            place = _Place()
            if any(p.thread is place.thread for p in self._places.values()):
                raise MisuseError(
                    "an answer of this conversation is still being read here: read it "
                    "to its end or close it before the next question"
                )
            self._places[holder] = place
            self._grant()
            return self._owner == holder

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
            waiting = [each for each in self._places if each != self._owner]
            if holder not in waiting:
                return
            waiting.remove(holder)
            waiting.insert(place - 1, holder)
            self._order(waiting)

    def hold(self, holder: T) -> None:
        """Let those behind `holder` go first, until :meth:`let_go`."""
        with self._lock:
            if place := self._places.get(holder):
                place.held = True
                if self._owner == holder:
                    place.awake.clear()
                    self._owner = None
                    self._grant()

    def let_go(self, holder: T) -> None:
        """Hold `holder` back no more."""
        with self._lock:
            if place := self._places.get(holder):
                place.held = False
                self._grant()

    def is_held(self, holder: T) -> bool:
        place = self._places.get(holder)
        return place is not None and place.held

    def leave(self, holder: T) -> None:
        """Leave the queue, or release the lock to the next in it."""
        with self._lock:
            self._places.pop(holder, None)
            if self._owner == holder:
                self._owner = None
            self._grant()

    def _grant(self) -> None:
        """Give the lock to the first that is not held back, unless it is owned."""
        free = (each for each, place in self._places.items() if not place.held)
        if self._owner is None and (first := next(free, None)) is not None:
            self._owner = first
            self._order([each for each in self._places if each != first])
            self._places[first].awake.set()

    def _order(self, waiting: list[T]) -> None:
        owner = [] if self._owner is None else [self._owner]
        self._places = {each: self._places[each] for each in (*owner, *waiting)}
