"""What a run gives: the table with its answers, its errors, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from h2o_magic.tables.columns import AnswerColumns
from h2o_magic.tables.job import Job
from h2o_magic.tables.ledger import AnswerStore
from h2o_magic.tables.progress import Progress
from h2o_magic.tables.rows import BATCH, ColumnBatch
from h2o_magic.tables.run import KEY

_NOT_ASKED = "not asked: the run was stopped before"


class MappedTable:
    """A table with an answer for each row.

    Attributes
    ----------
    progress : Progress
        The counts of the run.
    """

    def __init__(
        self, job: Job, store: AnswerStore, keys: bytes, progress: Progress
    ) -> None:
        self.progress = progress
        self._job = job
        self._store = store
        self._keys = keys
        self._columns = AnswerColumns(job.schema, job.rows.names)

    @cached_property
    def table(self) -> object:
        """The table, with the columns of the answers and ``error``."""
        return self._job.rows.with_columns(self._columns.kinds, self._batches())

    def _batches(self) -> Iterator[ColumnBatch]:
        for start in range(0, len(self._keys), BATCH * KEY):
            some = self._keys[start : start + BATCH * KEY]
            keys = [some[at : at + KEY] for at in range(0, len(some), KEY)]
            yield self._batch(keys)

    def _batch(self, keys: Sequence[bytes]) -> ColumnBatch:
        answers = self._store.answers(keys)
        errors = self._store.errors([key for key in keys if key not in answers])
        rows = [
            self._columns.values(answers[key].text, None)
            if key in answers
            else self._columns.values(None, errors.get(key, _NOT_ASKED))
            for key in keys
        ]
        columns = zip(*rows, strict=True)
        return {
            name: list(values)
            for name, values in zip(self._columns.kinds, columns, strict=True)
        }
