"""The answers of a run, row by row, and the values that they give a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import repeat

from h2o_magic.tables.columns import AnswerColumns
from h2o_magic.tables.job import Job
from h2o_magic.tables.rows import BATCH, Row
from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.run import KEY, is_question
from h2o_magic.tables.store.base import AnswerStore


class RowAnswers:
    """What a run has answered, in the order of its rows; read some at a time.

    `keys` are those of the rows that were read, one after another. `without` says why a
    row has neither an answer nor an error.
    """

    def __init__(
        self, job: Job, store: AnswerStore, keys: bytes, without: str = ""
    ) -> None:
        self.job = job
        self.columns = AnswerColumns(job.schema, job.rows.names)
        self.read = len(keys) // KEY
        self._store = store
        self._keys = keys
        self._without = without

    def key(self, row: int) -> bytes:
        """Return the key of a row that was read."""
        return self._keys[row * KEY : (row + 1) * KEY]

    def has_question(self, row: int) -> bool:
        """Return whether there is something to ask of a row that was read."""
        return is_question(self.key(row))

    def __iter__(self) -> Iterator[RowAnswer | None]:
        """Yield each row's answer; None for a row that has none."""
        return (answer for answer, _ in self._rows())

    def values(self) -> Iterator[Row]:
        """Yield the values of the new columns, without end: rows may not be read."""
        for answer, error in self._rows():
            if answer is not None:
                yield self.columns.values(answer.text, None)
            else:
                yield self.columns.values(None, error or self._without)
        yield from repeat(self.columns.values(None, self._without))

    def failures(self) -> dict[bytes, str]:
        """Return why keys failed in this run."""
        with closing(self._store):
            found = (self._store.errors(keys) for keys in self._batches())
            return {key: error for some in found for key, error in some.items()}

    def _rows(self) -> Iterator[tuple[RowAnswer | None, str | None]]:
        with closing(self._store):
            for keys in self._batches():
                # A row that failed stays so, though a later run may have its answer.
                errors = self._store.errors(keys)
                new = [key for key in dict.fromkeys(keys) if key not in errors]
                answers = self._store.answers(new)
                yield from ((answers.get(key), errors.get(key)) for key in keys)

    def _batches(self) -> Iterator[list[bytes]]:
        for start in range(0, self.read, BATCH):
            end = min(start + BATCH, self.read)
            yield [self.key(row) for row in range(start, end)]
