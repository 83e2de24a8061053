"""An actor that asks rows in a process of a cluster, until it is ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from h2o_magic.errors import H2OMagicError
from h2o_magic.tables.executors import Ticket
from h2o_magic.tables.executors.inbox import Inbox
from h2o_magic.tables.executors.task import Task, asker_of, refused_here
from h2o_magic.tables.executors.threads import Threads
from h2o_magic.tables.running.outcome import Outcome, RowFailure

#: Seconds in which outcomes gather to be sent together.
_GATHER = 0.01


class RowWorker:
    """Gets leases of rows by one method, and yields what comes of them by another."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._inbox = Inbox()
        self._threads: Threads | None = None

    def give(self, tickets: Sequence[Ticket], width: int) -> None:
        """Take rows, of which `width` are asked at once from now on."""
        try:
            if self._threads is None:
                self._threads = Threads(asker_of(self._task), self._inbox)
        except H2OMagicError as error:
            for outcome in refused_here(tickets, error):
                self._inbox.put(outcome)
            return
        self._threads.most = width
        self._threads.submit(tickets)

    def outcomes(self) -> Iterator[tuple[list[Outcome], list[int]]]:
        """Yield what came of rows, and those that are given back: it ends never.

        After a refusal of a busy server, all that were not asked yet are given back.
        """
        while True:
            if not (found := self._inbox.take(1.0)):
                continue
            time.sleep(_GATHER)
            found += self._inbox.take(0)
            back: list[Ticket] = []
            if self._threads is not None and any(map(_is_busy, found)):
                back = self._threads.take_back()
            yield found, [number for number, _ in back]


def _is_busy(outcome: Outcome) -> bool:
    return isinstance(outcome.result, RowFailure) and outcome.result.kind == "busy"
