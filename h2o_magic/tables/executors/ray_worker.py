"""An actor that asks rows in a process of a Ray cluster, until it is ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from h2o_magic.errors import H2OMagicError
from h2o_magic.tables.executors import Ticket
from h2o_magic.tables.executors.task import Task, refused_here, threads_of
from h2o_magic.tables.executors.threads import Inbox, Threads
from h2o_magic.tables.running.outcome import Outcome

#: Seconds in which outcomes gather to be sent together.
_GATHER = 0.01


class RowWorker:
    """Gets rows by one method, and yields what comes of them by another."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._inbox = Inbox()
        self._threads: Threads | None = None

    def give(self, tickets: Sequence[Ticket]) -> None:
        """Ask these rows, all at once."""
        try:
            if self._threads is None:
                self._threads = threads_of(self._task, self._inbox)
        except H2OMagicError as error:
            for outcome in refused_here(tickets, error):
                self._inbox.put(outcome)
            return
        self._threads.submit(tickets)

    def outcomes(self) -> Iterator[list[Outcome]]:
        """Yield what came of rows; it ends never."""
        while True:
            if found := self._inbox.take(1.0):
                time.sleep(_GATHER)
                yield found + self._inbox.take(0)
