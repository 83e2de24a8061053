"""A run: rows are read, asked as fast as the server takes them, and kept as they come.

One thread, the caller's, reads, keeps and counts; an executor asks. What has an answer
is not asked, and equal rows are asked once.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from h2o_magic.conversation.interrupts import stopping, uninterrupted
from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.executors import RowExecutor, Ticket
from h2o_magic.tables.job import RunOptions
from h2o_magic.tables.pacing.base import Pacing
from h2o_magic.tables.pacing.price import Budget
from h2o_magic.tables.row_requests import RowKeys, RowRequests
from h2o_magic.tables.running.giving_up import GivingUp
from h2o_magic.tables.running.outcome import Outcome, RowAnswer, RowFailure
from h2o_magic.tables.running.progress import Progress, RunState
from h2o_magic.tables.store.base import AnswerStore

#: A key's bytes; those of rows that cannot be asked begin with zeros.
KEY = 32
#: How often a row is asked whose answer got lost on its way.
_TRIES = 3
_LEFT = "not asked: other rows were asked again"
#: Why a server is not asked for a while.
_BUSY, _GONE = "the server allows no more", "the server cannot be reached"
#: Seconds between two looks at whether to stop, and between two commits of answers.
_TICK, _COMMIT = 0.1, 0.05


def is_question(key: bytes) -> bool:
    """Return whether a row with this key has a question."""
    return any(key[:-8])


@dataclass(slots=True)
class _Row:
    """A question to be asked, how many rows have it, and how often it got lost."""

    key: bytes
    text: str
    count: int = 1
    lost: int = 0


class Run:
    """Asks all rows that have no answer yet.

    `batches` are the rows, with the values of the template's columns. `check` refuses
    the question of a row that must not be sent, with a ConfigurationError. `tell` is
    called after each step; `mask` returns an error as it may be kept and shown.
    Afterwards `keys` has the key of each row that was read, one after another.
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
        options: RunOptions,
        check: Callable[[str], None] = lambda _text: None,
        mask: Callable[[str], str] = str,
        tell: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keys = bytearray()
        self._batches = batches
        self._requests = requests
        self._keys = keys
        self._store = store
        self._executor = executor
        self._pace = pace
        self._progress = progress
        self._each, self._only = options.each, options.only
        self._giving_up = GivingUp(options.max_errors, clock)
        self._budget = Budget.of(options.budget, progress.price)
        self._check = check
        self._mask = mask
        self._tell = tell
        self._clock = clock
        self._waiting: deque[_Row] = deque()
        self._open: dict[bytes, _Row] = {}  # waiting, or in flight
        self._in_flight: dict[int, _Row] = {}
        self._failed: dict[bytes, tuple[str, bool]] = {}  # and whether it was asked
        self._tickets = 0
        self._not_before = -math.inf  # when a server that is gone is asked again
        self._all_read = False
        self._unread = ""  # why the rest of the table could not be read
        self._reading = self._stop = self._over_budget = False
        self._committed = -math.inf

    def stop(self) -> None:
        """End the run soon, from any thread; the answers so far are kept."""
        self._stop = True

    def go(self) -> None:
        """Ask until all rows are done, the run cannot go on, or it is stopped.

        An interrupt stops it; a second one is raised where it comes.
        """
        progress = self._progress
        try:
            with stopping(self._interrupted):
                while progress.state == "running":
                    self._step()
                self._take(self._executor.outcomes(0))
        except KeyboardInterrupt:
            self._end("stopped")
        except BaseException as error:
            self._end("failed", f"{type(error).__name__}: {error}")
            raise
        finally:
            with uninterrupted():
                self._executor.stop()
                self._store.flush(progress)

    def _interrupted(self) -> None:
        self.stop()
        if self._reading:  # which may take long, and loses nothing
            raise KeyboardInterrupt

    def _step(self) -> None:
        if self._stop:
            self._end("stopped")
        elif self._over_budget and self._budget is not None:
            self._end("stopped", self._budget.used(self._progress.cost))
        else:
            self._submit()
            if self._all_read and not self._open:
                self._end("failed" if self._unread else "done", self._unread)
            else:
                self._take(self._executor.outcomes(self._pause()))
                self._commit()
        self._tell()

    def _commit(self) -> None:
        # Not at each step: each commit waits for threads that ask, some times over.
        if self._clock() >= self._committed + _COMMIT:
            self._store.flush(self._progress)
            self._committed = self._clock()

    def _pause(self) -> float:
        wait = self._pace.wait() or _TICK
        return 0.0 if self._is_hungry() else max(min(wait, _TICK), 0.001)

    def _room(self) -> int:
        in_flight, progress = len(self._in_flight), self._progress
        if self._giving_up.look:  # one row finds out whether the server is back
            return int(self._clock() >= self._not_before and not in_flight)
        room = self._pace.room(in_flight)
        if self._budget is None:
            return room
        answered = progress.asked + progress.unasked - progress.errors
        left = self._budget.rows_left(progress.cost, answered, progress.asked)
        self._over_budget = left <= 0 and not in_flight
        return max(min(room, left - in_flight), 0)

    def _is_hungry(self) -> bool:
        return not self._all_read and len(self._waiting) < self._room()

    def _submit(self) -> None:
        if self._is_hungry():
            self._read()
        tickets: list[Ticket] = []
        room = self._room() if self._waiting else 0
        while self._waiting and len(tickets) < room:
            some = min(room - len(tickets), len(self._waiting))
            for row in self._unknown([self._waiting.popleft() for _ in range(some)]):
                self._tickets += 1
                self._in_flight[self._tickets] = row
                tickets.append((self._tickets, row.text))
        if tickets:
            self._pace.sent(len(tickets))
            self._executor.submit(tickets)
        self._progress.width = self._pace.width
        self._pauses()

    def _pauses(self) -> None:
        progress, gone = self._progress, self._not_before - self._clock()
        progress.paused = max(gone, self._pace.wait() or 0.0)
        progress.pause = _GONE if gone > 0 else _BUSY

    def _unknown(self, some: list[_Row]) -> list[_Row]:
        """Leave out the rows that another process has got answers to meanwhile."""
        known = self._store.known({row.key: row.text for row in some})
        for key in known:
            self._count_known(self._open.pop(key).count)
        return [row for row in some if row.key not in known]

    def _read(self) -> None:
        """Read some rows; those without an answer wait to be asked."""
        batch = self._next_batch()
        if batch is None:
            self._all_read = True
            if not self._unread:
                self._progress.total = len(self.keys) // KEY
            return
        questions: dict[bytes, str] = {}
        rows: dict[bytes, int] = {}
        for key, text in self._questions(batch):
            if key in rows:
                rows[key] += 1
            else:
                questions[key], rows[key] = text, 1
        for key in self._store.known(questions):
            self._count_known(rows.pop(key))
        # Two processes that ask the same meet once in what both have read.
        ordered = reversed(rows.items()) if self._store.shared else rows.items()
        for key, count in ordered:
            if key in self._failed:
                self._count_failed(key, count)
            elif key in self._open:
                self._open[key].count += count
            elif self._only is not None and key not in self._only.keys:
                self._leave(key, self._only.errors.get(key, _LEFT), count)
            else:
                self._ask(_Row(key, questions[key], count))

    def _next_batch(self) -> Sequence[tuple[object, ...]] | None:
        self._reading = True
        try:
            return next(self._batches, None)
        except Exception as error:  # of whatever holds the table
            row = len(self.keys) // KEY
            what = f"{type(error).__name__}: {error}"
            self._unread = f"the table could not be read after row {row:,}: {what}"
            return None
        finally:
            self._reading = False

    def _questions(
        self, batch: Sequence[tuple[object, ...]]
    ) -> Iterator[tuple[bytes, str]]:
        """Yield keys and questions of the rows that have one; note all keys."""
        text_of, key_of, each = self._requests.text, self._keys.of, self._each
        for number, row in enumerate(batch, len(self.keys) // KEY):
            try:
                text = text_of(row)
                key = key_of(text, number if each else None)
            except ConfigurationError as error:
                key = number.to_bytes(KEY, "big")
                self._leave(key, str(error), 1)
                self.keys += key
            else:
                self.keys += key
                yield key, text

    def _ask(self, row: _Row) -> None:
        try:
            self._check(row.text)
        except ConfigurationError as error:
            self._leave(row.key, str(error), row.count)
            return
        self._open[row.key] = row
        self._waiting.append(row)

    def _take(self, outcomes: list[Outcome]) -> None:
        progress = self._progress
        for outcome in outcomes:
            row = self._in_flight.pop(outcome.ticket)
            progress.requests += outcome.requests
            progress.prompt_tokens += outcome.prompt_tokens or 0
            progress.completion_tokens += outcome.completion_tokens or 0
            result = outcome.result
            if isinstance(result, RowAnswer):
                self._answered(row, outcome, result)
            else:
                self._refused(row, result)

    def _answered(self, row: _Row, outcome: Outcome, answer: RowAnswer) -> None:
        del self._open[row.key]
        self._store.put(row.key, row.text, answer)
        self._pace.answered(answer.seconds, outcome.limit)
        self._progress.done += row.count
        self._progress.known += row.count - 1
        self._giving_up.answered()

    def _refused(self, row: _Row, failure: RowFailure) -> None:
        failure = replace(failure, message=self._mask(failure.message))
        if failure.kind == "run":
            self._end("failed", failure.message)
        elif failure.kind == "busy":
            self._pace.busy(failure.wait)
            self._progress.refused += 1
            self._waiting.appendleft(row)
            self._give_up(self._giving_up.busy(failure.message, failure.wait))
        elif failure.kind == "lost":
            self._lost(row, failure)
        else:
            self._asked_in_vain(row, failure)

    def _lost(self, row: _Row, failure: RowFailure) -> None:
        if failure.wait is not None:
            self._gone(row, failure.message)
            return
        row.lost += 1
        if row.lost < _TRIES:
            self._waiting.append(row)
        else:
            self._asked_in_vain(row, failure)

    def _gone(self, row: _Row, message: str) -> None:
        """The server cannot be reached: that is none of the row's."""
        self._waiting.appendleft(row)
        if self._clock() >= self._not_before:  # else with those before it
            self._give_up(self._giving_up.gone(message))
            self._not_before = self._clock() + self._giving_up.look

    def _asked_in_vain(self, row: _Row, failure: RowFailure) -> None:
        del self._open[row.key]
        message, lost = failure.message, failure.kind == "lost"
        self._give_up(self._giving_up.failed(message, lost=lost))
        self._fail(row.key, message, row.count)

    def _leave(self, key: bytes, message: str, rows: int) -> None:
        """Let rows stay without an answer: they are not to be asked."""
        self._fail(key, message, rows, asked=False)

    def _fail(self, key: bytes, message: str, rows: int, *, asked: bool = True) -> None:
        self._failed[key] = message, asked
        self._store.fail(key, message)
        self._count_failed(key, rows)

    def _count_known(self, rows: int) -> None:
        self._progress.done += rows
        self._progress.known += rows

    def _count_failed(self, key: bytes, rows: int) -> None:
        (message, asked), progress = self._failed[key], self._progress
        progress.fail(message, rows, asked=asked)
        if asked:
            in_vain = progress.errors - progress.unasked
            self._give_up(self._giving_up.errors(in_vain, message))

    def _give_up(self, reason: str) -> None:
        if reason:
            self._end("failed", reason)

    def _end(self, state: RunState, reason: str = "") -> None:
        if self._progress.state == "running":
            self._progress.end(state, self._mask(reason))
