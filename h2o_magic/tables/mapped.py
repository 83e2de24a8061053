"""What a run gives: the table with its answers, its errors, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import repeat

from h2o_magic.config.units import counted
from h2o_magic.tables.columns import AnswerColumns
from h2o_magic.tables.job import Job
from h2o_magic.tables.ledger import AnswerStore
from h2o_magic.tables.progress import Progress
from h2o_magic.tables.rows import BATCH, Row
from h2o_magic.tables.run import KEY

_NOT_ASKED = "not asked: the run was stopped"


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
        """The table with the answers and ``error``; of a file, the path of another."""
        return self._job.rows.with_columns(self._columns.kinds, self._answers())

    @cached_property
    def errors(self) -> object:
        """The rows that have no answer, with ``error``; a file's by their numbers."""
        found = dict(self._failed())
        rows = self._job.rows.take(list(found))
        errors = ((error,) for error in found.values())
        return rows.with_columns({self._columns.error: "text"}, errors)

    def __len__(self) -> int:
        """Return the number of rows; those that were read, of an unknown number."""
        count = self._job.rows.count
        return len(self._keys) // KEY if count is None else count

    def __repr__(self) -> str:
        state = self.progress.state
        errors = counted(self.progress.errors, "error")
        end = "" if state == "done" else f", {state}"
        return f"<MappedTable: {counted(len(self), 'row')}, {errors}{end}>"

    def _answers(self) -> Iterator[Row]:
        """Yield the new values of each row, and what those that were not asked have."""
        for keys in self._batches():
            answers = self._store.answers(keys)
            errors = self._store.errors([key for key in keys if key not in answers])
            for key in keys:
                if key in answers:
                    yield self._columns.values(answers[key].text, None)
                else:
                    yield self._columns.values(None, errors.get(key, _NOT_ASKED))
        yield from repeat(self._columns.values(None, _NOT_ASKED))

    def _failed(self) -> Iterator[tuple[int, str]]:
        """Yield the numbers of rows without an answer, and why."""
        start = 0
        for keys in self._batches():
            known = self._store.known(keys)
            errors = self._store.errors([key for key in keys if key not in known])
            for number, key in enumerate(keys, start):
                if key not in known:
                    yield number, errors.get(key, _NOT_ASKED)
            start += len(keys)
        for number in range(start, len(self)):
            yield number, _NOT_ASKED

    def _batches(self) -> Iterator[list[bytes]]:
        for start in range(0, len(self._keys), BATCH * KEY):
            some = self._keys[start : start + BATCH * KEY]
            yield [some[at : at + KEY] for at in range(0, len(some), KEY)]
