"""The answers of one run, in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.store.base import AnswerStore
from h2o_magic.tables.store.ledger import Ledger, Statement

#: Seconds between two notes of how far a run is.
NOTED = 5.0
_COLUMNS = (
    "key, run, at, seconds, first_token, prompt_tokens, completion_tokens, model, "
    "text, repaired"
)
_CHANGED = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[1:])
#: An answer that counts is never replaced: two runs at once give the same table.
_PUT = (
    f"INSERT INTO answers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    f"ON CONFLICT (key) DO UPDATE SET {_CHANGED} WHERE run < ?"
)
_FAIL = "INSERT OR REPLACE INTO failures (run, key, error) VALUES (?, ?, ?)"
_BEGIN = (
    "INSERT INTO runs (at, seen, name, prompt, model, weights) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_NOTE = (
    "UPDATE runs SET seen = ?, rows = ?, done = ?, known = ?, errors = ?, requests = ?,"
    " prompt_tokens = ?, completion_tokens = ?, seconds = ?, state = ?, reason = ? "
    "WHERE id = ?"
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
    count, nor what was before the run `since`; it stays in the file until another
    answer takes its place.
    """

    def __init__(
        self,
        ledger: Ledger,
        facts: RunFacts,
        *,
        forget: bool = False,
        since: int = 0,
        anew: Collection[bytes] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._facts = facts
        self._anew = anew
        self._clock = clock
        now = self._noted = clock()
        said = map(_whole, (facts.name, facts.prompt, facts.model, facts.weights))
        begun = (now, now, *said)
        self.run = ledger.write((_BEGIN, [begun]))
        self._since = self.run if forget else since
        self._version = ledger.version()
        self._stale = self._runs_of_other_weights()
        self._put: list[tuple[object, ...]] = []
        self._failed: list[tuple[object, ...]] = []

    def known(self, questions: Mapping[bytes, str]) -> set[bytes]:
        return {key for (key, *_) in self._under("", list(questions))}

    def is_shared(self) -> bool:
        query = (
            "SELECT count(*) FROM runs WHERE id < ? AND state = 'running' AND seen > ? "
            "AND (prompt, model) = (?, ?)"
        )
        facts, seen = self._facts, self._noted - 3 * NOTED
        found = self._ledger.read(query, self.run, seen, facts.prompt, facts.model)
        return bool(found[0][0] % 2)  # of three, one goes as the first does

    def has_changed(self) -> bool:
        return self._ledger.version() != self._version

    def texts(self, keys: Sequence[bytes]) -> Mapping[bytes, str]:
        return {key: text for key, text, *_ in self._under(", text", keys)}

    def answers(self, keys: Sequence[bytes]) -> Mapping[bytes, RowAnswer]:
        names = (
            ", text, prompt_tokens, completion_tokens, seconds, first_token, model, "
            "repaired"
        )
        found = self._under(names, keys)
        return {row[0]: RowAnswer(*row[1:8]) for row in found}

    def errors(self, keys: Sequence[bytes]) -> Mapping[bytes, str]:
        query = f"SELECT key, error FROM failures WHERE run = {self.run} AND key IN"
        return dict(self._ledger.under(query, keys))

    def moments(self) -> Iterable[tuple[float, float]]:
        query = "SELECT at, seconds FROM answers WHERE run = ? ORDER BY at"
        return self._ledger.read(query, self.run)

    def put(self, key: bytes, text: str, answer: RowAnswer) -> None:  # noqa: ARG002
        new = self._stale or self._since or key in self._anew
        self._put.append(
            (
                key,
                self.run,
                self._clock(),
                answer.seconds,
                answer.first_token,
                answer.prompt_tokens,
                answer.completion_tokens,
                _whole(answer.model),
                _whole(answer.text),
                _whole(answer.repaired),
                self.run if new else 0,
            )
        )

    def fail(self, key: bytes, error: str) -> None:
        self._failed.append((self.run, key, _whole(error)))

    def flush(self, progress: Progress) -> None:
        statements: list[Statement] = []
        if self._put:
            statements.append((_PUT, self._put))
        if self._failed:
            statements.append((_FAIL, self._failed))
        now = self._clock()
        if progress.state != "running" or not 0 <= now - self._noted < NOTED:
            statements.append((_NOTE, [self._note(now, progress)]))
            self._noted = now
        if statements:
            self._ledger.write(*statements)
            self._put, self._failed = [], []

    def again(self, keys: Collection[bytes]) -> AnswerStore:
        clock = self._clock
        since = self._since
        return LedgerAnswers(
            self._ledger, self._facts, since=since, anew=keys, clock=clock
        )

    def close(self) -> None:
        self._ledger.close()

    def _under(self, names: str, keys: Sequence[bytes]) -> Iterable[Sequence[Any]]:
        if not (self._since or self._anew or self._stale):
            query = f"SELECT key{names} FROM answers WHERE key IN"
            return self._ledger.under(query, keys)
        query = f"SELECT key{names}, run FROM answers WHERE key IN"
        return (row for row in self._ledger.under(query, keys) if self._counts(row))

    def _counts(self, row: Sequence[Any]) -> bool:
        """Return whether an answer counts, by its key and, at the end, its run."""
        run = row[-1]
        old = row[0] in self._anew or run in self._stale or run < self._since
        return run >= self.run or not old

    def _runs_of_other_weights(self) -> set[int]:
        if not self._facts.weights:
            return set()
        query = "SELECT id FROM runs WHERE model = ? AND weights NOT IN ('', ?)"
        found = self._ledger.read(query, self._facts.model, self._facts.weights)
        return {run for (run,) in found}

    def _note(self, now: float, progress: Progress) -> tuple[object, ...]:
        return (
            now,
            progress.total,
            progress.done,
            progress.known,
            progress.errors,
            progress.requests,
            progress.prompt_tokens,
            progress.completion_tokens,
            progress.seconds,
            progress.state,
            progress.reason,
            self.run,
        )


def _whole(text: str) -> str:
    """Return a text without half characters, which no file takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
