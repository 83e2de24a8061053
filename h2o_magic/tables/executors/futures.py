"""Rows asked by any `concurrent.futures.Executor`: a pool, or a cluster of Dask.

A future brings all of its rows or none, and goes on after a stop. So a lease is of rows
that are all asked at once, and ends with the slowest of them; no more leases are handed
over than begin at once. Each place gets its share of what waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from functools import partial

from h2o_magic.tables.executors import RowExecutor, Ticket
from h2o_magic.tables.executors.task import lost, refused
from h2o_magic.tables.executors.threads import Inbox
from h2o_magic.tables.running.outcome import Outcome

#: Asks a lease where the executor calls it; it can be pickled.
AskRows = Callable[[Sequence[Ticket]], list[Outcome]]
_BROKEN = (
    "the executor takes no more rows: make a new one, and run it again; what was "
    "answered is kept"
)


class Futures(RowExecutor):
    """Hands leases of rows to an executor, which has so many `places` for them.

    `stop` ends what can still be ended of leases that are being asked.
    """

    def __init__(
        self,
        executor: Executor,
        ask: AskRows,
        inbox: Inbox,
        places: int,
        stop: Callable[[], object] = lambda: None,
    ) -> None:
        self._executor = executor
        self._ask = ask
        self._inbox = inbox
        self._places = places
        self._stop = stop
        self._waiting: deque[Ticket] = deque()
        self._leases: set[Future[list[Outcome]]] = set()

    def submit(self, tickets: Sequence[Ticket]) -> None:
        self._waiting.extend(tickets)
        self._lease()

    def outcomes(self, timeout: float) -> list[Outcome]:
        found = self._inbox.take(timeout)
        self._lease()
        return found

    def stop(self) -> None:
        self._waiting.clear()
        for lease in tuple(self._leases):
            lease.cancel()
        self._stop()

    def _lease(self) -> None:
        while self._waiting and (free := self._places - len(self._leases)) > 0:
            rows = -(-len(self._waiting) // free)
            tickets = [self._waiting.popleft() for _ in range(rows)]
            try:
                lease = self._executor.submit(self._ask, tickets)
            except Exception as error:  # broken, shut down, or of its own kind
                self._put(refused(tickets, f"{_BROKEN} ({error})"))
                return
            self._leases.add(lease)
            lease.add_done_callback(partial(self._ended, tickets))

    def _ended(self, tickets: Sequence[Ticket], lease: Future[list[Outcome]]) -> None:
        # In a thread of the executor's, which must not be kept waiting.
        self._leases.discard(lease)
        if lease.cancelled():
            self._put(lost(tickets, "its lease was cancelled"))
        elif (error := lease.exception()) is None:
            self._put(lease.result())
        elif isinstance(error, ImportError):
            self._put(refused(tickets, f"{error}: install h2o-magic for the workers"))
        else:
            self._put(lost(tickets, f"{type(error).__name__}: {error}"))

    def _put(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self._inbox.put(outcome)
