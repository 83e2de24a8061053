"""Rows asked in threads of this process, as many as are in flight."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue

from h2o_magic.chat.events import Event
from h2o_magic.tables.executors import RowExecutor, Ticket
from h2o_magic.tables.running.asking import RowAsker, close_stream
from h2o_magic.tables.running.outcome import Outcome

#: Seconds that threads get to end in, once their answers were closed. One that looks a
#: host's name up cannot be woken.
_TO_END = 1.0


class Inbox:
    """Outcomes as they come, from any threads; several executors may have one."""

    def __init__(self) -> None:
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self.put = self._outcomes.put

    def take(self, timeout: float) -> list[Outcome]:
        """Return what is there; wait up to so many seconds if nothing is."""
        found: list[Outcome] = []
        try:
            found.append(self._outcomes.get(timeout > 0, timeout))
            while True:
                found.append(self._outcomes.get_nowait())
        except Empty:
            return found


class StoppableAsker:
    """Asks rows from any threads, and ends what they are at when it is stopped.

    `release` is to be called when nothing is asked any more.
    """

    def __init__(
        self, asker: RowAsker, release: Callable[[], object] = lambda: None
    ) -> None:
        self.stopped = False
        self.release = release
        self._asker = asker
        self._streams: dict[int, Iterator[Event]] = {}

    def ask(self, ticket: Ticket) -> Outcome:
        me = threading.get_ident()

        def hold(stream: Iterator[Event]) -> None:
            self._streams[me] = stream
            if self.stopped:
                close_stream(stream)

        try:
            return self._asker.ask(*ticket, hold)
        finally:
            self._streams.pop(me, None)

    def stop(self) -> None:
        self.stopped = True
        for stream in list(self._streams.values()):
            close_stream(stream)


class Threads(RowExecutor):
    """Asks each row in a thread; a thread that has asked one takes the next."""

    def __init__(self, asker: StoppableAsker, inbox: Inbox) -> None:
        self._asker = asker
        self._inbox = inbox
        self._tickets: SimpleQueue[Ticket | None] = SimpleQueue()
        self._open: set[int] = set()  # the numbers of rows that wait, or are asked
        self._threads: list[threading.Thread] = []

    def submit(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            self._open.add(ticket[0])
            self._tickets.put(ticket)
        while len(self._threads) < len(self._open):
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()

    def outcomes(self, timeout: float) -> list[Outcome]:
        return self._inbox.take(timeout)

    def stop(self) -> None:
        self._asker.stop()
        for _ in self._threads:
            self._tickets.put(None)
        until = time.monotonic() + _TO_END
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))
        self._asker.release()

    def _work(self) -> None:
        while (ticket := self._tickets.get()) is not None:
            if self._asker.stopped:
                return
            outcome = self._asker.ask(ticket)
            self._open.discard(ticket[0])
            self._inbox.put(outcome)
