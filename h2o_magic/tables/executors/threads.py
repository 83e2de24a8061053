"""Rows asked in threads of this process, as many as are in flight."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue

from h2o_magic.chat.events import Event
from h2o_magic.tables.asking import RowAsker, close_stream
from h2o_magic.tables.executors import RowExecutor, Ticket
from h2o_magic.tables.outcome import Outcome


class Threads(RowExecutor):
    """Asks each row in a thread; a thread that has asked one takes the next."""

    def __init__(self, asker: RowAsker) -> None:
        self._asker = asker
        self._tickets: SimpleQueue[Ticket | None] = SimpleQueue()
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._threads = 0
        self._in_flight = 0
        self._streams: dict[int, Iterator[Event]] = {}
        self._stopped = False

    def submit(self, tickets: Sequence[Ticket]) -> None:
        self._in_flight += len(tickets)
        while self._threads < self._in_flight:
            self._threads += 1
            threading.Thread(target=self._work, daemon=True).start()
        for ticket in tickets:
            self._tickets.put(ticket)

    def outcomes(self, timeout: float) -> list[Outcome]:
        found: list[Outcome] = []
        try:
            found.append(self._outcomes.get(timeout=timeout))
            while True:
                found.append(self._outcomes.get_nowait())
        except Empty:
            pass
        self._in_flight -= len(found)
        return found

    def stop(self) -> None:
        self._stopped = True
        for _ in range(self._threads):
            self._tickets.put(None)
        for stream in list(self._streams.values()):
            close_stream(stream)

    def _work(self) -> None:
        me = threading.get_ident()

        def hold(stream: Iterator[Event]) -> None:
            self._streams[me] = stream
            if self._stopped:
                close_stream(stream)

        while (ticket := self._tickets.get()) is not None and not self._stopped:
            outcome = self._asker.ask(*ticket, hold)
            self._streams.pop(me, None)
            self._outcomes.put(outcome)
