"""A run: rows are read, asked as fast as the server takes them, and kept as they come.

One thread, the caller's, reads, keeps and counts; an executor asks. What has an answer
is not asked, and equal rows are asked once.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.executors import Pacing, RowExecutor, Ticket
from h2o_magic.tables.keys import RowKeys
from h2o_magic.tables.ledger import AnswerStore
from h2o_magic.tables.outcome import Outcome, RowAnswer, RowFailure
from h2o_magic.tables.progress import Progress
from h2o_magic.tables.requests import RowRequests

#: A key's bytes; those of rows that cannot be asked begin with zeros.
KEY = 32
#: If the first rows all fail in the same way, the others would, too.
ALIKE = 20
#: How often a row is asked whose answer got lost on its way.
_TRIES = 3
#: Seconds between two looks at the clock, and at an interrupt.
_TICK = 0.1


@dataclass(slots=True)
class _Asked:
    """A key that is asked or waits for it, and how many rows have it."""

    key: bytes
    text: str
    rows: int = 1
    tries: int = 0


class Run:
    """Asks all rows that have no answer yet.

    `batches` are the rows, with the values of the template's columns. `check` refuses
    the question of a row that must not be sent, with a ConfigurationError. `tell` is
    called after each step; it should return soon. Afterwards `keys` has the key of each
    row that was read, one after the other.
    """

    def __init__(
        self,
        batches: Iterator[Sequence[tuple[object, ...]]],
        requests: RowRequests,
        keys: RowKeys,
        *,
        store: AnswerStore,
        executor: RowExecutor,
        pace: Pacing,
        progress: Progress,
        each: bool = False,
        max_errors: int | None = None,
        check: Callable[[str], None] = lambda _text: None,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self.keys = bytearray()
        self._batches = batches
        self._requests = requests
        self._keys = keys
        self._store = store
        self._executor = executor
        self._pace = pace
        self._progress = progress
        self._each = each
        self._max_errors = max_errors
        self._check = check
        self._tell = tell
        self._waiting: deque[_Asked] = deque()
        self._asked: dict[bytes, _Asked] = {}  # waiting, or in flight
        self._in_flight: dict[int, _Asked] = {}
        self._failed: set[bytes] = set()
        self._tickets = 0
        self._alike: str | None = None  # how all rows so far have failed
        self._all_read = False

    def go(self) -> None:
        """Ask until all rows are done, the run cannot go on, or it is interrupted."""
        try:
            while self._progress.state == "running":
                self._submit()
                if self._all_read and not self._asked:
                    self._progress.end("done")
                    break
                if self._in_flight or self._waiting:
                    self._take(self._executor.outcomes(self._pause()))
                self._store.flush()
                self._tell()
        except KeyboardInterrupt:
            self._progress.end("stopped")
        finally:
            self._executor.stop()
            self._store.flush()

    def _pause(self) -> float:
        wait = self._pace.wait()
        return _TICK if wait is None else max(min(wait, _TICK), 0.001)

    def _submit(self) -> None:
        room = self._pace.room(len(self._in_flight))
        while len(self._waiting) < room and not self._all_read:
            self._read()
        tickets: list[Ticket] = []
        while self._waiting and len(tickets) < room:
            asked = self._waiting.popleft()
            self._tickets += 1
            self._in_flight[self._tickets] = asked
            tickets.append((self._tickets, asked.text))
        if tickets:
            self._pace.sent(len(tickets))
            self._executor.submit(tickets)
        self._progress.width = self._pace.width
        self._progress.paused = self._pace.wait() or 0.0

    def _read(self) -> None:
        """Read some rows; those without an answer wait to be asked."""
        batch = next(self._batches, None)
        if batch is None:
            self._all_read = True
            self._progress.total = len(self.keys) // KEY
            return
        texts: dict[bytes, list[str]] = {}
        for row in batch:
            number = len(self.keys) // KEY
            try:
                text = self._requests.text(row)
                key = self._keys.of(text, number if self._each else None)
            except ConfigurationError as error:
                key = number.to_bytes(KEY, "big")
                self._fail(key, str(error), 1)
                self.keys += key
                continue
            self.keys += key
            texts.setdefault(key, []).append(text)
        known = self._store.known(texts)
        for key, same in texts.items():
            if key in known:
                self._progress.done += len(same)
                self._progress.known += len(same)
            elif key in self._failed:
                self._count_failed(len(same))
            elif key in self._asked:
                self._asked[key].rows += len(same)
            else:
                self._ask(_Asked(key, same[0], len(same)))

    def _ask(self, asked: _Asked) -> None:
        try:
            self._check(asked.text)
        except ConfigurationError as error:
            self._fail(asked.key, str(error), asked.rows)
            return
        self._asked[asked.key] = asked
        self._waiting.append(asked)

    def _take(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            asked = self._in_flight.pop(outcome.ticket)
            self._progress.requests += outcome.requests
            result = outcome.result
            if isinstance(result, RowAnswer):
                self._answered(asked, outcome, result)
            else:
                self._refused(asked, result)

    def _answered(self, asked: _Asked, outcome: Outcome, answer: RowAnswer) -> None:
        del self._asked[asked.key]
        self._store.put(asked.key, asked.text, answer)
        self._pace.answered(answer.seconds, outcome.limit)
        progress = self._progress
        progress.done += asked.rows
        progress.known += asked.rows - 1
        progress.prompt_tokens += answer.prompt_tokens or 0
        progress.completion_tokens += answer.completion_tokens or 0
        self._alike = ""

    def _refused(self, asked: _Asked, failure: RowFailure) -> None:
        asked.tries += 1
        if failure.kind == "run":
            self._progress.end("failed", failure.message)
        elif failure.kind == "busy":
            self._pace.busy(failure.wait)
            self._progress.refused += 1
            self._waiting.appendleft(asked)
        elif failure.kind == "lost" and asked.tries < _TRIES:
            self._waiting.append(asked)
        else:
            del self._asked[asked.key]
            self._fail(asked.key, failure.message, asked.rows)

    def _fail(self, key: bytes, message: str, rows: int) -> None:
        self._failed.add(key)
        self._store.fail(key, message)
        self._progress.fail(message, rows)
        self._stop_if_hopeless(message)

    def _count_failed(self, rows: int) -> None:
        self._progress.done += rows
        self._progress.errors += rows

    def _stop_if_hopeless(self, message: str) -> None:
        progress = self._progress
        if progress.state != "running":
            return
        alike = re.sub(r"\d+", "0", message)
        self._alike = alike if self._alike in (None, alike) else ""
        if self._alike and len(self._failed) >= ALIKE:
            progress.end("failed", f"the first {ALIKE} rows all failed: {message}")
        elif self._max_errors is not None and progress.errors > self._max_errors:
            progress.end(
                "failed", f"more than {self._max_errors:,} errors, the last: {message}"
            )
