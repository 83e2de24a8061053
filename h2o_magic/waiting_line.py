"""A line in which one after the other is served, first come, first served."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

from h2o_magic.errors import MisuseError

__all__ = ["Ticket", "WaitingLine"]

# Seconds between two looks whether it is one's turn: Windows lets nobody interrupt a
# wait without an end.
_POLL = 0.2

T = TypeVar("T")


class WaitingLine(Generic[T]):
    """Those who wait, of whom the first is served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: tuple[Ticket[T], ...] = ()

    @property
    def holders(self) -> tuple[T, ...]:
        """Whom the tickets are for, in order; the first is served."""
        return tuple(ticket.holder for ticket in self._tickets)


class Ticket(Generic[T]):
    """One's place in a line. Making it takes none.

    Parameters
    ----------
    line
        The line.
    holder
        Whom the ticket is for.
    """

    def __init__(self, line: WaitingLine[T], holder: T) -> None:
        self.holder = holder
        self._line = line
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def served(self) -> bool:
        """Whether one is the first in the line."""
        return self._line._tickets[:1] == (self,)

    @property
    def taken(self) -> bool:
        """Whether :meth:`take` has been called."""
        return self._thread is not None

    def take(self) -> None:
        """Go to the end of the line.

        Raises
        ------
        MisuseError
            If this thread itself holds a place before it: it would wait for ever.
        """
        self._thread = threading.current_thread()
        line = self._line
        with line._lock:
            if any(ticket._thread is self._thread for ticket in line._tickets):
                raise MisuseError(
                    "an answer of this conversation is still being read here: read it "
                    "to its end or close it before the next question"
                )
            line._tickets += (self,)
            if line._tickets[0] is self:
                self._awake.set()

    def wait(self) -> None:
        """Wait until one is served, or :meth:`give_up` is called."""
        while not self._awake.wait(_POLL):
            pass

    def give_up(self) -> None:
        """End a wait, from any thread."""
        self._awake.set()

    def leave(self) -> None:
        """Leave the line, wherever one stands in it, so that the next is served."""
        line = self._line
        with line._lock:
            line._tickets = tuple(t for t in line._tickets if t is not self)
            first = line._tickets[:1]
        for ticket in first:
            ticket._awake.set()
