"""Rows asked in threads of this process, as many as are in flight."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue

from h2o_magic.chat.events import Event
from h2o_magic.tables.executors import RowExecutor, Ticket
from h2o_magic.tables.executors.inbox import Inbox
from h2o_magic.tables.running.asking import RowAsker, close_stream
from h2o_magic.tables.running.outcome import Outcome

#: Seconds that threads get to end in, once their answers were closed. One that looks a
#: host's name up cannot be woken.
_TO_END = 1.0


class StoppableAsker:
    """Asks rows from any threads, and ends what they are at when it is stopped."""

    def __init__(self, asker: RowAsker) -> None:
        self.stopped = False
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
    """Asks each row in a thread; a thread that has asked one takes the next.

    `most` is how many rows are asked at once; others wait. `release` is called at the
    end, when nothing is asked any more.
    """

    def __init__(
        self,
        asker: RowAsker,
        inbox: Inbox | None = None,
        *,
        most: int | None = None,
        release: Callable[[], object] = lambda: None,
    ) -> None:
        self.most = most
        self._asker = StoppableAsker(asker)
        self._inbox = inbox or Inbox()
        self._release = release
        self._tickets: SimpleQueue[Ticket | None] = SimpleQueue()
        self._open: set[int] = set()  # the numbers of rows that wait, or are asked
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def submit(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            self._open.add(ticket[0])
            self._tickets.put(ticket)
        wanted = len(self._open)
        if self.most is not None:
            wanted = min(wanted, self.most)
        with self._lock:
            while len(self._threads) < wanted:
                thread = threading.Thread(target=self._work, daemon=True)
                self._threads.append(thread)
                thread.start()

    def outcomes(self, timeout: float) -> list[Outcome]:
        return self._inbox.take(timeout)

    def take_back(self) -> list[Ticket]:
        """Return the rows that nobody has begun to ask; they are not asked here."""
        back: list[Ticket] = []
        try:
            while True:
                if (ticket := self._tickets.get_nowait()) is not None:
                    self._open.discard(ticket[0])
                    back.append(ticket)
        except Empty:
            return back

    def stop(self) -> None:
        self.take_back()
        self._asker.stop()
        for _ in self._threads:
            self._tickets.put(None)
        until = time.monotonic() + _TO_END
        for thread in tuple(self._threads):
            thread.join(max(until - time.monotonic(), 0))
        self._release()

    def _work(self) -> None:
        while (ticket := self._tickets.get()) is not None:
            if self._asker.stopped:
                return
            outcome = self._asker.ask(ticket)
            self._open.discard(ticket[0])
            self._inbox.put(outcome)
            if self._is_too_many():
                return

    def _is_too_many(self) -> bool:
        """Return whether this thread is to end, since fewer are wanted by now."""
        with self._lock:
            too_many = self.most is not None and len(self._threads) > self.most
            if too_many:
                self._threads.remove(threading.current_thread())
        return too_many
