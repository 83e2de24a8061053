"""What a run gives: the table with its answers, its errors, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from h2o_magic.tables.columns import AnswerColumns
from h2o_magic.tables.job import Job
from h2o_magic.tables.ledger import AnswerStore
from h2o_magic.tables.outcome import RowAnswer
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
    name : str
        The variable that has it; empty if there is none.
    rows : int
        How many rows were read.
    notes : tuple of str
        What was not put into the prompt as it was typed, one line each.
    mask : callable
        Returns a text as it may be shown, without secrets.
    """

    def __init__(
        self, job: Job, store: AnswerStore, keys: bytes, progress: Progress
    ) -> None:
        self.progress = progress
        self.name = ""
        self.rows = len(keys) // KEY
        self.notes = job.asked.notes
        self.mask = job.mask
        self._job = job
        self._store = store
        self._keys = keys
        self._columns = AnswerColumns(job.schema, job.rows.names)

    @cached_property
    def table(self) -> object:
        """The table, with the columns of the answers and ``error``."""
        return self._job.rows.with_columns(self._columns.kinds, self._batches())

    def head(self, count: int) -> tuple[list[str], list[tuple[object, ...]]]:
        """Return the names and the first rows of the prompt's and the new columns.

        The column of errors only if one of these rows has one.
        """
        used = self._job.template.columns
        given = next(iter(self._job.rows.batches(used)), [])[:count]
        keys = [self._keys[at * KEY : (at + 1) * KEY] for at in range(len(given))]
        keys = [key for key in keys if key]
        if not keys:
            return [], []
        new = self._batch(keys)
        if not any(new[self._columns.error]):
            new = {n: v for n, v in new.items() if n != self._columns.error}
        answers = zip(*new.values(), strict=True)
        rows = [(*row, *more) for row, more in zip(given, answers, strict=False)]
        return [*used, *new], rows

    def answers(self) -> list[RowAnswer | None]:
        """Return the answer to each row, None for one that has none."""
        size = len(self._keys)
        keys = [self._keys[at : at + KEY] for at in range(0, size, KEY)]
        found = self._store.answers(keys)
        return [found.get(key) for key in keys]

    def _repr_markdown_(self) -> str:
        from h2o_magic.tables.view import run_markdown  # noqa: PLC0415 - it shows this

        return run_markdown(self)

    def __repr__(self) -> str:
        from h2o_magic.tables.view import run_plain  # noqa: PLC0415 - it shows this

        return run_plain(self)

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
