"""The answers of one run, in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from operator import attrgetter
from typing import Any

from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.store.base import AnswerStore
from h2o_magic.tables.store.ledger import OWN_RUNS, Ledger, Statement

#: Seconds between two notes of how far a run is, or attempts at a locked file.
NOTED = 5.0
_ANSWER = (
    "text, prompt_tokens, completion_tokens, seconds, first_token, model, repaired"
)
_of_answer = attrgetter(*_ANSWER.split(", "))
_COLUMNS = f"run, at, {_ANSWER}"
_CHANGED = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", "))
#: An answer that counts is never replaced: two runs at once give the same table.
_PUT = (
    f"INSERT INTO answers (key, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    f"ON CONFLICT (key) DO UPDATE SET {_CHANGED} WHERE run < ?"
)
_FAIL = "INSERT OR REPLACE INTO failures (run, key, error) VALUES (?, ?, ?)"
_COUNTS = "done, known, errors, requests, prompt_tokens, completion_tokens, seconds"
_of_progress = attrgetter("total", *_COUNTS.split(", "), "state", "reason")
#: The row may be gone: the run was forgotten, and goes on.
_NOTE = (
    "INSERT OR REPLACE INTO runs (id, at, seen, name, prompt, model, weights, forgot, "
    f"rows, {_COUNTS}, state, reason) VALUES ({', '.join('?' * 18)})"
)
_NEWEST = "(SELECT id FROM runs ORDER BY id DESC LIMIT 1 OFFSET {})"
#: Of old runs, all but the answers goes: errors after 100 runs, the rest after 1,000.
_PRUNE_ERRORS = f"DELETE FROM failures WHERE run < {_NEWEST.format(99)}"
_PRUNE_RUNS = (
    f"DELETE FROM runs WHERE id < {_NEWEST.format(999)} AND NOT EXISTS "
    "(SELECT 1 FROM answers WHERE run = runs.id)"
)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the ledger says of a run.

    `name` is that of the table, `prompt` the beginning of what is asked, `weights` the
    digest of those of a local model.
    """

    name: str = ""
    prompt: str = ""
    model: str = ""
    weights: str = ""


class LedgerAnswers(AnswerStore):
    """A run in the ledger.

    Of the `anew`, or with `forget` of all keys, what was answered before it does not
    count; it stays in the file until another answer takes its place. Once a run that
    forgets has an answer, later ones of the same go on with it: what it forgot does not
    count for them either. While another process has locked the file, what is put waits
    in memory.
    """

    def __init__(
        self,
        ledger: Ledger,
        facts: RunFacts,
        *,
        forget: bool = False,
        anew: Collection[bytes] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._facts = facts
        self._forget = forget
        self._anew = anew
        self._clock = clock
        self._at = self._noted = clock()
        self._put: dict[bytes, tuple[float, RowAnswer]] = {}
        self._failed: dict[bytes, str] = {}
        self._forgot = False
        self._since = self._last_that_forgot()
        self._locked = not self._begin(Progress(), patient=True)
        self._stale = self._runs_of_other_weights()
        self.shared = self._is_shared()

    def known(self, questions: Mapping[bytes, str]) -> set[bytes]:
        found = {key for key, _ in self._under("", list(questions))}
        return found | (questions.keys() & self._put.keys())

    def answers(self, keys: Sequence[bytes]) -> Mapping[bytes, RowAnswer]:
        found = self._under(f", {_ANSWER}", keys)
        return {key: RowAnswer(*answer) for key, *answer, _ in found}

    def errors(self, keys: Sequence[bytes]) -> Mapping[bytes, str]:
        query = f"SELECT key, error FROM failures WHERE run = {self.run} AND key IN"
        return dict(self._ledger.under(query, keys))

    def moments(self) -> Iterable[tuple[float, float]]:
        query = "SELECT at, seconds FROM answers WHERE run = ? ORDER BY at"
        return self._ledger.read(query, self.run)

    def put(self, key: bytes, text: str, answer: RowAnswer) -> None:  # noqa: ARG002
        self._put[key] = self._clock(), answer

    def fail(self, key: bytes, error: str) -> None:
        self._failed[key] = error

    def flush(self, progress: Progress) -> None:
        now, going_on = self._clock(), progress.state == "running"
        due = not going_on or not 0 <= now - self._noted < NOTED
        if self._put and self._forget and not self._forgot:
            self._forgot = due = True
        if due:
            self._noted = now
        if due or (not self._locked and (self._put or self._failed)):
            self._locked = not self._write(progress, due=due, patient=going_on)

    def again(self, keys: Collection[bytes]) -> LedgerAnswers:
        clock = self._clock
        return LedgerAnswers(self._ledger, self._facts, anew=keys, clock=clock)

    def close(self) -> None:
        self._ledger.close()

    def _begin(self, progress: Progress, *, patient: bool) -> bool:
        """Write that the run is there; return False if the file is locked."""
        self.run = OWN_RUNS  # later than all in the file
        note = _NOTE, [self._note(None, progress)]
        prune = (_PRUNE_ERRORS, [()]), (_PRUNE_RUNS, [()])
        run = self._ledger.write(note, *prune, patient=patient)
        self.run = run or OWN_RUNS
        if self._forget:
            self._since = self.run
        return run is not None

    def _write(self, progress: Progress, *, due: bool, patient: bool) -> bool:
        """Write what was put; return False if the file is locked."""
        begun = self.run != OWN_RUNS or self._begin(progress, patient=patient)
        if not begun:
            return False
        statements: list[Statement] = []
        if self._put:
            statements.append((_PUT, list(self._rows())))
        if self._failed:
            failed = self._failed.items()
            rows = [(self.run, key, _whole(error)) for key, error in failed]
            statements.append((_FAIL, rows))
        if due:
            statements.append((_NOTE, [self._note(self.run, progress)]))
        if self._ledger.write(*statements, patient=patient) is None:
            return False
        self._put, self._failed = {}, {}
        return True

    def _rows(self) -> Iterator[tuple[object, ...]]:
        for key, (at, answer) in self._put.items():
            new = self._stale or self._since or key in self._anew
            values = map(_whole, _of_answer(answer))
            yield key, self.run, at, *values, self.run if new else 0

    def _under(self, names: str, keys: Sequence[bytes]) -> Iterator[Sequence[Any]]:
        query = f"SELECT key{names}, run FROM answers WHERE key IN"
        found = self._ledger.under(query, keys)
        return (row for row in found if self._counts(row[0], row[-1]))

    def _counts(self, key: bytes, run: int) -> bool:
        old = key in self._anew or run in self._stale or run < self._since
        return run >= self.run or not old

    def _runs_of_other_weights(self) -> set[int]:
        if not self._facts.weights:
            return set()
        query = "SELECT id FROM runs WHERE model = ? AND weights NOT IN ('', ?)"
        found = self._ledger.read(query, self._facts.model, self._facts.weights)
        return {run for (run,) in found}

    def _last_that_forgot(self) -> int:
        facts = self._facts
        query = (
            "SELECT id FROM runs WHERE forgot AND (name, prompt, model) = (?, ?, ?) "
            "ORDER BY id DESC LIMIT 1"
        )
        same = map(_whole, (facts.name, facts.prompt, facts.model))
        return max((run for (run,) in self._ledger.read(query, *same)), default=0)

    def _is_shared(self) -> bool:
        query = (
            "SELECT 1 FROM runs WHERE id < ? AND state = 'running' AND seen > ? "
            "AND (prompt, model) = (?, ?) LIMIT 1"
        )
        facts, seen = self._facts, self._at - 3 * NOTED
        found = self._ledger.read(query, self.run, seen, facts.prompt, facts.model)
        return bool(found)

    def _note(self, run: int | None, progress: Progress) -> tuple[object, ...]:
        facts = map(_whole, astuple(self._facts))
        at = self._at, self._noted
        return run, *at, *facts, self._forgot, *_of_progress(progress)


def _whole(value: object) -> object:
    """Return a text without half characters, which no file takes."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "replace").decode()
